//! What of sshd's settings is weak, for everybody and under each `Match`.

use palisade_analysis::findings::{Check, Severity};

use super::sshd::{CONFIG, Config, Place, Settings};
use crate::{Files, FilesError, Profile, Report, checks, finding::Said};

/// What one question found.
struct Weak {
    check: &'static Check,
    severity: Severity,
    word: &'static str,
    message: String,
    wanted: String,
}

/// Tells what is weak, and gives the settings; `None` if there is no sshd.
pub(super) fn audit(
    files: &dyn Files,
    profile: &Profile,
    report: &mut Report,
) -> Result<Option<Settings>, FilesError> {
    let has_settings = files.meta(CONFIG)?.is_some();
    if !has_settings && files.meta("/usr/sbin/sshd")?.is_none() {
        report.about("sshd", "not installed");
        return Ok(None);
    }
    let config = Config::read(files, CONFIG)?;
    for refusal in config.refusals() {
        report.say(
            &checks::SSH_BROKEN,
            Said {
                subject: None,
                message: format!("sshd refuses its settings: {}", refusal.why),
                path: refusal.place.to_string(),
                value: refusal.why.clone(),
                wanted: "a line that sshd takes".to_owned(),
            },
        );
    }
    let global = config.global();
    report.about("sshd", format!("port {}", global.get("port").0.join(", ")));
    let weak = weak(&global, profile);
    for found in &weak {
        tell(report, found, &global, None);
    }
    for block in config.blocks() {
        let is_worse = |found: &Weak| {
            let by_itself = block.changes.contains(&found.word);
            by_itself && !weak.iter().any(|own| own.check == found.check && own.severity >= found.severity)
        };
        for found in self::weak(&block.settings, profile).iter().filter(|found| is_worse(found)) {
            tell(report, found, &block.settings, Some((&block.title, &block.place)));
        }
    }
    Ok(Some(global))
}

fn tell(report: &mut Report, found: &Weak, settings: &Settings, block: Option<(&str, &Place)>) {
    let (values, place) = settings.get(found.word);
    let path = place.map_or_else(|| format!("{CONFIG} ({} not set)", found.word), ToString::to_string);
    let title = block.map(|(title, _)| format!("Match {title}"));
    let message = match &title {
        Some(title) => format!("{} ({title})", found.message),
        None => found.message.clone(),
    };
    report.say_as(
        found.check,
        found.severity,
        Said {
            subject: title.as_deref(),
            message,
            path,
            value: format!("{} {}", found.word, values.join(" ")),
            wanted: found.wanted.clone(),
        },
    );
}

/// Everything that is weak in settings.
fn weak(settings: &Settings, profile: &Profile) -> Vec<Weak> {
    let mut found = Vec::new();
    let is = |word: &str, value: &str| settings.one(word).eq_ignore_ascii_case(value);
    let number = |word: &str| settings.one(word).parse::<u32>().unwrap_or(0);
    let mut say = |check: &'static Check, word, message: String, wanted: &str| {
        found.push(Weak { check, severity: check.severity, word, message, wanted: wanted.to_owned() });
    };
    let password = password_word(settings);
    if let Some(word) = password {
        say(&checks::SSH_PASSWORD, word, "passwords are accepted, and can be guessed".to_owned(), "no");
    }
    if is("permitrootlogin", "yes") && password.is_some() {
        say(&checks::SSH_ROOT, "permitrootlogin", "root may log in with a password".to_owned(), "no");
    } else if !is("permitrootlogin", "no") && !is("permitrootlogin", "forced-commands-only") {
        say(&checks::SSH_ROOT_KEY, "permitrootlogin", "root may log in with a key".to_owned(), "no");
    }
    if is("permitemptypasswords", "yes") {
        say(
            &checks::SSH_EMPTY,
            "permitemptypasswords",
            "accounts without a password may log in".to_owned(),
            "no",
        );
    }
    let most = profile.ssh_max_auth_tries_max;
    if number("maxauthtries") > most {
        let message = format!("one connection may try {} times", number("maxauthtries"));
        say(&checks::SSH_TRIES, "maxauthtries", message, &format!("at most {most}"));
    }
    let most = profile.ssh_login_grace_seconds_max;
    let grace = number("logingracetime");
    if grace == 0 || grace > most {
        let message = match grace {
            0 => "a connection may stay without logging in for ever".to_owned(),
            grace => format!("a connection may stay {grace} seconds without logging in"),
        };
        say(&checks::SSH_GRACE, "logingracetime", message, &format!("1 to {most}"));
    }
    if ["allowusers", "allowgroups"].iter().all(|word| settings.get(word).0.is_empty()) {
        say(
            &checks::SSH_USERS,
            "allowusers",
            "every account may log in".to_owned(),
            "the accounts that need it",
        );
    }
    if is("disableforwarding", "no") && !is("allowtcpforwarding", "no") {
        let message = "connections to other machines are carried".to_owned();
        say(&checks::SSH_FORWARDING, "allowtcpforwarding", message, "no");
    }
    for (word, weak) in [("hostbasedauthentication", "yes"), ("ignorerhosts", "no")] {
        if is(word, weak) {
            let message = format!("other machines are trusted: {word} {weak}");
            say(&checks::SSH_HOST_TRUST, word, message, if weak == "yes" { "no" } else { "yes" });
        }
    }
    if !is("permituserenvironment", "no") {
        let message = "users set the environment of their sessions".to_owned();
        say(&checks::SSH_ENVIRONMENT, "permituserenvironment", message, "no");
    }
    if is("strictmodes", "no") {
        let message = "keys are accepted from files that others may write".to_owned();
        say(&checks::SSH_STRICT, "strictmodes", message, "yes");
    }
    if is("usepam", "no") {
        say(&checks::SSH_PAM, "usepam", "PAM is not asked, and with it no lockout".to_owned(), "yes");
    }
    if ["SILENT", "FATAL", "ERROR"].iter().any(|level| is("loglevel", level)) {
        say(&checks::SSH_LOG, "loglevel", "who logs in is not logged".to_owned(), "VERBOSE or INFO");
    }
    found
}

/// The word by which passwords are accepted, unless each way in needs a key too.
fn password_word(settings: &Settings) -> Option<&'static str> {
    let is_yes = |word: &str| settings.one(word) == "yes";
    let ways = settings.get("authenticationmethods").0;
    let needs_key =
        |way: &String| way.split(',').any(|method| method == "publickey" || method == "hostbased");
    if ways.iter().all(needs_key) {
        return None;
    }
    if is_yes("passwordauthentication") {
        Some("passwordauthentication")
    } else {
        // It asks PAM, which asks for a password.
        (is_yes("kbdinteractiveauthentication") && is_yes("usepam")).then_some("kbdinteractiveauthentication")
    }
}

//! Lockout after failed logons: whether `pam_faillock` stands where it counts, and what it is set to.
//!
//! The stack is read as PAM reads it for sshd: `include`, `substack` and `@include` put other files in their place.

use super::lines;
use crate::{Files, FilesError, Profile, Report, checks, files, finding::Said};

const FOLDER: &str = "/etc/pam.d";
const SETTINGS: &str = "/etc/security/faillock.conf";
/// Services whose stack is asked, the first that there is.
const SERVICES: [&str; 3] = ["sshd", "login", "common-auth"];
/// Modules of all files together.
const MODULES_MAX: usize = 1_000;
const DEPTH_MAX: usize = 16;

/// A module in the stack.
struct Module {
    kind: String,
    name: String,
    arguments: Vec<String>,
    place: String,
}

impl Module {
    fn is(&self, kind: &str, name: &str) -> bool {
        self.kind == kind && self.name == name
    }

    fn has(&self, argument: &str) -> bool {
        self.arguments.iter().any(|own| own == argument)
    }
}

pub(super) fn audit(files: &dyn Files, profile: &Profile, report: &mut Report) -> Result<(), FilesError> {
    let mut service = None;
    for name in SERVICES {
        if service.is_none() && files.meta(&format!("{FOLDER}/{name}"))?.is_some() {
            service = Some(name);
        }
    }
    let Some(service) = service else { return Ok(()) };
    let mut stack = Vec::new();
    read(files, service, None, &mut stack, 0)?;
    let path = format!("{FOLDER}/{service}");
    let auth: Vec<&Module> = stack.iter().filter(|module| module.kind == "auth").collect();
    let Some(first) = auth.iter().position(|module| module.name == "pam_faillock.so") else {
        if !auth.iter().any(|module| module.name == "pam_tally2.so") {
            say(
                report,
                &checks::LOCKOUT,
                "accounts do not lock after failed logons",
                path,
                "no pam_faillock",
                "pam_faillock",
            );
        }
        return Ok(());
    };
    order(&auth, &stack, report);
    settings(files, auth[first], profile, report)
}

/// Whether it is asked before the password, told after it, and told again when somebody got in.
fn order(auth: &[&Module], stack: &[Module], report: &mut Report) {
    let place = |argument: &str| {
        auth.iter().position(|module| module.name == "pam_faillock.so" && module.has(argument))
    };
    let unix = auth.iter().position(|module| module.name == "pam_unix.so");
    let path = || {
        auth.iter()
            .find(|module| module.name == "pam_faillock.so")
            .map_or_else(String::new, |module| module.place.clone())
    };
    let mut tell = |message: &str, value: &str| {
        say(report, &checks::LOCKOUT_ORDER, message, path(), value, "preauth, pam_unix, authfail, account");
    };
    match (place("preauth"), place("authfail"), unix) {
        (None, _, _) => tell("a locked account is not refused: preauth is missing", "no preauth"),
        (_, None, _) => tell("failed logons are not counted: authfail is missing", "no authfail"),
        (Some(before), _, Some(unix)) if before > unix => {
            tell("a locked account is refused only after the password was tried", "preauth after pam_unix");
        }
        (_, Some(after), Some(unix)) if after < unix => {
            tell("failed logons are counted before the password was tried", "authfail before pam_unix");
        }
        _ => {}
    }
    let is_reset =
        place("authsucc").is_some() || stack.iter().any(|module| module.is("account", "pam_faillock.so"));
    if !is_reset {
        tell(
            "failed logons are not forgotten when somebody gets in: authsucc and the account line are missing",
            "no reset",
        );
    }
}

/// What it is set to; arguments of the module win over the file.
fn settings(
    files: &dyn Files,
    module: &Module,
    profile: &Profile,
    report: &mut Report,
) -> Result<(), FilesError> {
    let text = files::text(files, SETTINGS)?.unwrap_or_default();
    let of_file = |name: &str| {
        lines(&text).into_iter().find_map(|(number, line)| {
            let (own, value) = line.split_once('=').unwrap_or((&line, ""));
            (own.trim() == name).then(|| (value.trim().to_owned(), format!("{SETTINGS}:{number}")))
        })
    };
    let of_module = |name: &str| {
        let value =
            module.arguments.iter().find_map(|argument| argument.strip_prefix(name)?.strip_prefix('='));
        value.map(|value| (value.to_owned(), module.place.clone()))
    };
    let number = |name: &str, default: u32| {
        let (value, place) = of_module(name).or_else(|| of_file(name)).unwrap_or_default();
        let place = if place.is_empty() { format!("{SETTINGS} ({name} not set)") } else { place };
        (value.parse().unwrap_or(default), place)
    };
    let most = profile.lockout_threshold_max;
    let (deny, place) = number("deny", 3);
    if deny == 0 || deny > most {
        let message = match deny {
            0 => "accounts never lock: deny is 0".to_owned(),
            deny => format!("accounts lock only after {deny} failed logons"),
        };
        say(report, &checks::LOCKOUT, &message, place, &format!("deny = {deny}"), &format!("1 to {most}"));
    }
    let least = profile.lockout_minutes_min.saturating_mul(60);
    let (unlock, place) = number("unlock_time", 600);
    if unlock != 0 && unlock < least {
        let message = format!("a locked account opens again after {unlock} seconds");
        let value = format!("unlock_time = {unlock}");
        say(report, &checks::LOCKOUT_TIME, &message, place, &value, &format!("at least {least}, or 0"));
    }
    Ok(())
}

/// Reads a service's stack; of an `include` or a `substack` only modules of its kind.
fn read(
    files: &dyn Files,
    service: &str,
    only: Option<&str>,
    stack: &mut Vec<Module>,
    depth: usize,
) -> Result<(), FilesError> {
    let path = format!("{FOLDER}/{service}");
    if depth > DEPTH_MAX || stack.len() > MODULES_MAX {
        return Err(FilesError::new(&path, "its stack is too deep or too long"));
    }
    let Some(text) = files::text(files, &path)? else { return Ok(()) };
    for (number, line) in lines(&text) {
        // A bracketed control has blanks in it.
        let line = match line.split_once('[').zip(line.split_once(']')) {
            Some(((before, _), (_, behind))) => format!("{before}control{behind}"),
            None => line,
        };
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["@include", name] => read(files, name, only, stack, depth + 1)?,
            [kind, control, name, ref arguments @ ..] => {
                let kind = kind.trim_start_matches('-').to_ascii_lowercase();
                if only.is_some_and(|only| only != kind) {
                    continue;
                }
                if matches!(control, "include" | "substack") {
                    read(files, name, Some(&kind), stack, depth + 1)?;
                    continue;
                }
                let name = name.rsplit('/').next().unwrap_or_default().to_owned();
                let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
                stack.push(Module { kind, name, arguments, place: format!("{path}:{number}") });
            }
            _ => {}
        }
    }
    Ok(())
}

fn say(
    report: &mut Report,
    check: &'static palisade_analysis::findings::Check,
    message: &str,
    path: String,
    value: &str,
    wanted: &str,
) {
    let (message, value, wanted) = (message.to_owned(), value.to_owned(), wanted.to_owned());
    report.say(check, Said { subject: None, message, path, value, wanted });
}

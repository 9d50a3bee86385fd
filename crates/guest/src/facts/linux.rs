//! Facts of Linux. Accounts and groups are told by line, settings by line, scripts and units as a whole.

use super::Facts;
use crate::{
    Files, FilesError, SETTINGS_MAX, files,
    linux::sshd::{CONFIG, Config},
    pattern::found,
};

/// Files whose lines are facts: their topic, and where they are.
const LINES: [(&str, &str); 27] = [
    ("sudo", "/etc/sudoers"),
    ("sudo", "/etc/sudoers.d/*"),
    ("sudo", "/etc/doas.conf"),
    ("sudo", "/etc/polkit-1/rules.d/*"),
    ("cron", "/etc/crontab"),
    ("cron", "/etc/anacrontab"),
    ("cron", "/etc/cron.d/*"),
    ("cron", "/var/spool/cron/crontabs/*"),
    ("cron", "/var/spool/cron/*"),
    ("preload", "/etc/ld.so.preload"),
    ("preload", "/etc/ld.so.conf"),
    ("preload", "/etc/ld.so.conf.d/*"),
    ("kernel module", "/etc/modules"),
    ("kernel module", "/etc/modules-load.d/*"),
    ("kernel module", "/usr/lib/modules-load.d/*"),
    ("kernel module", "/etc/modprobe.d/*"),
    ("kernel setting", "/etc/sysctl.conf"),
    ("kernel setting", "/etc/sysctl.d/*"),
    ("login", "/etc/pam.d/*"),
    ("login", "/etc/security/*.conf"),
    ("login", "/etc/environment"),
    ("device rule", "/etc/udev/rules.d/*"),
    ("listening", "/etc/inetd.conf"),
    ("listening", "/etc/xinetd.d/*"),
    ("name", "/etc/hosts"),
    ("name", "/etc/nsswitch.conf"),
    ("package source", "/etc/apt/sources.list.d/*"),
];
/// Files that are facts as a whole.
const WHOLE: [(&str, &str); 21] = [
    ("cron", "/etc/cron.hourly/*"),
    ("cron", "/etc/cron.daily/*"),
    ("cron", "/etc/cron.weekly/*"),
    ("cron", "/etc/cron.monthly/*"),
    ("cron", "/var/spool/cron/atjobs/*"),
    ("profile script", "/etc/profile"),
    ("profile script", "/etc/profile.d/*"),
    ("profile script", "/etc/bash.bashrc"),
    ("profile script", "/etc/zsh/*"),
    ("profile script", "/etc/update-motd.d/*"),
    ("start script", "/etc/rc.local"),
    ("start script", "/etc/init.d/*"),
    ("start script", "/etc/network/if-up.d/*"),
    ("start script", "/etc/network/if-pre-up.d/*"),
    ("start script", "/etc/NetworkManager/dispatcher.d/*"),
    ("service", "/etc/systemd/system/*.service"),
    ("service", "/etc/systemd/system/*.d/*.conf"),
    ("service", "/etc/systemd/system/*.timer"),
    ("service", "/etc/systemd/system/*.path"),
    ("service", "/usr/lib/systemd/system/*"),
    ("service", "/etc/systemd/user/*"),
];
/// What links a unit to what starts it.
const ENABLED: [&str; 4] = [
    "/etc/systemd/system/*.wants/*",
    "/etc/systemd/system/*.requires/*",
    "/etc/systemd/user/*.wants/*",
    "/etc/systemd/system-generators/*",
];
/// Of a home.
const PROFILES: [&str; 7] =
    [".bashrc", ".bash_profile", ".bash_login", ".profile", ".bash_logout", ".zshrc", ".zprofile"];
const SOCKETS: [&str; 2] = ["/etc/systemd/system/*.socket", "/usr/lib/systemd/system/*.socket"];
/// Lines of one file that become facts.
const LINES_MAX: usize = 20_000;

pub(super) fn read(files: &dyn Files, facts: &mut Facts) {
    let homes = accounts(files, facts);
    let read = passwords(files, facts);
    facts.known("/etc/shadow", read);
    let read = groups(files, facts);
    facts.known("/etc/group", read);
    for (topic, pattern) in LINES {
        each(files, pattern, facts, |path, bytes, facts| lines(topic, path, bytes, facts));
    }
    for (topic, pattern) in WHOLE {
        each(files, pattern, facts, |path, bytes, facts| whole(topic, path, bytes, facts));
    }
    for pattern in ENABLED {
        let paths = names(files, pattern);
        for path in facts.known(pattern, paths).unwrap_or_default() {
            facts.add("enabled service", &path, "enabled");
        }
    }
    for pattern in SOCKETS {
        each(files, pattern, facts, sockets);
    }
    let read = sshd(files, &homes, facts);
    facts.known("sshd", read);
    for (name, home) in homes {
        for profile in PROFILES {
            let path = format!("{}/{profile}", home.trim_end_matches('/'));
            let topic = "profile script";
            each(files, &path, facts, |path, bytes, facts| whole(topic, path, bytes, facts));
        }
        let units = format!("{}/.config/systemd/user/*", home.trim_end_matches('/'));
        each(files, &units, facts, |path, bytes, facts| whole("service", path, bytes, facts));
        let started = format!("{}/.config/autostart/*", home.trim_end_matches('/'));
        each(files, &started, facts, |path, bytes, facts| {
            whole("start script", &format!("{path} of {name}"), bytes, facts);
        });
    }
}

/// Hands on each file of a pattern; one that cannot be read is unknown.
fn each(files: &dyn Files, pattern: &str, facts: &mut Facts, mut take: impl FnMut(&str, &[u8], &mut Facts)) {
    let paths = found(files, pattern);
    for path in facts.known(pattern, paths).unwrap_or_default() {
        let bytes = files.read(&path, SETTINGS_MAX);
        if let Some(Some(bytes)) = facts.known(&path, bytes) {
            take(&path, &bytes, facts);
        }
    }
}

/// The names of a pattern whose last part is a star, also of links that lead nowhere.
fn names(files: &dyn Files, pattern: &str) -> Result<Vec<String>, FilesError> {
    let Some((folders, "*")) = pattern.rsplit_once('/') else { return Ok(Vec::new()) };
    let (above, ending) = folders.rsplit_once('/').unwrap_or_default();
    let mut all = Vec::new();
    for folder in files::sorted(files, above)? {
        if folder == ending || ending.strip_prefix('*').is_some_and(|ending| folder.ends_with(ending)) {
            let folder = format!("{above}/{folder}");
            all.extend(files::sorted(files, &folder)?.iter().map(|name| format!("{folder}/{name}")));
        }
    }
    Ok(all)
}

/// Accounts; their names and homes.
fn accounts(files: &dyn Files, facts: &mut Facts) -> Vec<(String, String)> {
    const PASSWD: &str = "/etc/passwd";
    let text = files::text(files, PASSWD);
    let text = facts.known(PASSWD, text).flatten().unwrap_or_default();
    let mut homes = Vec::new();
    for line in text.lines().take(LINES_MAX) {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, password, number, group, _, home, shell] = fields[..] else { continue };
        let kept = match password {
            "x" => "",
            "" => ", no password",
            _ => ", a password in /etc/passwd",
        };
        let told = format!("number {number}, group {group}, home {home}, shell {shell}{kept}");
        facts.add_hidden("account", name, &told, password.as_bytes());
        homes.push((name.to_owned(), home.to_owned()));
    }
    homes
}

/// Whether accounts have passwords; which, is compared only.
fn passwords(files: &dyn Files, facts: &mut Facts) -> Result<(), FilesError> {
    for (topic, path) in [("password", "/etc/shadow"), ("group password", "/etc/gshadow")] {
        let text = files::text(files, path)?.unwrap_or_default();
        for line in text.lines().take(LINES_MAX) {
            let mut fields = line.split(':');
            let (Some(name), Some(field)) = (fields.next(), fields.next()) else { continue };
            let told = match field {
                "" => "empty",
                locked if locked.starts_with(['!', '*']) => "locked",
                _ => "set",
            };
            facts.add_hidden(topic, name, told, field.as_bytes());
        }
    }
    Ok(())
}

fn groups(files: &dyn Files, facts: &mut Facts) -> Result<(), FilesError> {
    let text = files::text(files, "/etc/group")?.unwrap_or_default();
    for line in text.lines().take(LINES_MAX) {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, password, number, members] = fields[..] else { continue };
        facts.add_hidden("group", name, &format!("number {number}"), password.as_bytes());
        for member in members.split(',').filter(|member| !member.is_empty()) {
            facts.add("member of group", &format!("{name}: {member}"), "member");
        }
    }
    Ok(())
}

/// Lines of settings. Whoever is in a file twice is there once; comments are no facts.
fn lines(topic: &'static str, path: &str, bytes: &[u8], facts: &mut Facts) {
    let text = String::from_utf8_lossy(bytes);
    let set = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    for (count, line) in set.enumerate() {
        if count == LINES_MAX {
            return facts.unknown(path, format!("it has more than {LINES_MAX} lines of settings"));
        }
        facts.add_hidden(topic, &format!("{path}: {line}"), "set", line.as_bytes());
    }
}

/// A file as a whole, with what it starts where it says so.
fn whole(topic: &'static str, path: &str, bytes: &[u8], facts: &mut Facts) {
    let text = String::from_utf8_lossy(bytes);
    let starts: Vec<&str> =
        text.lines().filter(|line| line.starts_with("Exec") || line.starts_with("On")).collect();
    let starts = if starts.is_empty() { String::new() } else { format!(", {}", starts.join("; ")) };
    facts.add_hidden(topic, path, &format!("{} bytes{starts}", bytes.len()), bytes);
}

fn sockets(path: &str, bytes: &[u8], facts: &mut Facts) {
    let text = String::from_utf8_lossy(bytes);
    for line in text.lines().filter(|line| line.starts_with("Listen")).take(LINES_MAX) {
        facts.add("listening", &format!("{path}: {line}"), "set");
    }
}

/// What sshd would do, and the keys that it takes.
fn sshd(files: &dyn Files, homes: &[(String, String)], facts: &mut Facts) -> Result<(), FilesError> {
    let config = Config::read(files, CONFIG)?;
    let global = config.global();
    let mut tell = |under: &str, lines: Vec<String>| {
        for line in lines.iter().take(LINES_MAX) {
            let (word, value) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                "port" | "listenaddress" => facts.add("listening", &format!("sshd {word} {value}"), "set"),
                "hostkey" | "acceptenv" | "setenv" => facts.add("sshd", &format!("{under}{line}"), "set"),
                _ => facts.add("sshd", &format!("{under}{word}"), value),
            }
        }
    };
    tell("", global.lines());
    for block in config.blocks() {
        let own = block.changes.iter().map(|word| format!("{word} {}", block.settings.get(word).0.join(" ")));
        tell(&format!("Match {}: ", block.title), own.collect());
    }
    let patterns = global.get("authorizedkeysfile").0;
    for (name, home) in homes {
        for pattern in patterns.iter().filter(|pattern| *pattern != "none") {
            let path = pattern.replace("%h", home).replace("%u", name);
            let path =
                if path.starts_with('/') { path } else { format!("{}/{path}", home.trim_end_matches('/')) };
            each(files, &path, facts, |path, bytes, facts| keys(name, path, bytes, facts));
        }
    }
    Ok(())
}

/// Keys that log in, each by how it ends and what is written behind it: nobody needs to read 500 characters.
fn keys(account: &str, path: &str, bytes: &[u8], facts: &mut Facts) {
    let text = String::from_utf8_lossy(bytes);
    let set = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    for line in set.take(LINES_MAX) {
        let shorter = |word: &str| match word.char_indices().nth_back(11) {
            Some((place, _)) if word.len() > 60 => format!("...{}", &word[place..]),
            _ => word.to_owned(),
        };
        let told: Vec<String> = line.split_whitespace().map(shorter).collect();
        facts.add_hidden("authorized key", &format!("{account}: {}", told.join(" ")), path, line.as_bytes());
    }
}

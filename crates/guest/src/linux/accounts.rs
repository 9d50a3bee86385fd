//! Accounts: who is root, who has no password, and in which form passwords are kept. What a password was made into is not kept nor told.

use std::collections::HashMap;

use crate::{Files, FilesError, Report, checks, files, finding::Said};

const PASSWD: &str = "/etc/passwd";
const SHADOW: &str = "/etc/shadow";
/// Shells that let nobody in.
const NO_SHELLS: [&str; 4] = ["nologin", "false", "sync", "halt"];

/// How a password is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    /// None is needed.
    Empty,
    /// None fits.
    Locked,
    /// It is fast to guess.
    Old(&'static str),
    Good,
    Unknown,
}

impl Scheme {
    /// By the beginning of the field.
    fn of(field: &str) -> Self {
        let by_mark: [(&str, Self); 11] = [
            ("$y$", Self::Good),
            ("$gy$", Self::Good),
            ("$7$", Self::Good),
            ("$6$", Self::Good),
            ("$5$", Self::Good),
            ("$2", Self::Good),
            ("$1$", Self::Old("MD5")),
            ("$md5", Self::Old("MD5")),
            ("$sha1", Self::Old("SHA-1")),
            ("$3$", Self::Old("NT hash")),
            ("_", Self::Old("DES")),
        ];
        match field {
            "" => Self::Empty,
            locked if locked.starts_with(['!', '*']) => Self::Locked,
            known if by_mark.iter().any(|(mark, _)| known.starts_with(mark)) => by_mark
                .iter()
                .find(|(mark, _)| known.starts_with(mark))
                .map_or(Self::Unknown, |(_, scheme)| *scheme),
            short if short.len() == 13 && !short.starts_with('$') => Self::Old("DES"),
            short if short.len() < 13 => Self::Locked,
            _ => Self::Unknown,
        }
    }
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) number: String,
    pub(super) home: String,
    shell: String,
    line: usize,
    scheme: Scheme,
    /// Where the password is kept, with its line.
    kept: (&'static str, usize),
}

impl Account {
    /// Whether its shell lets somebody in; none is `/bin/sh`.
    fn has_shell(&self) -> bool {
        let name = self.shell.rsplit('/').next().unwrap_or_default();
        !NO_SHELLS.contains(&name)
    }
}

/// All accounts.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    pub(super) all: Vec<Account>,
    /// Permissions of `/etc/shadow`.
    shadow_mode: Option<u32>,
}

impl Accounts {
    pub(super) fn read(files: &dyn Files) -> Result<Self, FilesError> {
        let shadow = files::text(files, SHADOW)?.unwrap_or_default();
        let mut kept = HashMap::new();
        for (number, line) in shadow.lines().enumerate() {
            let Some((name, rest)) = line.split_once(':') else { continue };
            let field = rest.split(':').next().unwrap_or_default();
            // Of a name that is there twice the first line holds.
            kept.entry(name).or_insert_with(|| (Scheme::of(field), number + 1));
        }
        let passwd = files::text(files, PASSWD)?.unwrap_or_default();
        let mut all = Vec::new();
        for (number, line) in passwd.lines().enumerate() {
            let fields: Vec<&str> = line.split(':').collect();
            let [name, password, uid, _, _, home, shell] = fields[..] else { continue };
            let line = number + 1;
            let (scheme, kept) = match password {
                "x" => kept
                    .get(name)
                    .map_or((Scheme::Locked, (SHADOW, 0)), |(scheme, line)| (*scheme, (SHADOW, *line))),
                field => (Scheme::of(field), (PASSWD, line)),
            };
            let [name, number, home, shell] = [name, uid, home, shell].map(str::to_owned);
            all.push(Account { name, number, home, shell, line, scheme, kept });
        }
        let shadow_mode = files.meta(SHADOW)?.and_then(|meta| meta.mode);
        Ok(Self { all, shadow_mode })
    }

    pub(super) fn audit(&self, report: &mut Report) {
        for account in &self.all {
            judge(account, report);
        }
        if let Some(mode) = self.shadow_mode.filter(|mode| mode & 0o007 != 0) {
            report.say(
                &checks::PASSWORD_OPEN,
                Said {
                    subject: None,
                    message: "everybody may read what passwords were made into".to_owned(),
                    path: SHADOW.to_owned(),
                    value: format!("mode {mode:04o}"),
                    wanted: "mode 0640 or less".to_owned(),
                },
            );
        }
    }
}

fn judge(account: &Account, report: &mut Report) {
    let name = &account.name;
    let (file, line) = account.kept;
    let kept = || format!("{file}:{line}");
    let mut say = |check, message: String, path: String, value: &str, wanted: &str| {
        let (value, wanted) = (value.to_owned(), wanted.to_owned());
        report.say(check, Said { subject: Some(name), message, path, value, wanted });
    };
    if account.number.trim_start_matches('0').is_empty() && name != "root" {
        let message = format!("the account \"{name}\" has the number 0 and is root");
        say(
            &checks::UID_ZERO,
            message,
            format!("{PASSWD}:{}", account.line),
            "number 0",
            "a number of its own",
        );
    }
    match account.scheme {
        Scheme::Empty if account.has_shell() => {
            let message = format!("the account \"{name}\" has no password and a shell");
            say(&checks::PASSWORD_EMPTY, message, kept(), "empty", "locked, or a password");
        }
        Scheme::Old(scheme) => {
            let message = format!("the password of \"{name}\" is kept as {scheme}");
            say(&checks::PASSWORD_SCHEME, message, kept(), scheme, "yescrypt or SHA-512");
        }
        _ => {}
    }
    let is_kept = !matches!(account.scheme, Scheme::Empty | Scheme::Locked);
    if file == PASSWD && is_kept {
        let message = format!("the password of \"{name}\" is kept where everybody can read it");
        say(&checks::PASSWORD_OPEN, message, kept(), "in /etc/passwd", "in /etc/shadow");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_by_their_beginning() {
        for (field, expect) in [
            ("", Scheme::Empty),
            ("!", Scheme::Locked),
            ("!$6$salt$hash", Scheme::Locked),
            ("*", Scheme::Locked),
            ("x", Scheme::Locked),
            ("$y$j9T$salt$hash", Scheme::Good),
            ("$6$salt$hash", Scheme::Good),
            ("$2b$12$hash", Scheme::Good),
            ("$1$salt$hash", Scheme::Old("MD5")),
            ("abJnggxhB/yWI", Scheme::Old("DES")),
            ("$9$later$hash.that.is.long", Scheme::Unknown),
        ] {
            assert_eq!(Scheme::of(field), expect, "{field}");
        }
    }
}

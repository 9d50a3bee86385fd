//! Keys that log in: those of root, weak ones, and files that others may write.

use palisade_analysis::findings::Severity;

use super::{
    accounts::{Account, Accounts},
    sshd::Settings,
};
use crate::{Files, FilesError, Profile, Report, checks, files, finding::Said};

const RSA: &str = "ssh-rsa";
/// Types of keys, as a line names them before the key.
const TYPES: [&str; 8] = [
    "ssh-ed25519",
    RSA,
    "ssh-dss",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];
/// Written by others than the owner.
const WRITABLE: u32 = 0o022;

pub(super) fn audit(
    files: &dyn Files,
    accounts: &Accounts,
    sshd: Option<&Settings>,
    profile: &Profile,
    report: &mut Report,
) -> Result<(), FilesError> {
    let patterns = sshd.cloned().unwrap_or_default().get("authorizedkeysfile").0;
    for account in &accounts.all {
        for pattern in patterns.iter().filter(|pattern| *pattern != "none") {
            let path = path_of(pattern, account);
            if let Some(text) = files::text(files, &path)? {
                of_file(&text, &path, account, profile, report);
                writable(files, &path, account, report)?;
            }
        }
    }
    Ok(())
}

/// The file of a pattern for an account.
fn path_of(pattern: &str, account: &Account) -> String {
    let mut path = String::with_capacity(pattern.len() + account.home.len());
    let mut rest = pattern;
    while let Some((before, behind)) = rest.split_once('%') {
        path.push_str(before);
        let stands_for = match behind.as_bytes().first() {
            Some(b'%') => "%",
            Some(b'h') => &account.home,
            Some(b'u') => &account.name,
            Some(b'U') => &account.number,
            _ => {
                path.push('%');
                rest = behind;
                continue;
            }
        };
        path.push_str(stands_for);
        rest = &behind[1..];
    }
    path.push_str(rest);
    if path.starts_with('/') { path } else { format!("{}/{path}", account.home.trim_end_matches('/')) }
}

fn of_file(text: &str, path: &str, account: &Account, profile: &Profile, report: &mut Report) {
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some(key) = Key::read(line) else { continue };
        let mut say = |check, severity, message: String, wanted: &str| {
            let (path, wanted) = (format!("{path}:{}", number + 1), wanted.to_owned());
            let value = format!("{} {}", key.kind, key.comment).trim().to_owned();
            report.say_as(
                check,
                severity,
                Said { subject: Some(&account.name), message, path, value, wanted },
            );
        };
        if account.number == "0" {
            let bound = if key.is_bound { ", from named places or for one command" } else { "" };
            let message = format!("a key ({}) logs in as {}{bound}", key.kind, account.name);
            say(&checks::ROOT_KEYS, Severity::Note, message, "no key, or one with from= and command=");
        }
        let why = match (key.kind, key.bits) {
            ("ssh-dss", _) => Some("is DSA".to_owned()),
            (RSA, Some(bits)) if bits < profile.rsa_bits_min => Some(format!("is RSA of {bits} bits")),
            _ => None,
        };
        if let Some(why) = why {
            let message = format!("a key of \"{}\" {why}", account.name);
            say(&checks::KEY_WEAK, checks::KEY_WEAK.severity, message, "ed25519");
        }
    }
}

/// A line of `authorized_keys`.
struct Key<'l> {
    kind: &'l str,
    comment: &'l str,
    is_bound: bool,
    /// Bits of an RSA key.
    bits: Option<u32>,
}

impl<'l> Key<'l> {
    fn read(line: &'l str) -> Option<Self> {
        let (options, rest) = split_options(line)?;
        let mut words = rest.splitn(3, [' ', '\t']);
        let kind = words.next()?;
        let bits = words.next().filter(|_| kind == RSA).and_then(decoded).and_then(|key| rsa_bits(&key));
        let comment = words.next().unwrap_or_default();
        let is_bound =
            ["from=", "command="].iter().any(|option| options.to_ascii_lowercase().contains(option));
        Some(Self { kind, comment, is_bound, bits })
    }
}

/// Options before a key's type, which may hold blanks in quotes, and the rest.
fn split_options(line: &str) -> Option<(&str, &str)> {
    let is_type = |rest: &str| {
        TYPES.iter().any(|kind| rest.strip_prefix(kind).is_some_and(|rest| rest.starts_with([' ', '\t'])))
    };
    if is_type(line) {
        return Some(("", line));
    }
    let mut is_quoted = false;
    for (at, character) in line.char_indices() {
        match character {
            '"' => is_quoted = !is_quoted,
            ' ' | '\t' if !is_quoted => {
                let rest = line[at..].trim_start();
                return is_type(rest).then(|| (&line[..at], rest));
            }
            _ => {}
        }
    }
    None
}

/// Base 64, as far as it is.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    Some(bytes)
}

/// Bits of the modulus: the third part of a key, behind its type and its exponent.
fn rsa_bits(key: &[u8]) -> Option<u32> {
    let mut rest = key;
    let mut parts = Vec::new();
    for _ in 0..3 {
        let (length, behind) = rest.split_first_chunk::<4>()?;
        let (part, behind) = behind.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        parts.push(part);
        rest = behind;
    }
    let modulus: Vec<u8> = parts[2].iter().copied().skip_while(|byte| *byte == 0).collect();
    let first = modulus.first()?;
    (parts[0] == RSA.as_bytes())
        .then(|| u32::try_from(modulus.len()).unwrap_or(u32::MAX).saturating_mul(8) - first.leading_zeros())
}

/// The file and the folders above it up to the home, as `StrictModes` looks at them.
fn writable(files: &dyn Files, path: &str, account: &Account, report: &mut Report) -> Result<(), FilesError> {
    let mut current = Some(path);
    while let Some(path) = current {
        let meta = files.meta(path)?;
        if let Some(mode) = meta.and_then(|meta| meta.mode).filter(|mode| mode & WRITABLE != 0) {
            report.say(
                &checks::KEY_WRITABLE,
                Said {
                    subject: Some(&account.name),
                    message: format!("others may write to {path}, and so log in as \"{}\"", account.name),
                    path: path.to_owned(),
                    value: format!("mode {mode:04o}"),
                    wanted: "only the owner writes".to_owned(),
                },
            );
        }
        let above = path.rsplit_once('/').map(|(above, _)| above);
        current = above.filter(|above| {
            above.len() >= account.home.len() && above.starts_with(account.home.as_str()) && !above.is_empty()
        });
    }
    Ok(())
}

//! Linux, by its files: sshd, accounts, lockout, sudo, firewall, keys, updates.
//!
//! A file that cannot be read is told as unknown; a file that is not there is not, unless the machine needs it. It must not tell what a
//! password was made into: of `/etc/shadow` only the scheme is looked at.

mod accounts;
mod firewall;
mod keys;
mod lockout;
mod ssh_findings;
pub mod sshd;
mod sudo;
mod upgrades;

use crate::{Files, FilesError, Profile, Report, files};
use accounts::Accounts;

/// Whether the files are those of Linux.
pub(crate) fn is_one(files: &dyn Files) -> bool {
    matches!(files.meta("/etc/passwd"), Ok(Some(_)))
}

pub(crate) fn audit(files: &dyn Files, profile: &Profile, report: &mut Report) {
    report.about("system", "Linux");
    report.is_read = true;
    let done = about(files, report);
    report.known("which system it is", done);
    let accounts = Accounts::read(files);
    let accounts = report.known("accounts", accounts).unwrap_or_default();
    accounts.audit(report);
    let sshd = ssh_findings::audit(files, profile, report);
    let sshd = report.known("sshd", sshd);
    let done = lockout::audit(files, profile, report);
    report.known("lockout", done);
    let done = sudo::audit(files, report);
    report.known("sudo", done);
    let done = firewall::audit(files, report);
    report.known("the firewall", done);
    let done = keys::audit(files, &accounts, sshd.flatten().as_ref(), profile, report);
    report.known("keys that log in", done);
    let done = upgrades::audit(files, report);
    report.known("updates", done);
}

fn about(files: &dyn Files, report: &mut Report) -> Result<(), FilesError> {
    if let Some(name) = files::text(files, "/etc/hostname")? {
        report.about("computer", name.trim());
    }
    let release = match files::text(files, "/etc/os-release")? {
        Some(release) => Some(release),
        None => files::text(files, "/usr/lib/os-release")?,
    };
    let name =
        release.as_ref().and_then(|text| text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")));
    if let Some(name) = name {
        report.about("product", name.trim_matches('"'));
    }
    Ok(())
}

/// Lines with their numbers from 1, without comments and blanks; a line that ends with a backslash goes on in the next.
fn lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (number, line) in text.lines().enumerate() {
        let (content, next) = line.strip_suffix('\\').map_or((line, false), |line| (line, true));
        match lines.last_mut().filter(|_| goes_on) {
            Some((_, whole)) => whole.push_str(content),
            None => lines.push((number + 1, content.trim_start().to_owned())),
        }
        goes_on = next;
    }
    lines.retain(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    lines
}

#[cfg(test)]
mod tests;

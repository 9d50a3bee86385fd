//! Whether security updates are installed without anybody doing it: by apt or by dnf.

use super::lines;
use crate::{Files, FilesError, Report, checks, files, finding::Said};

const APT: &str = "/etc/apt/apt.conf.d";
const DNF: &str = "/etc/dnf/automatic.conf";

pub(super) fn audit(files: &dyn Files, report: &mut Report) -> Result<(), FilesError> {
    if files.meta("/etc/apt")?.is_some() {
        return apt(files, report);
    }
    if files.meta("/etc/dnf")?.is_some() {
        let text = files::text(files, DNF)?.unwrap_or_default();
        let applies = lines(&text)
            .iter()
            .any(|(_, line)| line.replace(' ', "").eq_ignore_ascii_case("apply_updates=yes"));
        if !applies {
            say(report, DNF, "apply_updates is not yes");
        }
    }
    Ok(())
}

fn apt(files: &dyn Files, report: &mut Report) -> Result<(), FilesError> {
    if files.meta("/usr/bin/unattended-upgrade")?.is_none() {
        say(report, "/usr/bin/unattended-upgrade", "unattended-upgrades is not installed");
        return Ok(());
    }
    for name in ["Update-Package-Lists", "Unattended-Upgrade"] {
        let (value, path) = period(files, name)?;
        if matches!(value.as_str(), "" | "0") {
            say(
                report,
                &path,
                &format!("APT::Periodic::{name} is {}", if value.is_empty() { "not set" } else { "0" }),
            );
        }
    }
    Ok(())
}

/// The last value of a period, which wins, and its place.
fn period(files: &dyn Files, name: &str) -> Result<(String, String), FilesError> {
    let wanted = format!("APT::Periodic::{name}");
    let mut found = (String::new(), APT.to_owned());
    for file in files::sorted(files, APT)? {
        let path = format!("{APT}/{file}");
        let Some(text) = files::text(files, &path)? else { continue };
        for (number, line) in lines(&text) {
            let own = line.get(..wanted.len()).filter(|own| own.eq_ignore_ascii_case(&wanted));
            if own.is_some() {
                let value = line[wanted.len()..].trim().trim_end_matches(';').trim_matches('"').to_owned();
                found = (value, format!("{path}:{number}"));
            }
        }
    }
    Ok(found)
}

fn say(report: &mut Report, path: &str, why: &str) {
    report.say(
        &checks::UPGRADES,
        Said {
            subject: None,
            message: format!("security updates are not installed by themselves: {why}"),
            path: path.to_owned(),
            value: why.to_owned(),
            wanted: "every day".to_owned(),
        },
    );
}

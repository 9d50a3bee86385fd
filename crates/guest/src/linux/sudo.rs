//! sudo: who becomes root without being asked for a password.

use palisade_analysis::findings::Severity;

use super::lines;
use crate::{Files, FilesError, Report, checks, files, finding::Said};

const SUDOERS: &str = "/etc/sudoers";
/// How deep files may include each other; sudo has the same limit.
const DEPTH_MAX: usize = 128;
const FILES_MAX: usize = 1_000;

pub(super) fn audit(files: &dyn Files, report: &mut Report) -> Result<(), FilesError> {
    let mut read = 0;
    file(files, SUDOERS, report, 0, &mut read)
}

fn file(
    files: &dyn Files,
    path: &str,
    report: &mut Report,
    depth: usize,
    read: &mut usize,
) -> Result<(), FilesError> {
    *read += 1;
    if depth > DEPTH_MAX || *read > FILES_MAX {
        return Err(FilesError::new(path, "sudoers include each other too often"));
    }
    let Some(text) = files::text(files, path)? else { return Ok(()) };
    // `#include` is no comment.
    let text = text.replace("#include", "@include");
    for (number, line) in lines(&text) {
        if let Some(folder) = line.strip_prefix("@includedir") {
            let folder = in_etc(folder);
            for name in files::sorted(files, &folder)? {
                // sudo passes over what editors and packages leave there.
                if !name.ends_with('~') && !name.contains('.') {
                    file(files, &format!("{folder}/{name}"), report, depth + 1, read)?;
                }
            }
        } else if let Some(name) = line.strip_prefix("@include") {
            file(files, &in_etc(name), report, depth + 1, read)?;
        } else {
            judge(&line, &format!("{path}:{number}"), report);
        }
    }
    Ok(())
}

/// A path of an include, relative to the folder of sudoers.
fn in_etc(path: &str) -> String {
    let path = path.trim().trim_matches('"').trim_end_matches('/');
    if path.starts_with('/') { path.to_owned() } else { format!("/etc/{path}") }
}

fn judge(line: &str, place: &str, report: &mut Report) {
    let mut say = |severity, subject: &str, message: String| {
        report.say_as(
            &checks::SUDO_NOPASSWD,
            severity,
            Said {
                subject: Some(subject),
                message,
                path: place.to_owned(),
                value: line.to_owned(),
                wanted: "a password is asked for".to_owned(),
            },
        );
    };
    let who = line.split_whitespace().next().unwrap_or_default();
    if who.starts_with("Defaults") {
        if line.contains("!authenticate") {
            say(checks::SUDO_NOPASSWD.severity, who, format!("sudo does not ask for a password ({who})"));
        }
        return;
    }
    let Some((_, commands)) = line.split_once("NOPASSWD:") else { return };
    if who.ends_with("_Alias") {
        return;
    }
    let is_all = commands.split(',').any(|command| command.trim() == "ALL");
    if is_all {
        say(checks::SUDO_NOPASSWD.severity, who, format!("{who} becomes root without a password"));
    } else {
        say(Severity::Note, who, format!("{who} runs some commands as root without a password"));
    }
}

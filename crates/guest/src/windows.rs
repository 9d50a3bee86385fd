//! Windows, by its hives: accounts and their policy (SAM), remote desktop, authentication and firewall (SYSTEM), and the policies of a domain
//! or of the machine that override them (SOFTWARE).
//!
//! A hive that is missing or damaged is told as unknown and never taken for a good or a bad setting. It must not read the value `V` of an
//! account, which holds what its password was made into.

mod firewall;
pub(crate) mod sam;
mod settings;
mod system;

use crate::{
    Files, FilesError, Profile, Report,
    files::find_ignoring_case,
    registry::{Condition, HIVE_MAX, Hive, HiveError},
};
use settings::Settings;

/// Where hives are.
pub const HIVES: &str = "/Windows/System32/config";
/// Where event logs are.
const EVENT_LOGS: &str = "/Windows/System32/winevt/Logs";
/// Endings of a hive's transaction logs; the last is that of old systems.
pub const LOG_ENDINGS: [&str; 3] = [".LOG1", ".LOG2", ".LOG"];

/// Which of the machine's hives one is, by what is in it: `SAM`, `SYSTEM` or `SOFTWARE`; another one is none of them.
///
/// # Errors
/// [`HiveError`] if it cannot be read.
pub fn name_of(hive: &Hive) -> Result<Option<&'static str>, HiveError> {
    for (name, key) in [("SAM", r"SAM\Domains"), ("SYSTEM", "Select"), ("SOFTWARE", r"Microsoft\Windows NT")]
    {
        if hive.key(key)?.is_some() {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// The paths of the event logs of a machine, in the order of their names.
///
/// # Errors
/// [`FilesError`] if their folder cannot be read.
pub fn event_logs(files: &dyn Files) -> Result<Vec<String>, FilesError> {
    let Some(folder) = find_ignoring_case(files, EVENT_LOGS)? else { return Ok(Vec::new()) };
    let mut names = files.names(&folder)?;
    names.retain(|name| name.to_ascii_lowercase().ends_with(".evtx"));
    names.sort();
    Ok(names.into_iter().map(|name| format!("{folder}/{name}")).collect())
}

/// Whether the files are those of Windows.
pub(crate) fn is_one(files: &dyn Files) -> bool {
    matches!(find_ignoring_case(files, HIVES), Ok(Some(_)))
}

pub(crate) fn audit(files: &dyn Files, profile: &Profile, report: &mut Report) {
    report.about("system", "Windows");
    let [sam, system, software] = ["SAM", "SYSTEM", "SOFTWARE"].map(|name| hive(files, name, report));
    if let Some(sam) = &sam {
        let done = sam::audit(sam, profile, report);
        report.known("accounts and their policy (SAM)", done);
    }
    report.is_read = sam.is_some() || system.is_some() || software.is_some();
    let Some(system) = &system else { return };
    if software.is_none() {
        report.unknown(
            "policies that override settings of remote desktop, the firewall and LAPS",
            "the hive SOFTWARE was not read; what follows from SYSTEM is told as if there were none",
        );
    }
    if let Some(settings) = report.known("settings (SYSTEM)", Settings::new(system, software.as_ref())) {
        let done = system::audit(&settings, report);
        report.known("settings (SYSTEM)", done);
        let done = firewall::audit(&settings, report);
        report.known("the firewall (SYSTEM)", done);
    }
}

/// A file by names without regard to case.
fn bytes(files: &dyn Files, path: &str) -> Result<Option<Vec<u8>>, FilesError> {
    match find_ignoring_case(files, path)? {
        Some(path) => files.read(&path, HIVE_MAX),
        None => Ok(None),
    }
}

/// Reads a hive with its logs; `None` if there is none.
pub(crate) fn hive_at(files: &dyn Files, path: &str) -> Result<Option<Hive>, String> {
    let Some(primary) = bytes(files, path).map_err(|error| error.to_string())? else { return Ok(None) };
    let logs = LOG_ENDINGS.iter().filter_map(|ending| bytes(files, &format!("{path}{ending}")).transpose());
    let logs = logs.collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
    Hive::read(primary, &logs).map(Some).map_err(|error| error.to_string())
}

/// Reads a hive with its logs, and tells how it was.
fn hive(files: &dyn Files, name: &str, report: &mut Report) -> Option<Hive> {
    let what = format!("the hive {name}");
    let bytes = |path: &str| bytes(files, path);
    let path = format!("{HIVES}/{name}");
    let Some(primary) = report.known(&what, bytes(&path))? else {
        report.unknown(&what, "it is not there");
        return None;
    };
    let logs = LOG_ENDINGS.map(|ending| report.known(&what, bytes(&format!("{path}{ending}"))).flatten());
    let logs: Vec<Vec<u8>> = logs.into_iter().flatten().collect();
    let hive = report.known(&what, Hive::read(primary, &logs))?;
    match hive.condition() {
        Condition::Clean => report.about("hive", format!("{name}, written to its end")),
        Condition::Replayed { entries } => {
            report.about("hive", format!("{name}, with {entries} entries of its transaction logs"));
        }
        Condition::Dirty => {
            report.about("hive", format!("{name}, not written to its end"));
            report.unknown(
                format!("the newest changes of {name}"),
                "it was not written to its end, and no transaction log beside it continues it (LOG1, LOG2)",
            );
        }
    }
    Some(hive)
}

#[cfg(test)]
mod tests;

//! Findings that somebody accepted, for a reason and for a time.
//!
//! Both are required, and an end is at most years away by nature of a date: what was accepted once is looked at again. A
//! suppression that has ended suppresses nothing and is a finding itself, and so is one that fits nothing.

use std::{
    cell::Cell,
    fs,
    path::{Path, PathBuf},
};

use palisade_analysis::findings::{Check, Finding, Severity, Subject};
use palisade_model::{Place, ResourceId, calendar};
use serde::Deserialize;

use crate::exit::Failure;

static EXPIRED: Check = Check {
    id: "PAL-SUPPRESSION-EXPIRED",
    title: "A suppression has ended",
    severity: Severity::Warning,
    remedy: "Remove the cause of the finding, or accept it anew with a reason and an end.",
    aliases: &[],
};
static UNUSED: Check = Check {
    id: "PAL-SUPPRESSION-UNUSED",
    title: "A suppression fits no finding",
    severity: Severity::Note,
    remedy: "Remove the suppression, or correct what it names.",
    aliases: &[],
};
/// The checks of suppressions themselves.
pub static CHECKS: [&Check; 2] = [&EXPIRED, &UNUSED];

/// Who reads a finding as accepted is told why, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The reason.
    pub reason: String,
    /// The end, as it was written.
    pub until: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    suppressions: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    resource: String,
    rule: Option<String>,
    reason: String,
    until: String,
}

/// An entry that was checked.
#[derive(Debug)]
struct Suppression {
    entry: Entry,
    /// The first second at which it does not hold.
    ends: u32,
    place: Place,
    is_used: Cell<bool>,
}

/// All suppressions.
#[derive(Debug, Default)]
pub struct Suppressions(Vec<Suppression>);

impl Suppressions {
    /// Reads files.
    pub fn read(paths: &[PathBuf]) -> Result<Self, Failure> {
        let mut all = Vec::new();
        for path in paths {
            all.extend(
                read(path).map_err(|message| Failure::input(format!("{}: {message}", path.display())))?,
            );
        }
        Ok(Self(all))
    }

    /// Whether a finding is accepted at `now`: by its NSG, inbound NAT rule or subnet, or by every interface that it is about.
    pub fn accept(&self, finding: &Finding, now: u32) -> Option<Accepted> {
        let fits: Vec<&Suppression> = self.0.iter().filter(|one| one.is_about(finding)).collect();
        fits.iter().for_each(|one| one.is_used.set(true));
        let holds = || fits.iter().filter(|one| now < one.ends);
        let Subject { nsg, endpoint, subnet, nics, .. } = &finding.subject;
        let whole = holds().find(|one| nsg.iter().chain(endpoint).chain(subnet).any(|id| one.names(id)));
        let each = nics.iter().map(|nic| holds().find(|one| one.names(nic))).collect::<Option<Vec<_>>>();
        let one = whole.or_else(|| each.as_ref().and_then(|each| each.first().copied()))?;
        Some(Accepted { reason: one.entry.reason.clone(), until: one.entry.until.clone() })
    }

    /// What there is to say about suppressions themselves.
    pub fn findings<'f>(
        &self,
        findings: &(impl Iterator<Item = &'f Finding> + Clone),
        now: u32,
    ) -> Vec<(Finding, Place)> {
        let about = |one: &Suppression| {
            let what = format!("{} of {}", one.entry.id, one.entry.resource);
            let (check, message) = match (now < one.ends, one.is_used.get()) {
                (false, _) if findings.clone().any(|finding| one.is_about(finding)) => {
                    (&EXPIRED, format!("the suppression of {what} ended on {}", one.entry.until))
                }
                (true, true) => return None,
                _ => (&UNUSED, format!("the suppression of {what} fits no finding")),
            };
            let (severity, subject, region) = (check.severity, Subject::default(), Vec::new());
            let finding =
                Finding { check, severity, subject, message, region, witness: None, covered_by: Vec::new() };
            Some((finding, one.place.clone()))
        };
        self.0.iter().filter_map(about).collect()
    }
}

impl Suppression {
    /// Whether it names a finding and something that the finding is about, whether it holds or not.
    fn is_about(&self, finding: &Finding) -> bool {
        let Subject { nsg, endpoint, subnet, nics, rule, .. } = &finding.subject;
        let is_rule = |wanted: &String| {
            let own =
                |path: &String| path.rsplit('/').next().is_some_and(|name| name.eq_ignore_ascii_case(wanted));
            rule.as_ref().is_some_and(|path| path.eq_ignore_ascii_case(wanted) || own(path))
        };
        finding.check.id.eq_ignore_ascii_case(&self.entry.id)
            && nsg.iter().chain(endpoint).chain(subnet).chain(nics).any(|id| self.names(id))
            && self.entry.rule.as_ref().is_none_or(is_rule)
    }

    fn names(&self, id: &ResourceId) -> bool {
        let wanted = &self.entry.resource;
        id.name().eq_ignore_ascii_case(wanted) || id.as_str().eq_ignore_ascii_case(wanted)
    }
}

fn read(path: &Path) -> Result<Vec<Suppression>, String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let file: File =
        serde_json::from_str(&text).map_err(|error| format!("not a suppression file: {error}"))?;
    let file_name: std::sync::Arc<str> = path.display().to_string().into();
    let mut entries = Vec::with_capacity(file.suppressions.len());
    for (number, entry) in file.suppressions.into_iter().enumerate() {
        let pointer = format!("/suppressions/{number}");
        let line = line_of(&text, number);
        let ends = checked(&entry).map_err(|message| format!("{pointer}: {message}"))?;
        let place = Place { file: file_name.clone(), line, pointer };
        entries.push(Suppression { entry, ends, place, is_used: Cell::new(false) });
    }
    Ok(entries)
}

/// When an entry ends.
fn checked(entry: &Entry) -> Result<u32, String> {
    if entry.reason.trim().is_empty() {
        return Err("\"reason\" is blank (say why the finding is accepted)".to_owned());
    }
    if !super::select::all().any(|check| check.id.eq_ignore_ascii_case(&entry.id)) {
        return Err(format!("there is no finding \"{}\" (docs/check.md lists them)", entry.id));
    }
    calendar::end(&entry.until).ok_or_else(|| {
        format!("\"until\" is \"{}\" (write 2027-01-31, the last day that it holds)", entry.until)
    })
}

/// The line of the entry of a number: that of its `"id"`.
fn line_of(text: &str, number: usize) -> u32 {
    let mut ids = text.lines().enumerate().filter(|(_, line)| line.contains("\"id\""));
    ids.nth(number).map_or(0, |(line, _)| u32::try_from(line + 1).unwrap_or(0))
}

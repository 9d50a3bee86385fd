//! The guest audit of disks that are sealed, and of those that a revert is going to boot.
//!
//! A revert must not be stuck at what its sealed state has had all along, nor at a check that is newer than the state: the sealed base is audited in the
//! same moment by the same checks, and only what the new disks have beyond it is a reason to refuse. Disks without a system that is read are not
//! audited, which is said and is no reason either. Profiles with findings that are accepted are not asked: nobody accepts beforehand that a guest comes back worse.

use std::{collections::BTreeMap, path::PathBuf};

use palisade_analysis::findings::Severity;
use palisade_guest::{Finding, Profile, Report, audit, disk};
use palisade_recovery::{
    image::{Format, Image, Place},
    revert::{Audit, HandError, Plan},
    state::Store,
};
use serde::{Deserialize, Serialize};

use crate::commands::guest::{disk as image, document};

/// Name of the report beside the evidence of a revert.
const REPORT: &str = "audit.json";
/// Findings that a refusal names.
const NAMED_MAX: usize = 5;

/// Which findings, beyond those of the sealed state, refuse to boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum FailsOn {
    /// Errors.
    #[default]
    Error,
    /// Errors and warnings.
    Warning,
    /// None.
    None,
}

impl FailsOn {
    const fn least(self) -> Option<Severity> {
        match self {
            Self::Error => Some(Severity::Error),
            Self::Warning => Some(Severity::Warning),
            Self::None => None,
        }
    }
}

/// Audits the system on the first of several disks that has one; why none could be, in words.
pub fn of_disks(places: &[Place]) -> Result<Report, String> {
    let mut why = "there are no disks".to_owned();
    for place in places {
        match image::image(place).and_then(|disk| disk::open(&disk).map_err(|error| error.to_string())) {
            Ok(files) => return Ok(audit(files.as_ref(), &Profile::default())),
            Err(error) => why = format!("{}: {error}", place.path.display()),
        }
    }
    Err(why)
}

/// A report as it is kept.
pub fn kept(report: &Report) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(&document::document(report)).expect("a report is plain data");
    bytes.push(b'\n');
    bytes
}

/// How much of everything a report has, in words.
pub fn counts(report: &Report) -> String {
    let summary = document::summary(report);
    let parts = ["errors", "warnings", "notes", "unknown"].map(|part| format!("{} {part}", summary[part]));
    parts.join(", ")
}

/// Judges the new disks of a revert.
pub struct GuestAudit<'s> {
    /// Where the report goes.
    pub store: &'s Store,
    /// What is refused.
    pub fails_on: FailsOn,
}

impl Audit for GuestAudit<'_> {
    fn audit(&mut self, plan: &Plan, disks: &[PathBuf]) -> Result<String, HandError> {
        let new: Vec<Place> = disks.iter().map(|disk| Place::new(disk, Format::Qcow2)).collect();
        let sealed = of_disks(&bases(&new)?);
        let report = match (of_disks(&new), &sealed) {
            (Ok(report), _) => report,
            (Err(why), Err(_)) => return Ok(format!("not audited: {why}")),
            (Err(why), Ok(_)) if self.fails_on == FailsOn::None => return Ok(format!("not audited: {why}")),
            (Err(why), Ok(_)) => {
                return Err(format!("the sealed state can be audited and the new disks cannot: {why}").into());
            }
        };
        let path = self.store.evidence_folder(&plan.id).join(REPORT);
        std::fs::write(&path, kept(&report)).map_err(|error| format!("{}: {error}", path.display()))?;
        let worse = worse(&report, sealed.as_ref().ok(), self.fails_on.least());
        if worse.is_empty() {
            return Ok(format!(
                "{}, as {REPORT}; nothing is worse than in the sealed state",
                counts(&report)
            ));
        }
        if self.fails_on == FailsOn::None {
            return Ok(format!(
                "{}, as {REPORT}; {} worse than in the sealed state",
                counts(&report),
                worse.len()
            ));
        }
        let named: Vec<&str> = worse.iter().take(NAMED_MAX).map(|finding| finding.message.as_str()).collect();
        Err(format!(
            "{} findings that the sealed state has not: {} (see {}; change the settings, or go on with --audit-fails-on none)",
            worse.len(),
            named.join("; "),
            path.display()
        )
        .into())
    }
}

/// What the new disks stand on.
fn bases(new: &[Place]) -> Result<Vec<Place>, HandError> {
    let base = |place: &Place| {
        let image = Image::open(place)?;
        let below = image.layers.get(1).map(|layer| Place::new(&layer.path, layer.format));
        below.ok_or_else(|| HandError::from(format!("{} stands on nothing", place.path.display())))
    };
    new.iter().map(base).collect()
}

/// Findings that the sealed state has not, or has as something less bad; all of them if the least severity is not given.
fn worse<'r>(report: &'r Report, sealed: Option<&Report>, least: Option<Severity>) -> Vec<&'r Finding> {
    let about = |finding: &Finding| (finding.check.id, finding.subject.clone());
    let mut known: BTreeMap<_, Severity> = BTreeMap::new();
    for finding in sealed.map(|sealed| sealed.findings.as_slice()).unwrap_or_default() {
        let had = known.entry(about(finding)).or_insert(finding.severity);
        *had = finding.severity.max(*had);
    }
    let is_worse = |finding: &&Finding| known.get(&about(finding)).is_none_or(|had| finding.severity > *had);
    let is_bad = |finding: &&Finding| least.is_none_or(|least| finding.severity >= least);
    report.findings.iter().filter(is_worse).filter(is_bad).collect()
}

#[cfg(test)]
mod tests {
    use palisade_guest::MemoryFiles;

    use super::*;

    fn report(shadow: &str, tries: &str) -> Report {
        let files: MemoryFiles = [
            ("/etc/passwd", "root:x:0:0::/root:/bin/sh\n"),
            ("/etc/shadow", shadow),
            ("/etc/ssh/sshd_config", tries),
        ]
        .into_iter()
        .collect();
        audit(&files, &Profile::default())
    }

    #[test]
    fn only_what_the_sealed_state_has_not_is_worse() {
        let root = "PermitRootLogin yes\n";
        let (sealed, same) = (report("root:!:1\n", root), report("root:!:1\n", root));
        let error = FailsOn::Error.least();
        assert!(worse(&sealed, None, error).iter().any(|finding| finding.check.id == "PAL-GUEST-SSH-ROOT"));
        assert_eq!(worse(&same, Some(&sealed), None), Vec::<&Finding>::new());
        let open = report("root::1\n", "PermitRootLogin yes\nPermitUserEnvironment yes\n");
        let ids = |least| -> Vec<&str> {
            worse(&open, Some(&sealed), least).iter().map(|finding| finding.check.id).collect()
        };
        assert_eq!(ids(error), ["PAL-GUEST-PASSWORD-EMPTY"]);
        assert_eq!(ids(FailsOn::Warning.least()), ["PAL-GUEST-PASSWORD-EMPTY", "PAL-GUEST-SSH-ENVIRONMENT"]);
    }

    #[test]
    fn what_somebody_accepts_is_worse_nevertheless() {
        let profile: Profile =
            serde_json::from_str(r#"{"accepted": [{"id": "PAL-GUEST-*", "reason": "a lab"}]}"#).unwrap();
        let (mut sealed, mut open) = (report("root:!:1\n", ""), report("root::1\n", ""));
        for report in [&mut sealed, &mut open] {
            report.accept(&profile.accepted, 0);
        }
        assert!(open.findings.iter().all(|finding| !finding.is_open()));
        let worse = worse(&open, Some(&sealed), FailsOn::Error.least());
        assert_eq!(
            worse.iter().map(|finding| finding.check.id).collect::<Vec<_>>(),
            ["PAL-GUEST-PASSWORD-EMPTY"]
        );
    }
}

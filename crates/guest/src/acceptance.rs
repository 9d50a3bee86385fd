//! Findings that somebody accepted: which they are, why, until when, and who did.
//!
//! An acceptance marks findings and takes none away, and [`crate::audit`] does not look at any: whoever compares what was found, as a revert does with its sealed
//! state, compares all of it. One that has ended marks a finding as such and holds no more. It must not know what time it is.

use palisade_model::calendar;

use crate::{Finding, Report, checks, pattern::matches_name};

/// Why what a profile says of accepted findings cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AcceptanceError {
    /// Nobody would know later why.
    #[error("the acceptance of \"{id}\" has a blank \"reason\" (say why the finding is accepted)")]
    NoReason {
        /// What it names.
        id: String,
    },
    /// The end is no day and no moment.
    #[error(
        "the acceptance of \"{id}\" has \"until\": \"{until}\" (write 2027-01-31, the last day that it holds)"
    )]
    Until {
        /// What it names.
        id: String,
        /// What was written.
        until: String,
    },
}

/// An acceptance, as a profile has it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "Entry")]
pub struct Acceptance {
    entry: Entry,
    /// The first second at which it does not hold; none if it has no end.
    ends: Option<u32>,
}

/// What is written; patterns may have `*`, `?` and `[a-z]`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    path: Option<String>,
    subject: Option<String>,
    reason: String,
    until: Option<String>,
    by: Option<String>,
}

/// What a finding says of its acceptance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Why.
    pub reason: String,
    /// The end, as it was written.
    pub until: Option<String>,
    /// Who accepted it.
    pub by: Option<String>,
    /// Whether it holds; else it has ended.
    pub holds: bool,
}

impl TryFrom<Entry> for Acceptance {
    type Error = AcceptanceError;

    fn try_from(entry: Entry) -> Result<Self, AcceptanceError> {
        if entry.reason.trim().is_empty() {
            return Err(AcceptanceError::NoReason { id: entry.id });
        }
        let ends = match &entry.until {
            None => None,
            Some(until) => Some(
                calendar::end(until)
                    .ok_or_else(|| AcceptanceError::Until { id: entry.id.clone(), until: until.clone() })?,
            ),
        };
        Ok(Self { entry, ends })
    }
}

impl std::fmt::Display for Acceptance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Entry { id, path, subject, .. } = &self.entry;
        write!(f, "the acceptance of {id}")?;
        subject.iter().try_for_each(|subject| write!(f, " of {subject}"))?;
        path.iter().try_for_each(|path| write!(f, " at {path}"))
    }
}

impl Acceptance {
    /// The id of a check, or a pattern of ids, as it was written.
    pub fn id(&self) -> &str {
        &self.entry.id
    }

    /// Whether there is a check that it names.
    pub fn names_any(&self) -> bool {
        checks::all().any(|check| self.names(check.id))
    }

    fn names(&self, id: &str) -> bool {
        matches_name(id, &self.entry.id.to_uppercase())
    }

    /// Whether it is about a finding, whether it holds or not. A place is named with its line or without.
    fn is_about(&self, finding: &Finding) -> bool {
        let Entry { path, subject, .. } = &self.entry;
        let is_place = |path: &String| {
            let evidence = &finding.evidence;
            matches_name(&evidence.path, path) || matches_name(evidence.file(), path)
        };
        let is_subject =
            |wanted: &String| finding.subject.as_ref().is_some_and(|own| matches_name(own, wanted));
        self.names(finding.check.id)
            && path.as_ref().is_none_or(is_place)
            && subject.as_ref().is_none_or(is_subject)
    }

    fn said(&self, now_s: u32) -> Accepted {
        let Entry { reason, until, by, .. } = self.entry.clone();
        Accepted { reason, until, by, holds: self.ends.is_none_or(|ends| now_s < ends) }
    }
}

impl Report {
    /// Marks findings that are accepted at `now_s`, and keeps the acceptances that are about none in [`Report::unused`]. Of several that are about a finding the
    /// first that holds is told, else the first.
    pub fn accept(&mut self, acceptances: &[Acceptance], now_s: u32) {
        for finding in &mut self.findings {
            let fits = || acceptances.iter().filter(|one| one.is_about(finding)).map(|one| one.said(now_s));
            finding.accepted = fits().find(|one| one.holds).or_else(|| fits().next());
        }
        let is_unused = |one: &&Acceptance| !self.findings.iter().any(|finding| one.is_about(finding));
        self.unused = acceptances.iter().filter(is_unused).cloned().collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemoryFiles, Profile, audit};

    /// 2027-01-31T00:00:00Z.
    const DAY: u32 = 1_801_353_600;

    fn report() -> Report {
        let files: MemoryFiles = [
            ("/etc/passwd", "root:x:0:0::/root:/bin/sh\n"),
            ("/etc/ssh/sshd_config", "PermitRootLogin yes\nMaxAuthTries 9\nUsePAM yes\n"),
            ("/etc/sudoers", "alice ALL=NOPASSWD: ALL\nbob ALL=NOPASSWD: ALL\n"),
        ]
        .into_iter()
        .collect();
        audit(&files, &Profile::default())
    }

    fn acceptance(id: &str, [path, subject, until]: [Option<&str>; 3]) -> Acceptance {
        let own = |text: Option<&str>| text.map(str::to_owned);
        let (path, subject, until) = (own(path), own(subject), own(until));
        let entry = Entry { id: id.to_owned(), path, subject, reason: "why".to_owned(), until, by: None };
        Acceptance::try_from(entry).expect("it is sound")
    }

    /// What is accepted at a time: a letter for those that hold, one for those that have ended.
    fn accepted(acceptances: &[Acceptance], now_s: u32) -> Vec<String> {
        let mut report = report();
        report.accept(acceptances, now_s);
        let unused = report.unused.iter().map(ToString::to_string);
        let told = report.findings.iter().filter_map(|finding| {
            let is = if finding.accepted.as_ref()?.holds { "holds" } else { "ended" };
            Some(format!("{} {is}", finding.evidence.path))
        });
        told.chain(unused).collect()
    }

    #[test]
    fn checks_places_and_subjects() {
        let sshd = |line: u32| format!("/etc/ssh/sshd_config:{line} holds");
        let sudo = |line: u32| format!("/etc/sudoers:{line} holds");
        let id = "PAL-GUEST-SSH-ROOT";
        for (id, path, subject, expected) in [
            (id, None, None, vec![sshd(1)]),
            ("pal-guest-ssh-root", Some("/etc/ssh/sshd_config"), None, vec![sshd(1)]),
            ("PAL-GUEST-SSH-[RT]*", Some("/etc/ssh/*:?"), None, vec![sshd(1), sshd(2)]),
            ("PAL-GUEST-SUDO-NOPASSWD", None, Some("b*"), vec![sudo(2)]),
            ("PAL-GUEST-SUDO-NOPASSWD", Some("/etc/sudoers:1"), None, vec![sudo(1)]),
            (id, Some("/etc/ssh"), None, vec!["the acceptance of PAL-GUEST-SSH-ROOT at /etc/ssh".to_owned()]),
            (id, None, Some("x"), vec!["the acceptance of PAL-GUEST-SSH-ROOT of x".to_owned()]),
        ] {
            assert_eq!(accepted(&[acceptance(id, [path, subject, None])], 0), expected, "{id} {path:?}");
        }
        assert!(acceptance("PAL-*-ROOT", [None; 3]).names_any());
        assert!(!acceptance("PAL-GUEST-SSH", [None; 3]).names_any(), "a beginning is no id");
    }

    #[test]
    fn one_that_has_ended_holds_no_more() {
        let until = |until| acceptance("PAL-GUEST-SSH-ROOT", [None, None, Some(until)]);
        let place = |is: &str| [format!("/etc/ssh/sshd_config:1 {is}")];
        assert_eq!(accepted(&[until("2027-01-31")], DAY + 86_399), place("holds"));
        assert_eq!(accepted(&[until("2027-01-31")], DAY + 86_400), place("ended"));
        assert_eq!(accepted(&[until("2027-01-31T08:00Z")], DAY + 8 * 3_600), place("ended"));
        assert_eq!(accepted(&[until("2027-01-30"), until("2027-01-31")], DAY), place("holds"));
    }

    #[test]
    fn without_a_reason_or_with_an_end_that_is_none_it_is_refused() {
        let entry = |reason: &str, until: Option<&str>| Entry {
            id: "X".to_owned(),
            path: None,
            subject: None,
            reason: reason.to_owned(),
            until: until.map(str::to_owned),
            by: None,
        };
        assert_eq!(
            Acceptance::try_from(entry(" ", None)),
            Err(AcceptanceError::NoReason { id: "X".to_owned() })
        );
        for until in ["", "2027-02-30", "tomorrow", "31.01.2027", "9999-01-01"] {
            assert!(Acceptance::try_from(entry("why", Some(until))).is_err(), "{until}");
        }
    }
}

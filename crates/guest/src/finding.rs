//! What was found in a machine, and what could not be told.

use palisade_analysis::findings::{Check, Severity};

use crate::{Acceptance, Accepted};

/// Longest text out of a machine that is told, in characters.
const TOLD_MAX: usize = 200;

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked for; its aliases are the rules of CIS and STIG about the same.
    pub check: &'static Check,
    /// How much it matters here.
    pub severity: Severity,
    /// What it is about where there may be several: an account, a rule, a profile.
    pub subject: Option<String>,
    /// The claim in words.
    pub message: String,
    /// Where it stands: a path in the machine with a line, or a registry key.
    pub evidence: Evidence,
    /// What should stand there.
    pub wanted: String,
    /// What was said of accepting it; see [`Report::accept`].
    pub accepted: Option<Accepted>,
}

impl Finding {
    /// Whether nobody accepts it now.
    pub fn is_open(&self) -> bool {
        self.accepted.as_ref().is_none_or(|accepted| !accepted.holds)
    }
}

/// Where something stands, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// A file with a line behind a colon, or a hive with a key and a value behind a backslash.
    pub path: String,
    /// What stands there; never a password or what was made of one.
    pub value: String,
}

impl Evidence {
    /// The path without the line behind it.
    pub fn file(&self) -> &str {
        let is_line = |line: &str| line.bytes().all(|byte| byte.is_ascii_digit());
        self.path.rsplit_once(':').filter(|(_, line)| is_line(line)).map_or(&self.path, |(file, _)| file)
    }
}

/// Something that could not be told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unknown {
    /// What.
    pub what: String,
    /// Why not.
    pub reason: String,
}

/// Everything that is told of a machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// What it is: its name, its system, what was read.
    pub about: Vec<(&'static str, String)>,
    /// Findings, the worst first, then by id, subject and place.
    pub findings: Vec<Finding>,
    /// What could not be told.
    pub unknown: Vec<Unknown>,
    /// Acceptances that are about no finding; see [`Report::accept`].
    pub unused: Vec<Acceptance>,
    /// Whether anything of the machine could be read; if not, that there are no findings means nothing.
    pub is_read: bool,
}

/// What a finding says beside its check.
pub(crate) struct Said<'s> {
    pub(crate) subject: Option<&'s str>,
    pub(crate) message: String,
    pub(crate) path: String,
    pub(crate) value: String,
    pub(crate) wanted: String,
}

impl Report {
    pub(crate) fn say(&mut self, check: &'static Check, said: Said<'_>) {
        self.say_as(check, check.severity, said);
    }

    pub(crate) fn say_as(&mut self, check: &'static Check, severity: Severity, said: Said<'_>) {
        self.findings.push(Finding {
            check,
            severity,
            subject: said.subject.map(plain),
            message: plain(&said.message),
            evidence: Evidence { path: plain(&said.path), value: plain(&said.value) },
            wanted: said.wanted,
            accepted: None,
        });
    }

    pub(crate) fn unknown(&mut self, what: impl Into<String>, reason: impl Into<String>) {
        self.unknown.push(Unknown { what: plain(&what.into()), reason: plain(&reason.into()) });
    }

    pub(crate) fn about(&mut self, name: &'static str, value: impl AsRef<str>) {
        self.about.push((name, plain(value.as_ref())));
    }

    /// What a reading gave, or nothing and a note of why.
    pub(crate) fn known<T, E: ToString>(&mut self, what: &str, read: Result<T, E>) -> Option<T> {
        read.map_err(|error| self.unknown(what, error.to_string())).ok()
    }

    pub(crate) fn finish(mut self) -> Self {
        self.findings.sort_by(|one, other| order(one).cmp(&order(other)));
        self.unknown.sort();
        self.unknown.dedup();
        self
    }
}

/// The worst first, then by id, subject and place.
fn order(finding: &Finding) -> impl Ord + '_ {
    let severity = std::cmp::Reverse(finding.severity);
    (severity, finding.check.id, &finding.subject, &finding.evidence.path, &finding.message)
}

/// Text of a machine as it may be printed: no control characters, which terminals obey, and not without end.
pub(crate) fn plain(text: &str) -> String {
    let mut plain: String = text
        .chars()
        .take(TOLD_MAX)
        .map(|character| if character.is_control() { '\u{fffd}' } else { character })
        .collect();
    if text.chars().nth(TOLD_MAX).is_some() {
        plain.push_str("...");
    }
    plain
}

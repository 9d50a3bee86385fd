//! One thing that is wrong, where, and what to do about it. A problem without a remedy is half a message.

use std::fmt;

/// A finding of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// A crate, or a file with a line.
    pub(crate) place: String,
    /// What is wrong, with the value.
    pub(crate) what: String,
    /// What the reader can do.
    pub(crate) remedy: String,
}

impl Problem {
    /// A problem of a crate or of a whole file.
    pub(crate) fn new(place: impl Into<String>, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into(), remedy: remedy.into() }
    }

    /// A problem in one line of a file; lines count from 1, as editors do.
    pub(crate) fn at(path: &str, line: usize, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(format!("{path}:{line}"), what, remedy)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.place, self.what, self.remedy)
    }
}

//! What is wrong with an input before the model looks at it: it cannot be read, recognised or evaluated.
//!
//! Problems are collected, never stopped at, and each stands at a place. Codes are Azure's where it has one for the
//! case, and begin with `Pal` where it has none.

use std::fmt;

use palisade_model::{Place, Severity};

use crate::template;

/// A machine-readable code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// A template, a parameter or an expression is wrong.
    Template(template::Code),
    /// The file is not JSON, or a property has the wrong type: Azure's `InvalidRequestContent`.
    InvalidRequestContent,
    /// The file, or an object in it, is of no known shape.
    PalUnrecognisedInput,
    /// The file is of a known shape that says nothing about an estate.
    PalSkippedFile,
    /// The answer of a list goes on in a page that the input does not hold.
    PalIncompleteList,
}

impl Code {
    /// The code's text.
    pub fn name(self) -> &'static str {
        match self {
            Self::Template(code) => code.as_str(),
            Self::InvalidRequestContent => "InvalidRequestContent",
            Self::PalUnrecognisedInput => "PalUnrecognisedInput",
            Self::PalSkippedFile => "PalSkippedFile",
            Self::PalIncompleteList => "PalIncompleteList",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One thing that is wrong with an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArmProblem {
    /// Machine-readable code.
    pub code: Code,
    /// Whether it refuses the input.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// Where it stands.
    pub place: Place,
}

impl fmt::Display for ArmProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.place, self.code, self.message)
    }
}

/// Most problems that are kept; a hostile file has millions.
pub const PROBLEMS_MAX: usize = 10_000;

/// Problems as they are found.
#[derive(Debug, Default)]
pub(super) struct Problems {
    kept: Vec<ArmProblem>,
    dropped: usize,
}

impl Problems {
    pub(super) fn error(&mut self, code: Code, place: Place, message: impl Into<String>) {
        self.push(ArmProblem { code, severity: Severity::Error, message: message.into(), place });
    }

    pub(super) fn warning(&mut self, code: Code, place: Place, message: impl Into<String>) {
        self.push(ArmProblem { code, severity: Severity::Warning, message: message.into(), place });
    }

    pub(super) fn push(&mut self, problem: ArmProblem) {
        if self.kept.len() < PROBLEMS_MAX {
            self.kept.push(problem);
        } else {
            self.dropped += 1;
        }
    }

    pub(super) fn into_vec(mut self) -> Vec<ArmProblem> {
        if self.dropped > 0 {
            self.kept.push(ArmProblem {
                code: Code::InvalidRequestContent,
                severity: Severity::Error,
                message: format!("{} more problems are not listed", self.dropped),
                place: Place::default(),
            });
        }
        self.kept
    }
}

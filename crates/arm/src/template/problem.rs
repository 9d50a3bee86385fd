//! What is wrong with a template, in the words and with the codes Azure answers with.
//!
//! A [`Fault`] is raised inside one expression and knows no place. Whoever evaluates the expression turns it
//! into a [`Problem`] with file, pointer, line and column, and goes on with the rest of the template.

use std::fmt;

use super::value::Location;

/// The machine-readable kind of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// The JSON itself is refused: a key occurs twice.
    InvalidRequestContent,
    /// The template, a parameter or an expression is wrong. Most problems are of this kind.
    InvalidTemplate,
    /// The caller gives a parameter that the template does not have. Azure refuses the deployment; no resource depends on it.
    UndeclaredParameter,
    /// An output cannot be evaluated; resources are not affected.
    DeploymentOutputEvaluationFailed,
    /// The template passes a limit of this program.
    TemplateLimitExceeded,
}

impl Code {
    /// Whether the resources are what they would be without the problem.
    pub const fn leaves_resources_alone(self) -> bool {
        matches!(self, Self::UndeclaredParameter | Self::DeploymentOutputEvaluationFailed)
    }

    /// The code as Azure spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequestContent => "InvalidRequestContent",
            Self::InvalidTemplate | Self::UndeclaredParameter => "InvalidTemplate",
            Self::DeploymentOutputEvaluationFailed => "DeploymentOutputEvaluationFailed",
            Self::TemplateLimitExceeded => "TemplateLimitExceeded",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What kind.
    pub code: Code,
    /// The whole sentence.
    pub message: String,
    /// The file's name.
    pub source: String,
    /// JSON pointer in that file.
    pub pointer: String,
    /// The place in that file.
    pub at: Location,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Location { line, column, .. } = self.at;
        write!(f, "{}:{line}:{column}: {}: {}", self.source, self.code, self.message)
    }
}

/// A failure inside an expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(super) struct Fault {
    pub(super) message: String,
    pub(super) kind: FaultKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// The template is wrong.
    Template,
    /// A limit of ours was passed.
    Limit,
}

impl Fault {
    /// Something Azure would refuse.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), kind: FaultKind::Template }
    }

    /// A limit of ours.
    pub(super) fn limit(message: impl Into<String>) -> Self {
        Self { message: message.into(), kind: FaultKind::Limit }
    }

    /// A function given something it does not take.
    pub(super) fn call(function: &str, detail: impl fmt::Display) -> Self {
        Self::new(format!(
            "Unable to evaluate template language function '{function}': {detail}. Please see \
             https://aka.ms/arm-functions#{} for usage details.",
            function.to_lowercase()
        ))
    }
}

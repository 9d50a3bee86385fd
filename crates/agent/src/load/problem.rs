//! One shape for everything that can be wrong with an estate's files, whichever layer found it.
//!
//! Codes of the lower layers pass through unchanged; the ones here are about the files themselves.

use std::fmt;
use std::path::Path;

use palisade_arm::estate::ArmProblem;
use palisade_model::{Nic, Place, Severity};
use serde::{Deserialize, Serialize};

use crate::compile::NicError;

/// A code of this layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    /// A file or folder does not exist, or may not be read.
    UnreadableFile,
    /// A limit on files was passed.
    TooMuchInput,
    /// No file was found.
    NoInput,
    /// A parameter file is for no template, or for several.
    ParametersUnpaired,
    /// The rules of a NIC are not all known, or too many.
    NotEnforceable,
    /// A file of service tags was refused.
    ServiceTagFile,
}

impl Code {
    const fn name(self) -> &'static str {
        match self {
            Self::UnreadableFile => "PalUnreadableFile",
            Self::TooMuchInput => "PalTooMuchInput",
            Self::NoInput => "PalNoInput",
            Self::ParametersUnpaired => "PalParametersUnpaired",
            Self::NotEnforceable => "PalNotEnforceable",
            Self::ServiceTagFile => "PalServiceTagFile",
        }
    }
}

/// One thing that is wrong with the input, ready to be shown or stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Machine-readable code: Azure's, or one that begins with `Pal`.
    pub code: String,
    /// Whether it refuses the input.
    pub is_error: bool,
    /// What is wrong.
    pub message: String,
    /// The file, as the user gave it; empty when it is about the whole input.
    pub file: String,
    /// Line in the file, from 1; 0 when not known.
    pub line: u32,
    /// JSON pointer into the file.
    pub pointer: String,
}

impl Problem {
    pub(super) fn about_file(code: Code, path: &Path, message: String) -> Self {
        let place = Place { file: path.display().to_string().into(), ..Place::default() };
        Self::new(code.name(), Severity::Error, message, &place)
    }

    pub(super) fn about_input(code: Code, message: String) -> Self {
        Self::new(code.name(), Severity::Error, message, &Place::default())
    }

    /// A NIC whose rules the kernel cannot be given.
    pub(crate) fn about_nic(nic: &Nic, error: &NicError) -> Self {
        let message = format!("NIC {}: {error}", nic.id());
        Self::new(Code::NotEnforceable.name(), Severity::Error, message, &Place::default())
    }

    fn new(code: &str, severity: Severity, message: String, place: &Place) -> Self {
        Self {
            code: code.to_owned(),
            is_error: severity == Severity::Error,
            message,
            file: place.file.to_string(),
            line: place.line,
            pointer: place.pointer.clone(),
        }
    }
}

impl From<palisade_model::Problem> for Problem {
    fn from(problem: palisade_model::Problem) -> Self {
        Self::new(problem.code.name(), problem.severity, problem.message, &problem.place)
    }
}

impl From<ArmProblem> for Problem {
    fn from(problem: ArmProblem) -> Self {
        Self::new(problem.code.name(), problem.severity, problem.message, &problem.place)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, message, file, line, pointer, .. } = self;
        match (file.is_empty(), line) {
            (true, _) if pointer.is_empty() => write!(f, "{code}: {message}"),
            (true, _) => write!(f, "{pointer}: {code}: {message}"),
            (false, 0) => write!(f, "{file}: {code}: {message}"),
            (false, line) => write!(f, "{file}:{line}: {code}: {message}"),
        }
    }
}

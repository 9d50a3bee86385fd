//! Intents as they were written, checked.
//!
//! Built by [`super::read`] only, or from the library. Names are those of the file: whether an estate has them is asked when
//! the intents are proven.

use super::{Service, Thing};

/// Most intents of one file, those of the library that it uses among them.
pub const INTENTS_MAX: usize = 1_000;
/// Most words on one side of an intent, those of sets among them.
pub const THINGS_MAX: usize = 1_000;
/// Most exceptions of one intent.
pub const EXCEPTIONS_MAX: usize = 100;

/// The intents of a file, in its order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Intents {
    /// The intents; no two have one name.
    pub intents: Vec<Intent>,
}

/// One intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Its name.
    pub name: String,
    /// What it is for; may be empty.
    pub description: String,
    /// What is claimed of the packets.
    pub shape: Shape,
    /// Who sends the first packet. Of [`Shape::Only`]: who alone may.
    pub from: Vec<Thing>,
    /// Who receives it.
    pub to: Vec<Thing>,
    /// What they say to each other; everything if it is empty.
    pub services: Vec<Service>,
    /// Packets that it is not about.
    pub except: Vec<Exception>,
    /// What a control plane does with a change that violates it.
    pub effect: Effect,
    /// How bad a violation is.
    pub severity: Severity,
}

/// What is claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shape {
    /// Every packet passes.
    Allowed,
    /// No packet passes.
    Forbidden,
    /// What passes to the receivers comes from the senders.
    Only,
}

/// What a control plane does with a change that violates an intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Effect {
    /// Refuses it.
    #[default]
    Deny,
    /// Takes it and says so.
    Warn,
}

/// How bad a violation is, as findings say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Worth a change.
    Warning,
    /// Wrong.
    Error,
}

/// Packets that an intent is not about: those to which all that is said here applies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exception {
    /// Who sends the first packet; anybody if it is empty.
    pub from: Vec<Thing>,
    /// Who receives it; anybody if it is empty.
    pub to: Vec<Thing>,
    /// What they say to each other; everything if it is empty.
    pub services: Vec<Service>,
}

impl Shape {
    /// The word of the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Forbidden => "forbidden",
            Self::Only => "only",
        }
    }
}

impl Effect {
    /// The word of the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Warn => "warn",
        }
    }
}

impl Severity {
    /// The word of the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

//! Whether what denies drops, or is only counted.

use std::fmt;

/// How a rule, an NSG or an interface is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Mode {
    /// What it denies is dropped.
    #[default]
    Enforce,
    /// It is evaluated and counted, and drops nothing.
    Audit,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Self; 2] = [Self::Enforce, Self::Audit];
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Enforce => "Enforce",
            Self::Audit => "Audit",
        })
    }
}

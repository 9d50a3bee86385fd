//! Answers to alerts: which step is taken, against whom, for how long, and what is withheld.
//!
//! A [`Policy`] says which alerts lead to which [`Step`] of the ladder. What it answers to a [`Sighting`] is a function of that, of what
//! was done before ([`Past`]), of who must be spared, and of the time: it must not read a clock, write anything down, or carry
//! anything out. Invariants: whom the allow-list, an open grant or an administrator's path is about is never locked out; every lock-out
//! ends; no hour has more of a step than its budget. Reference: docs/answers.md.

mod decide;
mod error;
mod pattern;
mod policy;
#[cfg(test)]
mod tests;

pub use decide::{Act, Answer, Barred, Past, Spared, Withheld};
pub use error::PolicyError;
pub use pattern::Pattern;
pub use policy::{Budgets, Draft, ForensicPath, Policy, Rule, Slowing, Terms, Unit, check_paths};

use std::net::IpAddr;

use palisade_model::ResourceId;
use palisade_net::Direction;

use crate::{Alert, Severity};

/// Rules of one policy.
pub const RULES_MAX: usize = 64;
/// Patterns of one rule.
pub const PATTERNS_MAX: usize = 32;
/// Prefixes of the allow-list of one policy.
pub const ALLOWED_MAX: usize = 256;
/// Forensic paths of one policy, and of one quarantine.
pub const PATHS_MAX: usize = 16;
/// Shortest lock-out and throttle, in seconds.
pub const LOCKOUT_MIN: u32 = 60;
/// Longest lock-out and throttle, in seconds: a week.
pub const LOCKOUT_MAX: u32 = 7 * 86_400;
/// Longest time for which a lock-out is remembered after its end, in seconds: 90 days.
pub const MEMORY_MAX: u32 = 90 * 86_400;
/// Most by which a repetition can lengthen a lock-out.
pub const FACTOR_MAX: u32 = 10;
/// Most of one step in an hour that a policy can allow.
pub const BUDGET_MAX: usize = 200;
/// The hour that budgets are of, in seconds.
pub const HOUR: u32 = 3_600;

/// A step of the ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Nothing is done.
    Observe,
    /// A machine finds new destinations at no more than a rate, for a time.
    Throttle,
    /// One address and one machine are parted, for a time.
    Block,
    /// A source is locked out, for a time.
    Lockout,
    /// A machine is isolated until somebody releases it.
    Quarantine,
}

impl Step {
    /// Every step, the mildest first.
    pub const ALL: [Self; 5] = [Self::Observe, Self::Throttle, Self::Block, Self::Lockout, Self::Quarantine];

    /// Its name in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Throttle => "throttle",
            Self::Block => "block",
            Self::Lockout => "lockout",
            Self::Quarantine => "quarantine",
        }
    }
}

/// What an alert tells whoever answers it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sighting {
    /// Name of the alert.
    pub name: String,
    /// How grave it is.
    pub severity: Severity,
    /// Which way the connections go, seen from the machine.
    pub direction: Direction,
    /// The other end, if there is one: who began what comes in, or whom it goes out to.
    pub remote: Option<IpAddr>,
    /// The machine that it is about, if it is about one.
    pub machine: Option<ResourceId>,
}

impl Sighting {
    /// What an alert about a machine tells.
    pub fn of(alert: &Alert, machine: Option<ResourceId>) -> Self {
        let remote = match alert.direction {
            Direction::Inbound => alert.source,
            Direction::Outbound => alert.destination,
        };
        let remote = remote.map(|address| address.to_canonical());
        Self { name: alert.name(), severity: alert.severity(), direction: alert.direction, remote, machine }
    }
}

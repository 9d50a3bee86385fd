//! Why an answer policy is refused.

use palisade_model::limits::{THROTTLE_RATE_MAX, WORKING_SET_MAX};

use super::{ALLOWED_MAX, BUDGET_MAX, FACTOR_MAX, LOCKOUT_MAX, LOCKOUT_MIN, MEMORY_MAX, Slowing};

/// What is wrong with a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Too few or too many of something.
    #[error("{actual} {what}; there must be {least} to {most}")]
    Count {
        /// Of what.
        what: &'static str,
        /// How many there are.
        actual: usize,
        /// How many there must be.
        least: usize,
        /// How many there may be.
        most: usize,
    },
    /// A pattern that no alert's name can match.
    #[error("alert \"{0}\" is no name or pattern (write letters, digits, _ and *, such as RDP_*)")]
    Pattern(String),
    /// The times of lock-outs.
    #[error(
        "the first lock-out lasts {first} s and the longest {longest} s; they must be {LOCKOUT_MIN} to {LOCKOUT_MAX} s, and the \
         first no longer than the longest"
    )]
    Times {
        /// The first.
        first: u32,
        /// The longest.
        longest: u32,
    },
    /// The factor.
    #[error("lock-outs grow by the factor {0}; it must be 1 to {FACTOR_MAX}")]
    Factor(u32),
    /// The memory.
    #[error("lock-outs are remembered for {0} s; it must be at most {MEMORY_MAX} s")]
    Memory(u32),
    /// The numbers of throttles.
    #[error(
        "machines are throttled to {rate} new destinations per second, with a working set of {set}, for {seconds} s; it must be 1 to \
         {THROTTLE_RATE_MAX}, 1 to {WORKING_SET_MAX} and {LOCKOUT_MIN} to {LOCKOUT_MAX} s",
        rate = .0.pace.per_second, set = .0.pace.working_set, seconds = .0.seconds
    )]
    Slowing(Slowing),
    /// Neighbours.
    #[error("{0} locked-out neighbours close their network; it must be 2 to 64")]
    Neighbours(usize),
    /// A budget.
    #[error("the budget of {step} is {actual} in an hour; it must be at most {BUDGET_MAX}")]
    Budget {
        /// Of which step.
        step: &'static str,
        /// What it is.
        actual: usize,
    },
    /// The allow-list.
    #[error("{0} allowed prefixes are more than {ALLOWED_MAX} (merge some of them)")]
    Allowed(usize),
    /// A policy that isolates without a way in.
    #[error(
        "a rule leads to quarantine, and there is no forensic path (add one, or nobody could look at the machine)"
    )]
    NoForensicPath,
    /// A forensic path that is none.
    #[error("the forensic path from {0} has port 0 (give 1 to 65535)")]
    PortZero(String),
}

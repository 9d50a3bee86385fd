//! Time-limited access: doors that are closed unless somebody was let through one, for a time.
//!
//! A [`Policy`] says which ports of which machines are doors, and what may be asked for. A [`Ledger`] is a policy with every
//! [`Request`] that was made under it; its [`rules`](Ledger::rules) are what the kernel is to enforce. Everything here is a function
//! of its arguments, and time is one of them: it must not read a clock, write anything down, or ask who somebody is.
//! Invariant: a rule that opens a door ends, and comes from a request that was approved if the door asks for it.
//! Reference: Microsoft.Security/jitNetworkAccessPolicies, docs/jit.md.

mod error;
mod grant;
mod ledger;
mod policy;
mod rule;
#[cfg(test)]
mod tests;
mod tunnel;

pub use error::AccessError;
pub use grant::{Closing, End, Grant, Once, Person, Request, State, Used};
pub use ledger::{Ask, Ledger, Wanted};
pub use policy::{Door, Machine, Policy};
pub use rule::AccessRule;
pub use tunnel::{Knock, Passage};

/// Machines of one policy.
pub const MACHINES_MAX: usize = 100;
/// Doors of one machine.
pub const DOORS_MAX: usize = 32;
/// Prefixes of a door, and of a grant.
pub const PREFIXES_MAX: usize = 32;
/// Grants of one machine that are open or wait for approval.
pub const GRANTS_MAX: usize = 64;
/// Policies that name one machine. With the other limits this bounds the rules of an interface, of which the kernel takes 1,024.
pub const POLICIES_MAX: usize = 4;
/// Requests of a policy that are remembered; the oldest that have ended go first.
pub const REQUESTS_MAX: usize = 200;
/// Shortest time that a door's limit can be, as in Azure.
pub const LIMIT_MIN: u32 = 5 * 60;
/// Longest time that a door's limit can be, and that a grant with all its extensions lasts, as in Azure.
pub const LIMIT_MAX: u32 = 24 * 60 * 60;
/// How long a tunnel lasts if nobody says otherwise, and the port's longest time allows it.
pub const TUNNEL_TIME: u32 = 60 * 60;
/// How long a tunnel to a port that is no door lasts at most.
pub const TUNNEL_TIME_MAX: u32 = 8 * 60 * 60;
/// Longest reason, and longest ticket, in characters.
pub const TEXT_MAX: usize = 500;

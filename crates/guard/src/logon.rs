//! What a guest tells of itself: who tried to log on, and who knocked.
//!
//! A reader of event logs or of sshd's messages makes these. What a log does not tell is `None`: under network level authentication Windows
//! does not know the address of a failed logon, and RdpCoreTS does not know the account. [`join`] puts both
//! together, and flows where neither knows. It must not know a format.

mod join;

use std::net::IpAddr;

pub use join::{Joined, join};

use crate::Service;

/// Something that a guest tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestEvent {
    /// When, in milliseconds since 1970.
    pub time_ms: u64,
    /// The guest's name for itself.
    pub machine: String,
    /// What.
    pub what: GuestTold,
}

/// What a guest tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GuestTold {
    /// Somebody tried to log on.
    Logon {
        /// By which service.
        service: Service,
        /// As whom; `None` where it is not known.
        account: Option<String>,
        /// From where; `None` where it is not known.
        source: Option<IpAddr>,
        /// What came of it.
        outcome: LogonOutcome,
    },
    /// Somebody opened a connection to a service that asks for a password.
    Knock {
        /// Which service.
        service: Service,
        /// From where.
        source: IpAddr,
    },
}

/// What came of a logon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogonOutcome {
    /// Whoever it was is not in.
    Failed,
    /// Whoever it was is in.
    Succeeded,
    /// Somebody came to be asked for a password; the guest does not tell what came of it.
    Untold,
}

/// How the address of a logon is known: how sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trace {
    /// The event itself tells.
    Told,
    /// Another event of the guest in the same second does, and no third one contradicts it.
    Event,
    /// A flow to the service in the same second does, and there is none of anybody else.
    Flow,
}

/// A logon, with its address as far as it can be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logon {
    /// When, in milliseconds since 1970.
    pub time_ms: u64,
    /// The guest's name for itself.
    pub machine: String,
    /// By which service.
    pub service: Service,
    /// As whom.
    pub account: Option<String>,
    /// From where, and how that is known.
    pub source: Option<(IpAddr, Trace)>,
    /// What came of it.
    pub outcome: LogonOutcome,
}

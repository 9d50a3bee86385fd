//! What an operator reads: each thing that happened, as data that prints as one line.

use std::fmt;

use crate::clock::Anchor;
use crate::interfaces::matching::MatchProblem;
use crate::load::LoadError;
use crate::plan::Op;

/// Something that an operator wants to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Policy was in force already when the agent started.
    Adopted {
        /// Its number.
        generation: u64,
    },
    /// An estate was accepted.
    Accepted {
        /// How many NICs it has.
        nics: usize,
        /// How many warnings there were.
        warnings: usize,
    },
    /// An estate was refused.
    Refused(LoadError),
    /// A step was taken, other than to publish.
    Done(Op),
    /// A policy came into force.
    InForce {
        /// Its number.
        generation: u64,
        /// How many interfaces it is about.
        interfaces: usize,
    },
    /// A step failed; it is tried again.
    Failed {
        /// The step.
        op: Op,
        /// Why.
        error: String,
    },
    /// The wall clock was stepped, and the windows of rules follow it.
    ClockStepped {
        /// Where it put the start of the kernel's clock.
        from: Anchor,
        /// Where it puts it now.
        to: Anchor,
    },
    /// The wall clock was never set.
    ClockUnset {
        /// What it shows, in seconds since 1970.
        wall_s: u64,
    },
    /// A NIC and an interface do not find together.
    Problem(MatchProblem),
    /// There is a connection to the server.
    Connected {
        /// Where it is.
        server: String,
        /// The name of this host there.
        host: String,
    },
    /// There is none.
    Disconnected {
        /// Why.
        why: String,
    },
    /// The server gave a state.
    Arrived {
        /// Its number.
        revision: u64,
        /// How many documents it has.
        documents: usize,
    },
    /// Endpoints came into force.
    Endpoints {
        /// How many.
        count: usize,
        /// Whether they were before, and somebody else changed or removed them.
        is_repaired: bool,
    },
    /// The last endpoint was removed.
    EndpointsGone,
    /// What came through endpoints that are no more was ended.
    EndpointsEnded {
        /// How many connections that were.
        count: usize,
    },
    /// An endpoint is not in force.
    EndpointClosed {
        /// Resource id of its inbound NAT rule.
        id: String,
        /// Why.
        why: String,
    },
    /// Something else failed; it is tried again.
    Trouble {
        /// What, and why.
        error: String,
    },
    /// The agent ends.
    Stopping {
        /// What made it end.
        why: String,
        /// Whether it releases its interfaces.
        releases: bool,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Adopted { generation } => write!(f, "generation {generation} is in force and stays"),
            Self::Accepted { nics, warnings: 0 } => write!(f, "accepted an estate (NICs: {nics})"),
            Self::Accepted { nics, warnings } => {
                write!(f, "accepted an estate (NICs: {nics}, warnings: {warnings})")
            }
            Self::Refused(error) => write!(f, "{error}; the policy in force stays"),
            Self::Done(op) => op.fmt(f),
            Self::InForce { generation, interfaces } => {
                write!(f, "generation {generation} is in force (interfaces: {interfaces})")
            }
            Self::Failed { op, error } => write!(f, "cannot {op}: {error}"),
            Self::ClockStepped { from, to } => {
                write!(
                    f,
                    "the wall clock was stepped, and windows of rules follow it (offset {from} s, now {to} s)"
                )
            }
            Self::ClockUnset { wall_s } => write!(
                f,
                "the wall clock was never set (it shows {wall_s} s since 1970) and is not followed; without one that was, \
                 rules with a window allow nothing (set it)"
            ),
            Self::Problem(problem) => problem.fmt(f),
            Self::Connected { server, host } => write!(f, "connected to server {server} as host {host}"),
            Self::Disconnected { why } => {
                write!(f, "{why}; what is in force stays, the server is tried again")
            }
            Self::Arrived { revision, documents } => {
                write!(f, "revision {revision} arrived (documents: {documents})")
            }
            Self::Endpoints { count, is_repaired: false } => write!(f, "endpoints are in force ({count})"),
            Self::Endpoints { count, is_repaired: true } => {
                write!(f, "endpoints were changed by somebody else and are in force again ({count})")
            }
            Self::EndpointsGone => f.write_str("the last endpoint is removed"),
            Self::EndpointsEnded { count } => {
                write!(f, "connections through endpoints that are gone are ended ({count})")
            }
            Self::EndpointClosed { id, why } => write!(f, "endpoint {id} is not in force: {why}"),
            Self::Trouble { error } => write!(f, "{error}; it is tried again"),
            Self::Stopping { why, releases: false } => write!(f, "stopping ({why}); enforcement goes on"),
            Self::Stopping { why, releases: true } => {
                write!(f, "stopping ({why}); every interface is released")
            }
        }
    }
}

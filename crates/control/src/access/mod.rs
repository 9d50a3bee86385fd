//! Time-limited access as a resource: `Microsoft.Security/locations/jitNetworkAccessPolicies`, with its requests inside.
//!
//! What may be done is `palisade_guard::access`'s to say. Here are its documents, which machine has which interfaces, what becomes of a
//! policy at each, and which rules it stands before. Invariant: an interface's doors are a function of the world, so that spans,
//! proofs and questions see the same. Reference: docs/jit.md.

mod ask;
mod doors;
pub(crate) mod duration;
mod overridden;
mod policy;
mod requests;
mod tunnel;

use std::net::IpAddr;

use palisade_guard::access::{AccessError, Ledger, Once, Person, Used};
use palisade_model::ResourceId;
use palisade_net::Protocol;
use serde_json::Value;

use crate::{ControlError, World};
pub(crate) use ask::{Terms, ask, until};
pub(crate) use doors::{doors, interfaces, machines, machines_of, policies};
pub use duration::seconds as duration_seconds;
pub(crate) use overridden::overridden;
pub(crate) use requests::one as request;
pub(crate) use tunnel::end_of;
pub use tunnel::{
    Gone, Opening, Summary, TUNNELS_MAX, TUNNELS_PER_HOST_MAX, TUNNELS_PER_PRINCIPAL_MAX, TunnelVerb, Way,
    stands, tunnels, way,
};

/// What is done with the requests of a policy.
#[derive(Debug, Clone, PartialEq)]
pub enum AccessVerb {
    /// Asks for doors, with the body of `initiate`.
    Initiate(Value),
    /// Approves a request.
    Approve(String),
    /// Ends or revokes a request.
    Close(String),
    /// Extends a request, with the body that says until when.
    Extend(String, Value),
    /// A host has told of the first connection through a door that is open for one.
    BeginUse(Use),
    /// That connection is over.
    EndUse(Use),
}

/// A connection through a door that a request opened.
#[derive(Debug, Clone, PartialEq)]
pub struct Use {
    /// The request.
    pub request: String,
    /// The door's port.
    pub port: u16,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// Where it came from.
    pub source: (IpAddr, u16),
}

impl Use {
    /// It, as it is known at a time.
    pub(crate) fn at(&self, now: u64) -> Used {
        Used { protocol: self.protocol, source: self.source, at: seconds(now) }
    }
}

impl AccessVerb {
    /// What the audit log calls it.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Initiate(_) => "initiate",
            Self::Approve(_) => "approve",
            Self::Close(_) => "revoke",
            Self::Extend(..) => "extend",
            Self::BeginUse(_) => "use",
            Self::EndUse(_) => "use up",
        }
    }
}

/// Who does something with a request, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Object id of the principal.
    pub id: String,
    /// Name of the principal.
    pub name: String,
    /// The address that the server sees him at.
    pub address: String,
}

impl Actor {
    pub(crate) fn person(&self) -> Person {
        Person { id: self.id.clone(), name: self.name.clone() }
    }
}

/// The ledger of a policy, from its `properties`.
///
/// # Errors
/// The policy or a request cannot be read; of a stored one all can.
pub fn ledger(properties: &Value) -> Result<Ledger, ControlError> {
    Ok(Ledger::new(policy::read(properties)?, requests::read(&properties["requests"])?))
}

/// A policy's body as it is told at a time: how requests stand depends on it.
pub fn shown(mut body: Value, now: u64) -> Value {
    if let Ok(ledger) = ledger(&body["properties"]) {
        body["properties"]["requests"] = requests::write(&ledger, seconds(now));
    }
    body
}

/// Who asked for a request, and whether a door of it needs approval; `None` if there is no such request.
pub fn request_of(properties: &Value, name: &str) -> Option<(String, bool)> {
    let ledger = ledger(properties).ok()?;
    let found = ledger.find(name).ok()?;
    Some((found.requester.id.clone(), found.grants.iter().any(|grant| grant.needs_approval)))
}

/// The policy with the door that a connection to an interface came through, if that is open for one connection: for none yet where
/// the connection begins, for this one where it ends.
pub fn one_use(world: &World, nic: &ResourceId, seen: &Use, is_over: bool) -> Option<ResourceId> {
    let is_its = |once: &Once| match once {
        Once::Unused => !is_over,
        Once::By(used) => is_over && used.is(&seen.at(0)),
    };
    let is_about = |policy: &ResourceId| {
        let ledger = ledger(world.document(policy)?.properties()).ok()?;
        let grants = &ledger.find(&seen.request).ok()?.grants;
        let mut doors = grants.iter().filter(|grant| grant.port == seen.port && grant.closing.is_none());
        doors.any(|grant| grant.once.as_ref().is_some_and(is_its)).then_some(())
    };
    let machines = machines_of(world, nic);
    let mut all = machines.iter().flat_map(|machine| policies(world, machine)).map(|policy| policy.id());
    all.find(|policy| is_about(policy).is_some()).cloned()
}

/// The requests of a ledger, as they are stored.
pub(crate) fn written(ledger: &Ledger, now: u64) -> Value {
    requests::write(ledger, seconds(now))
}

/// Seconds as windows have them; the last of them if there are more.
pub(crate) fn seconds(now: u64) -> u32 {
    u32::try_from(now).unwrap_or(u32::MAX)
}

/// A refusal on the wire.
pub(crate) fn refused(error: &AccessError) -> ControlError {
    let (status, code) = match error {
        AccessError::NoRequest(_) => (404, "JitRequestNotFound"),
        AccessError::NotApproved { .. } => (403, "JitApprovalNeeded"),
        AccessError::OwnRequest(_) => (403, "JitApprovalByRequester"),
        AccessError::State { .. } | AccessError::NotLater(_) | AccessError::NotItsUse { .. } => {
            (409, "JitRequestState")
        }
        AccessError::TooMany { .. } | AccessError::TooManyRequests(_) => (409, "JitLimitReached"),
        AccessError::NoMachine(_) | AccessError::NoDoor { .. } => (400, "JitPortNotInPolicy"),
        AccessError::TooLong { .. } | AccessError::Past { .. } => (400, "JitDurationNotAllowed"),
        AccessError::Source { .. } => (400, "JitSourceNotAllowed"),
        _ => (400, "InvalidJitNetworkAccessPolicy"),
    };
    ControlError::new(status, code, sentence(&error.to_string()))
}

/// An error of a library as a sentence for people.
pub(crate) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

fn invalid(path: &str, problem: impl std::fmt::Display) -> ControlError {
    ControlError::bad("InvalidJitNetworkAccessPolicy", format!("'{path}' {problem}.")).about(path)
}

/// The machine of an id as clients write it.
fn machine_id(value: &Value, path: &str) -> Result<ResourceId, ControlError> {
    let text = value.as_str().unwrap_or_default();
    let is_machine = text.starts_with('/')
        && ResourceId::new(text).segment("virtualMachines").is_some_and(|name| !name.is_empty());
    if is_machine {
        return Ok(ResourceId::new(text));
    }
    let expected = "must be the id of a virtual machine: /subscriptions/.../resourceGroups/.../providers/\
                    Microsoft.Compute/virtualMachines/NAME";
    Err(invalid(path, format!("is \"{text}\" and {expected}")))
}

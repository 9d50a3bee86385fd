//! What a policy says to a tunnel: whether somebody may have one to a door, and until when.
//!
//! A tunnel asks for no grant: it opens its own way, for one connection of its host. So the policy's terms count for who comes
//! through it, from where the server sees him. Where somebody else must agree, an approved grant of his own is what he comes by,
//! and the tunnel ends with it.

use std::net::IpAddr;

use palisade_model::ResourceId;
use palisade_net::{Prefix, Protocol};

use super::{AccessError, Door, Ledger, Person, State, TUNNEL_TIME};

/// Somebody who wants to be let through a tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Knock {
    /// The machine.
    pub machine: ResourceId,
    /// Its TCP port.
    pub port: u16,
    /// Who.
    pub by: Person,
    /// The address that the server sees him at.
    pub from: Option<IpAddr>,
    /// For how many seconds; without it, for the usual time.
    pub seconds: Option<u32>,
}

/// Leave to have a tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// The first second in which it is closed.
    pub until: u32,
    /// The approved request that it rests on, if it needs one.
    pub request: Option<String>,
}

impl Ledger {
    /// Whether somebody may have a tunnel; `None` if the port is no door of this policy.
    ///
    /// # Errors
    /// The policy does not allow it: not from there, not for so long, or not without approval.
    pub fn passage(&self, knock: &Knock, now: u32) -> Result<Option<Passage>, AccessError> {
        let machine = self.policy().machine(&knock.machine);
        let mut doors = machine.into_iter().flat_map(|machine| &machine.doors);
        let is_it = |door: &&Door| door.port == knock.port && door.protocol.matches(Protocol::TCP);
        let Some(door) = doors.find(is_it) else { return Ok(None) };
        let from = knock.from.map(|from| Prefix::host(from.to_canonical()));
        if !door.sources.is_empty() && !from.is_some_and(|from| door.admits(&[from])) {
            let sources = from.map_or_else(|| "an unknown address".to_owned(), |from| from.to_string());
            return Err(AccessError::Source { port: knock.port, sources });
        }
        let asked = knock.seconds.unwrap_or(TUNNEL_TIME.min(door.limit));
        if asked > door.limit {
            return Err(AccessError::TooLong { port: knock.port, asked, limit: door.limit });
        }
        let until = now.saturating_add(asked);
        if !door.needs_approval {
            return Ok(Some(Passage { until, request: None }));
        }
        let (end, request) = self
            .approved(knock, now)
            .ok_or_else(|| AccessError::NotApproved { machine: knock.machine.clone(), port: knock.port })?;
        Ok(Some(Passage { until: until.min(end), request: Some(request) }))
    }

    /// Whether a request still lets its tunnels stand.
    pub fn holds(&self, request: &str, machine: &ResourceId, port: u16, now: u32) -> bool {
        self.find(request).is_ok_and(|request| {
            let mut grants = request.grants.iter();
            grants.any(|grant| {
                grant.machine == *machine && grant.port == port && grant.state(request, now) == State::Active
            })
        })
    }

    /// The end and the name of the approved grant of who knocks that lasts longest.
    fn approved(&self, knock: &Knock, now: u32) -> Option<(u32, String)> {
        let own = self.requests().iter().filter(|request| request.requester.is(&knock.by));
        let open = own.flat_map(|request| {
            let fits = move |grant: &&super::Grant| {
                grant.machine == knock.machine
                    && grant.port == knock.port
                    && grant.protocol.matches(Protocol::TCP)
                    && grant.state(request, now) == State::Active
            };
            request.grants.iter().filter(fits).map(|grant| (grant.not_after, request.name.clone()))
        });
        open.max()
    }
}

//! What was done before, and who must be spared, as the world tells it: so it is the same after a restart, and for every server.

use std::net::IpAddr;

use palisade_guard::access::State;
use palisade_guard::answer::{Past, Sighting, Spared};
use palisade_model::ResourceId;

use super::{acts, lockout, of_scope, scope_of, throttles_of};
use crate::access;
use crate::kinds::{self, JIT, LOCKOUT, QUARANTINE};
use crate::world::{Document, World};

/// What a policy has to know of before it answers.
pub(crate) fn past(world: &World, policy: &Document, seen: &Sighting, now: u32) -> Past {
    let scope = scope_of(policy.id());
    let near = seen.machine.as_ref().and_then(kinds::group_of).filter(|group| *group != scope);
    let scopes = near.iter().chain([&scope]);
    let barred = scopes.flat_map(|scope| of_scope(world, scope, LOCKOUT));
    let isolated = seen.machine.iter().filter(|machine| is_isolated(world, machine));
    let throttled = seen.machine.iter().filter(|machine| is_throttled(world, machine, now));
    Past {
        // What was stored could be read when it was.
        barred: barred.filter_map(|document| lockout(document.properties()).ok()).collect(),
        isolated: isolated.cloned().collect(),
        throttled: throttled.cloned().collect(),
        acts: acts(policy.properties(), now),
    }
}

fn is_isolated(world: &World, machine: &ResourceId) -> bool {
    world.naming(machine).any(|document| document.kind().name == QUARANTINE)
}

fn is_throttled(world: &World, machine: &ResourceId, now: u32) -> bool {
    throttles_of(world, std::slice::from_ref(machine)).any(|(_, own)| now < own.until)
}

/// Who must not be locked out of a scope: whoever holds a grant there that is open, and these administrators.
pub(crate) fn spared(world: &World, scope: &ResourceId, administrators: Vec<IpAddr>, now: u32) -> Spared {
    let is_within = |id: &&ResourceId| scope_of(id) == *scope || kinds::group_of(scope).is_none();
    let policies = world.of_kind(JIT).filter(is_within).filter_map(|id| world.document(id));
    let ledgers = policies.filter_map(|policy| access::ledger(policy.properties()).ok());
    let mut grants = Vec::new();
    for ledger in ledgers {
        for request in ledger.requests() {
            let open = request.grants.iter().filter(|grant| grant.state(request, now) == State::Active);
            grants.extend(open.flat_map(|grant| grant.sources.iter().copied()));
        }
    }
    Spared { grants, administrators }
}

//! Policies for time-limited access, and what is done with their requests.
//!
//! A policy is written as any resource; its requests stay through it, but for what it no longer allows. Requests change by
//! [`AccessVerb`]s alone, each of which writes the policy's document anew.

use palisade_guard::access::{Ledger, POLICIES_MAX};
use palisade_model::ResourceId;
use serde_json::{Map, Value};

use super::{Context, Draft, Planned, lock, put};
use crate::access::{self, AccessVerb, Actor, Terms};
use crate::kinds::{JIT, Target, group_of};
use crate::world::Document;
use crate::{ControlError, Effect, World};

/// Fills in what the server writes of a policy, and checks it; what is to be told of it.
pub(super) fn fill(
    world: &World,
    context: &Context<'_>,
    target: &Target,
    own: &mut Value,
) -> Result<Vec<ControlError>, ControlError> {
    let now = access::seconds(context.now);
    let location = target.id.segment("locations").unwrap_or_default();
    own["location"] = location.into();
    if !own["kind"].is_string() {
        own["kind"] = "Basic".into();
    }
    let stored = world.document(&target.id);
    let given = access::ledger(&own["properties"])?;
    for machine in given.policy().machines() {
        if group_of(&machine.id) != target.group() {
            let message = format!(
                "{} is not in the resource group of the policy {}: write a policy in the group of the virtual machine.",
                machine.id, target.id
            );
            return Err(ControlError::bad("JitMachineInOtherGroup", message).about(machine.id.as_str()));
        }
        let others = access::policies(world, &machine.id).filter(|policy| *policy.id() != target.id);
        if others.count() >= POLICIES_MAX {
            let message = format!(
                "{} is in {POLICIES_MAX} policies already: add its ports to one of them.",
                machine.id
            );
            return Err(ControlError::new(409, "JitLimitReached", message).about(machine.id.as_str()));
        }
    }
    let mut ledger = match stored {
        Some(stored) => access::ledger(stored.properties())?,
        None => Ledger::default(),
    };
    ledger.replace(given.policy().clone(), now);
    // How requests stand at a time is told when they are read: at rest it is left as it was, or every PUT would differ.
    let before = stored.map(|stored| access::ledger(stored.properties())).transpose()?;
    let is_same = before.is_some_and(|before| before.requests() == ledger.requests());
    own["properties"]["requests"] = match stored.filter(|_| is_same) {
        Some(stored) => stored.properties()["requests"].clone(),
        None => access::written(&ledger, context.now),
    };
    let found = access::overridden(world, ledger.policy(), now)?;
    own["properties"]["overriddenRules"] = found.rules.into();
    Ok(found.warnings)
}

/// Plans what is done with the requests of a policy.
pub(super) fn plan(
    draft: &mut Draft<'_>,
    context: &Context<'_>,
    id: &ResourceId,
    verb: &AccessVerb,
    actor: &Actor,
) -> Result<Planned, ControlError> {
    let world = draft.world();
    let stored = world.document(id).filter(|document| document.kind().name == JIT);
    let stored = stored.cloned().ok_or_else(|| ControlError::not_found(id))?;
    // What closes a door is never locked.
    if !matches!(verb, AccessVerb::Close(_) | AccessVerb::BeginUse(_) | AccessVerb::EndUse(_)) {
        lock::check_write(world, id)?;
    }
    let mut ledger = access::ledger(stored.properties())?;
    let before = requested(&ledger, verb, context.now);
    let name = act(&mut ledger, verb, stored.properties(), actor, context.now)?;
    let warnings = told(&ledger, verb, &name).into_iter().collect();
    let after = ledger.find(&name).map(|request| access::request(request, access::seconds(context.now)));
    let after = after.map_err(|error| access::refused(&error))?;
    let mut body: Map<String, Value> = stored.body().as_object().cloned().unwrap_or_default();
    body["properties"]["requests"] = access::written(&ledger, context.now);
    let document =
        Document::new(stored.id().clone(), stored.kind(), body.into(), put::new_etag(), stored.order());
    draft.put(document);
    Ok(Planned {
        effect: if before.is_some() { Effect::Updated } else { Effect::Created },
        resource: Some(after.clone()),
        verb: verb.name().to_owned(),
        target: stored.id().to_string(),
        before,
        after: Some(after),
        note: None,
        unfinished: None,
        warnings,
    })
}

/// What is told of a new request: a source that no machine ever sees lets nobody in.
fn told(ledger: &Ledger, verb: &AccessVerb, name: &str) -> Option<ControlError> {
    let request = ledger.find(name).ok().filter(|_| matches!(verb, AccessVerb::Initiate(_)))?;
    let mut sources = request.grants.iter().flat_map(|grant| &grant.sources);
    let here = sources.find(|source| source.address().is_loopback())?;
    let message = format!(
        "Request {name} opens to {}, where the server sees you but no machine does: name the address that you come from.",
        here.address()
    );
    Some(ControlError::bad("JitSourceIsLoopback", message).about("allowedSourceAddressPrefix"))
}

/// The request that something is done with, as it was.
fn requested(ledger: &Ledger, verb: &AccessVerb, now: u64) -> Option<Value> {
    let name = match verb {
        AccessVerb::Initiate(_) => return None,
        AccessVerb::Approve(name) | AccessVerb::Close(name) | AccessVerb::Extend(name, _) => name,
        AccessVerb::BeginUse(seen) | AccessVerb::EndUse(seen) => &seen.request,
    };
    ledger.find(name).ok().map(|request| access::request(request, access::seconds(now)))
}

/// Does it; the name of the request.
fn act(
    ledger: &mut Ledger,
    verb: &AccessVerb,
    properties: &Value,
    actor: &Actor,
    now: u64,
) -> Result<String, ControlError> {
    let (person, seconds) = (actor.person(), access::seconds(now));
    let done = match verb {
        AccessVerb::Initiate(body) => {
            ledger.request(access::ask(body, Terms::of(properties), actor, now)?, seconds)
        }
        AccessVerb::Approve(name) => ledger.approve(name, &person, seconds),
        AccessVerb::Close(name) => ledger.close(name, &person, seconds),
        AccessVerb::Extend(name, body) => {
            ledger.extend(name, &person, access::until(body, "", now)?, seconds)
        }
        AccessVerb::BeginUse(seen) => ledger.begin_use(&seen.request, seen.port, seen.at(now)),
        AccessVerb::EndUse(seen) => ledger.end_use(&seen.request, seen.port, seen.at(now)),
    };
    done.map(|request| request.name.clone()).map_err(|error| access::refused(&error))
}

//! Quarantines, lock-outs and answer policies: what the server fills in, and what becomes of an alert.
//!
//! An alert is answered here, in the one place where all writes are planned, so that what was done before is what is stored: no two
//! servers and no restart can spend a budget twice.

use std::net::IpAddr;

use palisade_guard::answer::{Act, Answer, LOCKOUT_MAX, Policy};
use palisade_model::ResourceId;
use palisade_net::Prefix;
use serde_json::{Value, json};

use super::{Context, Draft, Planned, group, intents::check_scope, put, throttle};
use crate::access::{self, seconds, sentence};
use crate::answers::{self, AnswerCall, LOCKOUTS_MAX, QUARANTINES_MAX, REASON_MAX, REMEMBERED_MAX};
use crate::kinds::{self, ANSWER_POLICY, LOCKOUT, QUARANTINE, THROTTLE, Target, group_of};
use crate::world::Document;
use crate::{ControlError, Effect, World, time};

/// Fills in what the server writes of a policy, and checks it.
pub(super) fn fill_policy(world: &World, target: &Target, own: &mut Value) -> Result<(), ControlError> {
    check_scope(target, "Answer policies stand", "InvalidAnswerPolicyScope")?;
    answers::policy(&own["properties"])?;
    answers::policy_end(&own["properties"])?;
    if let Some(machine) = answers::policy_target(&own["properties"]) {
        let group = target.group().filter(|group| *group == target.scope);
        let group =
            group.ok_or_else(|| answers::wrong("properties.target", "needs a policy in its group"))?;
        subject(world, &json!(machine.as_str()), &group)?;
    }
    // What was spent is spent, whatever the budget is now.
    let stored = world.document(&target.id).map(|stored| stored.properties()["acts"].clone());
    own["properties"]["acts"] = stored.unwrap_or_else(|| json!([]));
    Ok(())
}

/// Fills in what the server writes of a quarantine, and checks it; what is to be told of it.
pub(super) fn fill_quarantine(
    world: &World,
    context: &Context<'_>,
    target: &Target,
    own: &mut Value,
) -> Result<Vec<ControlError>, ControlError> {
    let stored = world.document(&target.id);
    let group = target.group().filter(|group| *group == target.scope);
    let group = group.ok_or_else(|| answers::wrong("id", "is not in a resource group"))?;
    if stored.is_none() && answers::of_scope(world, &group, QUARANTINE).count() >= QUARANTINES_MAX {
        return Err(limit(format!(
            "{group} has {QUARANTINES_MAX} machines in quarantine: release some of them."
        )));
    }
    let whom = subject(world, &own["properties"]["target"]["id"], &group)?;
    check_reason(&own["properties"])?;
    let properties = &mut own["properties"];
    if properties["forensic"].is_null() {
        let subscription = ResourceId::new(&format!("/subscriptions/{}", target.subscription()));
        let policies = answers::policies(world, Some(&whom), &subscription, seconds(context.now));
        let first = policies.iter().find(|(_, policy)| !policy.forensic().is_empty());
        properties["forensic"] = answers::paths_written(first.map_or(&[], |(_, policy)| policy.forensic()));
    }
    let paths = answers::quarantine_paths(properties)?;
    palisade_guard::answer::check_paths(&paths).map_err(|error| answers::refused(&error))?;
    keep(properties, stored.map(|stored| stored.properties()), context.now);
    let mut warnings = Vec::from_iter(unseen(world, &whom, "QuarantineHasNoInterface", "isolated"));
    if paths.is_empty() {
        let message = format!("No forensic path stays open: nobody can look at {whom} until it is released.");
        warnings.push(ControlError::bad("QuarantineHasNoForensicPath", message).about(whom.as_str()));
    }
    Ok(warnings)
}

/// Fills in what the server writes of a lock-out, and checks it.
pub(super) fn fill_lockout(
    world: &World,
    context: &Context<'_>,
    target: &Target,
    own: &mut Value,
) -> Result<(), ControlError> {
    check_scope(target, "Lock-outs stand", "InvalidLockoutScope")?;
    let (stored, now) = (world.document(&target.id), seconds(context.now));
    let properties = &mut own["properties"];
    fill_end(properties, context.now)?;
    check_reason(properties)?;
    let before = stored.map(|stored| stored.properties());
    keep(properties, before, context.now);
    properties["repetition"] = before.map_or(json!(0), |before| before["repetition"].clone());
    let barred = answers::lockout(properties)?;
    if let Some(machine) = &barred.machine {
        let group = target
            .group()
            .ok_or_else(|| answers::wrong("properties.target", "needs a lock-out in its group"))?;
        subject(world, &json!(machine.as_str()), &group)?;
    }
    check_width(barred.prefix)?;
    let administrators: Vec<IpAddr> = context.address.parse().into_iter().collect();
    let spared = answers::spared(world, &target.scope, administrators, now);
    let subscription = ResourceId::new(&format!("/subscriptions/{}", target.subscription()));
    let policies = answers::policies(world, Some(&target.id), &subscription, now);
    let allowing = policies.iter().map(|(_, policy)| policy.check(barred.prefix, &spared));
    let refusal = allowing.chain([spared.check(barred.prefix)]).find_map(Result::err);
    if let Some(why) = refusal {
        let message = format!("{} Nobody who is to be spared is locked out.", sentence(&why.to_string()));
        return Err(ControlError::new(409, "LockoutNotAllowed", message).about("properties.source"));
    }
    check_room(world, &target.scope, &target.id, now)
}

/// Writes down when something ends, which was given as a moment or as a duration.
pub(super) fn fill_end(properties: &mut Value, now: u64) -> Result<(), ControlError> {
    let until = answers::until(properties, now)?;
    if !(1..=LOCKOUT_MAX).contains(&until.saturating_sub(seconds(now))) {
        let end = time::rfc3339(u64::from(until));
        return Err(answers::wrong(
            "properties.endTimeUtc",
            format!("is {end} and must be at most a week from now"),
        ));
    }
    if let Some(object) = properties.as_object_mut() {
        object.remove("duration");
    }
    properties["endTimeUtc"] = time::rfc3339(u64::from(until)).into();
    Ok(())
}

/// Plans the answer to an alert.
pub(super) fn plan(
    draft: &mut Draft<'_>,
    context: &Context<'_>,
    target: &Target,
    call: &AnswerCall,
) -> Result<Planned, ControlError> {
    let now = seconds(context.now);
    let stored = draft.world().document(&target.id).filter(|document| document.kind().name == ANSWER_POLICY);
    let stored = stored.cloned().ok_or_else(|| ControlError::not_found(&target.id))?;
    let policy = answers::policy(stored.properties())?;
    let past = answers::past(draft.world(), &stored, &call.seen, now);
    let scope = answers::scope_of(&target.id);
    let spared = answers::spared(draft.world(), &scope, call.administrators.clone(), now);
    let nothing = |resource| Planned {
        effect: Effect::Unchanged,
        resource: Some(resource),
        verb: "answer".to_owned(),
        target: target.id.to_string(),
        before: None,
        after: None,
        note: None,
        unfinished: None,
        warnings: Vec::new(),
    };
    let act: Answer = match policy.answer(&call.seen, &past, &spared, now) {
        None => return Ok(nothing(json!({}))),
        Some(answer) => answer,
    };
    let act = match act {
        Ok(act) => act,
        Err(why) => {
            return Ok(nothing(json!({"withheld": why.to_string(), "told": why.is_told()})));
        }
    };
    let (id, verb) = carry_out(draft, context, target, call, &policy, &act)?;
    spend(draft, &stored, &act, now);
    let after = draft.world().document(&id).map(|document| document.body().clone());
    Ok(Planned {
        effect: Effect::Created,
        resource: draft.world().render(&id),
        verb: verb.to_owned(),
        target: id.to_string(),
        after,
        ..nothing(Value::Null)
    })
}

/// Writes what an act is; its id, and what the audit log calls it.
fn carry_out(
    draft: &mut Draft<'_>,
    context: &Context<'_>,
    policy: &Target,
    call: &AnswerCall,
    said: &Policy,
    act: &Act,
) -> Result<(ResourceId, &'static str), ControlError> {
    let mut properties = json!({
        "reason": format!("{} ({})", call.seen.name, call.alert),
        "startTimeUtc": time::rfc3339(context.now),
        "policy": policy.id.as_str(),
        "alert": {"id": call.alert, "name": call.seen.name},
        "provisioningState": "Succeeded",
    });
    let (scope, kind, verb) = match act {
        Act::Quarantine { machine } => {
            properties["target"] = json!({"id": machine.as_str()});
            properties["forensic"] = answers::paths_written(said.forensic());
            (group_of(machine), QUARANTINE, "quarantine")
        }
        Act::Throttle { machine, until } => {
            throttle::describe(&mut properties, machine, said.slowing().pace, *until);
            (group_of(machine), THROTTLE, "throttle")
        }
        Act::Block { prefix, machine, until, repetition } => {
            properties["target"] = json!({"id": machine.as_str()});
            bar(&mut properties, *prefix, *until, *repetition);
            (group_of(machine), LOCKOUT, "block")
        }
        Act::Lockout { prefix, until, repetition } => {
            bar(&mut properties, *prefix, *until, *repetition);
            (Some(answers::scope_of(&policy.id)), LOCKOUT, "lock out")
        }
    };
    let scope =
        scope.ok_or_else(|| ControlError::bad("InvalidAnswer", "The machine is in no resource group."))?;
    let name = &uuid::Uuid::new_v4().simple().to_string()[..12];
    let target = kinds::locate(&ResourceId::new(&format!("{scope}/providers/{kind}/{name}")))?;
    group::check_place(draft.world(), &target)?;
    if kind == LOCKOUT {
        check_room(draft.world(), &scope, &target.id, seconds(context.now))?;
        forget(draft, &scope, seconds(context.now));
    }
    if kind == THROTTLE {
        throttle::make_room(draft, &scope, seconds(context.now))?;
    }
    let body = json!({"properties": properties});
    draft.put(Document::new(target.id.clone(), target.kind, body, put::new_etag(), 0));
    Ok((target.id, verb))
}

fn bar(properties: &mut Value, prefix: Prefix, until: u32, repetition: u32) {
    properties["source"] = answers::shown(prefix).into();
    properties["endTimeUtc"] = time::rfc3339(u64::from(until)).into();
    properties["repetition"] = repetition.into();
}

/// Writes down that a step of the hour's budget was taken.
fn spend(draft: &mut Draft<'_>, policy: &Document, act: &Act, now: u32) {
    let all = answers::acts(policy.properties(), now).into_iter().chain([(act.step(), now)]);
    let all = all.map(|(step, at)| json!({"step": step.name(), "timeUtc": time::rfc3339(u64::from(at))}));
    let mut body = policy.body().clone();
    body["properties"]["acts"] = all.collect();
    draft.put(Document::new(policy.id().clone(), policy.kind(), body, put::new_etag(), policy.order()));
}

/// Takes the oldest lock-outs of a scope away that have ended, if there are too many to remember.
fn forget(draft: &mut Draft<'_>, scope: &ResourceId, now: u32) {
    let all = answers::of_scope(draft.world(), scope, LOCKOUT);
    let all = all.filter_map(|document| {
        Some((answers::lockout(document.properties()).ok()?.until, document.id().clone()))
    });
    let mut all: Vec<(u32, ResourceId)> = all.collect();
    let surplus = (all.len() + 1).saturating_sub(REMEMBERED_MAX);
    all.retain(|(until, _)| *until <= now);
    all.sort();
    all.iter().take(surplus).for_each(|(_, id)| draft.remove(id));
}

fn check_room(world: &World, scope: &ResourceId, id: &ResourceId, now: u32) -> Result<(), ControlError> {
    let others = answers::of_scope(world, scope, LOCKOUT).filter(|document| document.id() != id);
    let ends = others.filter_map(|document| Some(answers::lockout(document.properties()).ok()?.until));
    if ends.filter(|until| now < *until).count() < LOCKOUTS_MAX {
        return Ok(());
    }
    Err(limit(format!(
        "{scope} has {LOCKOUTS_MAX} lock-outs in force: remove some, or lock out their network."
    )))
}

pub(super) fn limit(message: String) -> ControlError {
    ControlError::new(409, "AnswerLimitReached", message)
}

/// The machine or the interface that something is about. It is in the group of what is about it: who may write in one group must not
/// cut off what is in another.
pub(super) fn subject(world: &World, id: &Value, group: &ResourceId) -> Result<ResourceId, ControlError> {
    let path = "properties.target.id";
    let text = id.as_str().unwrap_or_default();
    let id = ResourceId::new(text);
    let is_one = ["virtualMachines", "networkInterfaces"].iter().any(|kind| id.segment(kind).is_some());
    if !text.starts_with('/') || !is_one {
        let problem =
            format!("is \"{text}\" and must be the id of a virtual machine or of a network interface");
        return Err(answers::wrong(path, problem));
    }
    if group_of(&id).as_ref() != Some(group) {
        return Err(answers::wrong(path, format!("is not in the resource group {group}")));
    }
    let is_nic = id.segment("networkInterfaces").is_some();
    if is_nic && world.document(&id).is_none() {
        return Err(ControlError::not_found(&id));
    }
    Ok(id)
}

/// What is to be told of a machine that has no interface at which anything could hold.
pub(super) fn unseen(
    world: &World,
    whom: &ResourceId,
    code: &'static str,
    what: &str,
) -> Option<ControlError> {
    let is_seen = whom.segment("networkInterfaces").is_some() || !access::interfaces(world, whom).is_empty();
    let message = format!(
        "No network interface belongs to {whom}: nothing is {what} until one names it as its virtualMachine, or the virtual machine \
         is a resource that names one."
    );
    (!is_seen).then(|| ControlError::bad(code, message).about(whom.as_str()))
}

pub(super) fn check_reason(properties: &Value) -> Result<(), ControlError> {
    let length = properties["reason"].as_str().unwrap_or_default().trim().chars().count();
    if (1..=REASON_MAX).contains(&length) {
        return Ok(());
    }
    Err(answers::wrong(
        "properties.reason",
        format!("has {length} characters and must have 1 to {REASON_MAX}: say why"),
    ))
}

/// Half the internet is nobody's source.
fn check_width(prefix: Prefix) -> Result<(), ControlError> {
    let least = match prefix.family() {
        palisade_net::Family::V4 => 8,
        palisade_net::Family::V6 => 16,
    };
    if prefix.length() >= least {
        return Ok(());
    }
    Err(answers::wrong("properties.source", format!("is {prefix} and must not be wider than /{least}")))
}

/// What the server wrote stays as it was.
pub(super) fn keep(properties: &mut Value, stored: Option<&Value>, now: u64) {
    for key in ["policy", "alert"] {
        if let Some(value) = stored.and_then(|stored| stored.get(key)) {
            properties[key] = value.clone();
        }
    }
    let start = stored.map(|stored| stored["startTimeUtc"].clone());
    properties["startTimeUtc"] = start.unwrap_or_else(|| time::rfc3339(now).into());
    properties["provisioningState"] = "Succeeded".into();
}

//! Throttles: what the server fills in, by hand and by policy.

use palisade_model::{Pace, ResourceId};
use serde_json::{Value, json};

use super::{Context, Draft, answers as plan};
use crate::access::seconds;
use crate::answers::{self, THROTTLES_MAX};
use crate::kinds::{THROTTLE, Target};
use crate::{ControlError, World, time};

/// Fills in what the server writes of a throttle, and checks it; what is to be told of it.
pub(super) fn fill(
    world: &World,
    context: &Context<'_>,
    target: &Target,
    own: &mut Value,
) -> Result<Vec<ControlError>, ControlError> {
    let group = target.group().filter(|group| *group == target.scope);
    let group = group.ok_or_else(|| answers::wrong("id", "is not in a resource group"))?;
    let properties = &mut own["properties"];
    let whom = plan::subject(world, &properties["target"]["id"], &group)?;
    plan::fill_end(properties, context.now)?;
    plan::check_reason(properties)?;
    plan::keep(properties, world.document(&target.id).map(|stored| stored.properties()), context.now);
    let throttled = answers::throttle(properties)?;
    describe(properties, &whom, throttled.pace, throttled.until);
    check_room(world, &group, &target.id, seconds(context.now))?;
    Ok(Vec::from_iter(plan::unseen(world, &whom, "ThrottleHasNoInterface", "throttled")))
}

/// Writes what is throttled, how much, and until when.
pub(super) fn describe(properties: &mut Value, machine: &ResourceId, pace: Pace, until: u32) {
    properties["target"] = json!({"id": machine.as_str()});
    properties["newDestinationsPerSecond"] = pace.per_second.into();
    properties["workingSet"] = pace.working_set.into();
    properties["endTimeUtc"] = time::rfc3339(u64::from(until)).into();
}

/// Takes those of a group away that have ended, and checks that another one may be there.
pub(super) fn make_room(draft: &mut Draft<'_>, group: &ResourceId, now: u32) -> Result<(), ControlError> {
    let ended =
        answers::of_scope(draft.world(), group, THROTTLE).filter(|one| !is_in_force(one.properties(), now));
    let ended: Vec<ResourceId> = ended.map(|document| document.id().clone()).collect();
    ended.iter().for_each(|id| draft.remove(id));
    check_room(draft.world(), group, group, now)
}

fn check_room(world: &World, group: &ResourceId, id: &ResourceId, now: u32) -> Result<(), ControlError> {
    let others = answers::of_scope(world, group, THROTTLE).filter(|document| document.id() != id);
    if others.filter(|document| is_in_force(document.properties(), now)).count() < THROTTLES_MAX {
        return Ok(());
    }
    Err(plan::limit(format!("{group} has {THROTTLES_MAX} throttles in force: release some of them.")))
}

fn is_in_force(properties: &Value, now: u32) -> bool {
    answers::throttle(properties).is_ok_and(|own| now < own.until)
}

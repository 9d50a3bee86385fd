//! Throttles from the `properties` of their documents, and what they mean at an interface.

use palisade_guard::answer::Slowing;
use palisade_model::{Pace, ResourceId};
use serde_json::{Value, json};

use super::read::{moment, number, only, time_of};
use super::wrong;
use crate::kinds::{self, THROTTLE};
use crate::world::{Document, World};
use crate::{ControlError, time};

/// How something is throttled.
pub(crate) struct Throttled {
    /// The rate.
    pub(crate) pace: Pace,
    /// The first second in which it is no more.
    pub(crate) until: u32,
}

/// How much something is throttled, and until when.
pub(crate) fn throttle(properties: &Value) -> Result<Throttled, ControlError> {
    let pace = pace(properties, "properties")?;
    if !pace.is_sound() {
        let (rate, set) =
            (palisade_model::limits::THROTTLE_RATE_MAX, palisade_model::limits::WORKING_SET_MAX);
        let problem = format!("must be 1 to {rate}, and workingSet 1 to {set}");
        return Err(wrong("properties.newDestinationsPerSecond", problem));
    }
    Ok(Throttled { pace, until: moment(&properties["endTimeUtc"], "properties.endTimeUtc")? })
}

/// The numbers of a policy's throttles.
pub(super) fn slowing(value: &Value) -> Result<Slowing, ControlError> {
    let path = "properties.throttle";
    only(value, path, &["newDestinationsPerSecond", "workingSet", "duration"])?;
    let mut slowing = Slowing { pace: pace(value, path)?, ..Slowing::default() };
    if !value["duration"].is_null() {
        slowing.seconds = time_of(&value["duration"], &format!("{path}.duration"))?;
    }
    Ok(slowing)
}

/// The numbers that are given; the normal ones for those that are not.
fn pace(value: &Value, path: &str) -> Result<Pace, ControlError> {
    let mut pace = Pace::default();
    for (key, own) in
        [("newDestinationsPerSecond", &mut pace.per_second), ("workingSet", &mut pace.working_set)]
    {
        if !value[key].is_null() {
            *own = number(&value[key], &format!("{path}.{key}"))?;
        }
    }
    Ok(pace)
}

/// The throttles of some targets: machines and their interfaces.
pub(crate) fn throttles_of<'w>(
    world: &'w World,
    targets: &[ResourceId],
) -> impl Iterator<Item = (&'w Document, Throttled)> {
    let all = targets.iter().flat_map(|target| world.naming(target));
    let all = all.filter(|document| document.kind().name == THROTTLE);
    // What was stored could be read when it was.
    all.filter_map(|document| Some((&**document, throttle(document.properties()).ok()?)))
}

/// The document of an interface's throttle, if it has one. Of several the one that ends last holds.
pub(super) fn list(world: &World, nic: &Document, targets: &[ResourceId]) -> Option<Document> {
    let all = throttles_of(world, targets);
    let (document, own) = all.max_by_key(|(document, own)| (own.until, document.id().clone()))?;
    let properties = json!({
        "networkInterface": {"id": nic.id().as_str()},
        "throttle": document.id().name(),
        "newDestinationsPerSecond": own.pace.per_second,
        "workingSet": own.pace.working_set,
        "expiresAt": time::rfc3339(u64::from(own.until)),
    });
    super::rules::document(nic, &kinds::SLOWED, &properties)
}

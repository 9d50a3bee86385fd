//! Rates of new destinations. What is not known of one is an error: half a throttle is none.

use std::collections::BTreeMap;

use super::schedule::end;
use crate::{
    Code, Nic, Pace, Place, ResourceId, Throttle,
    limits::{THROTTLE_RATE_MAX, WORKING_SET_MAX},
    problem::Problems,
    spec::{At, Given, ThrottleSpec},
};

/// Puts each throttle at its interface. Of several the one that ends last holds.
pub(super) fn apply(specs: &[ThrottleSpec], nics: &mut BTreeMap<ResourceId, Nic>, p: &mut Problems) {
    for spec in specs {
        p.about(&spec.id);
        let Some((interface, throttle)) = checked(spec, p) else { continue };
        let Some(nic) = nics.get_mut(&interface) else { continue };
        let lasts = |throttle: &Throttle| throttle.until.unwrap_or(u32::MAX);
        if nic.throttle.as_ref().is_none_or(|other| lasts(other) < lasts(&throttle)) {
            nic.throttle = Some(throttle);
        }
    }
}

fn checked(spec: &ThrottleSpec, p: &mut Problems) -> Option<(ResourceId, Throttle)> {
    let interface = known(spec, "networkInterface", spec.interface.as_ref(), None, p);
    let normal = Pace::default();
    let mut number = |field, given, default, max| {
        let value = known(spec, field, given, Some(i64::from(default)), p)?;
        let sound = u32::try_from(value).ok().filter(|value| (1..=max).contains(value));
        if sound.is_none() {
            let message = format!("{field} of {} is {value} and must be 1 to {max}", spec.id);
            p.error(Code::PalInvalidThrottle, &spec.place, message);
        }
        sound
    };
    let per_second =
        number("newDestinationsPerSecond", spec.per_second.as_ref(), normal.per_second, THROTTLE_RATE_MAX);
    let working_set = number("workingSet", spec.working_set.as_ref(), normal.working_set, WORKING_SET_MAX);
    let own = Some(spec.id.name().to_owned());
    let name = known(spec, "throttle", spec.throttle.as_ref(), own, p);
    let until = end(&spec.id, spec.expires_at.as_ref(), p);
    let pace = Pace { per_second: per_second?, working_set: working_set? };
    Some((interface?, Throttle { name: name?, pace, until: until? }))
}

/// A value that is given, or its default; a message if there is neither.
fn known<T: Clone>(
    spec: &ThrottleSpec,
    field: &str,
    given: Option<&At<Given<T>>>,
    default: Option<T>,
    p: &mut Problems,
) -> Option<T> {
    let (problem, place): (&str, &Place) = match given {
        None if default.is_some() => return default,
        None => ("is missing", &spec.place),
        Some(At { value: Given::Known(value), .. }) => return Some(value.clone()),
        Some(At { value: Given::Unknown(reason), place }) => (reason, place),
    };
    p.error(Code::PalInvalidThrottle, place, format!("{field} of {}: {problem} (give the value)", spec.id));
    None
}

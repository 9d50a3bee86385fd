//! Rates of new destinations of an interface's machine.

use palisade_model::spec::ThrottleSpec;

use super::{Resource, note_uncertain};
use crate::estate::fields::Reader;
use crate::estate::index::List;

pub(super) fn throttle(reader: &mut Reader, resource: &Resource<'_>) {
    note_uncertain(reader, resource);
    let item = resource.item;
    let spec = ThrottleSpec {
        id: resource.id.clone(),
        throttle: reader.text(item, "throttle"),
        interface: reader.reference(item, "networkInterface"),
        per_second: reader.integer(item, "newDestinationsPerSecond"),
        working_set: reader.integer(item, "workingSet"),
        expires_at: reader.text(item, "expiresAt"),
        place: resource.place(),
    };
    reader.index.keep(List::Throttles, &mut reader.spec.throttles, &resource.id, spec);
}

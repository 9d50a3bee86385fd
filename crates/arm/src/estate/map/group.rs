//! Application security groups and their sets of address prefixes.

use palisade_model::spec::{AsgSpec, At, Given, Text, TextList};

use super::{Resource, note_uncertain};
use crate::estate::fields::Reader;
use crate::estate::index::List;

pub(super) fn group(reader: &mut Reader, resource: &Resource<'_>) {
    note_uncertain(reader, resource);
    let mut spec = AsgSpec {
        id: resource.id.clone(),
        name: resource.name(reader),
        address_prefixes: Vec::new(),
        place: resource.place(),
    };
    for set in reader.objects(resource.item, "addressPrefixSets", &resource.id) {
        spec.address_prefixes.extend(prefixes(reader.texts(set, "addressPrefixes")));
    }
    reader.index.keep(List::Asgs, &mut reader.spec.asgs, &resource.id, spec);
}

/// A set of prefixes that is a resource of its own.
pub(super) fn prefix_set(reader: &mut Reader, resource: &Resource<'_>) {
    let Some(parent) = resource.parent(reader) else { return };
    note_uncertain(reader, resource);
    let group = reader.index.find(List::Asgs, &parent).unwrap_or_else(|| {
        let stub = Resource { id: parent.clone(), ..resource.clone() };
        let name = stub.name(reader);
        let spec = AsgSpec { id: parent.clone(), name, address_prefixes: Vec::new(), place: stub.place() };
        reader.index.keep(List::Asgs, &mut reader.spec.asgs, &parent, spec)
    });
    let found = prefixes(reader.texts(resource.item, "addressPrefixes"));
    reader.spec.asgs[group].address_prefixes.extend(found);
}

/// The texts of a list; one unknown text for an unknown list.
pub(super) fn prefixes(list: Option<TextList>) -> Vec<Text> {
    match list {
        None => Vec::new(),
        Some(At { value: Given::Known(texts), .. }) => texts,
        Some(At { value: Given::Unknown(reason), place }) => {
            vec![At { value: Given::Unknown(reason), place }]
        }
    }
}

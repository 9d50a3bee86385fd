//! Security admin rules of a network manager, and which networks they apply to.
//!
//! A rule collection names network groups; a group's members are resources of their own. Members that a policy adds are
//! known to the live manager only, so a group without a static member in the input has unknown members.

use std::collections::{BTreeSet, HashMap};

use palisade_model::ResourceId;
use palisade_model::spec::{AdminCollectionSpec, AdminRuleSpec, At, Given, OwnList, Reference, Text};

use super::group::prefixes;
use super::{Resource, element_id, note_uncertain};
use crate::estate::fields::Reader;
use crate::estate::index::List;
use crate::estate::item::Item;

/// Network groups and their members, until all are read.
#[derive(Debug, Default)]
pub(in crate::estate) struct NetworkGroups {
    groups: BTreeSet<ResourceId>,
    members: HashMap<ResourceId, HashMap<ResourceId, Reference>>,
    /// The groups that each collection, by its place in the spec, applies to.
    targets: Vec<(usize, At<Given<Vec<Reference>>>)>,
    /// Whether there are no members and groups but those of the input.
    is_complete: bool,
}

pub(super) fn network_group(groups: &mut NetworkGroups, resource: &Resource<'_>) {
    groups.groups.insert(resource.id.clone());
}

pub(super) fn static_member(reader: &mut Reader, groups: &mut NetworkGroups, resource: &Resource<'_>) {
    note_uncertain(reader, resource);
    let Some(group) = resource.parent(reader) else { return };
    let Some(member) = resource.item.property("resourceId") else { return };
    let member = reader.as_id(member, "resourceId");
    groups.members.entry(group).or_default().insert(resource.id.clone(), member);
}

/// A rule collection.
pub(super) fn collection(reader: &mut Reader, groups: &mut NetworkGroups, resource: &Resource<'_>) {
    note_uncertain(reader, resource);
    let targets = targets(reader, resource);
    let mut spec = AdminCollectionSpec {
        id: resource.id.clone(),
        name: resource.name(reader),
        virtual_networks: At { value: Given::Known(Vec::new()), place: targets.place.clone() },
        interface: None,
        own_list: OwnList::default(),
        rules: Vec::new(),
        place: resource.place(),
    };
    let mut ids = Vec::new();
    for (index, element) in reader.objects(resource.item, "rules", &resource.id).into_iter().enumerate() {
        let name = reader.some_name(element);
        ids.push(element_id(&resource.id, "rules", Some(&name), index));
        spec.rules.push(rule(reader, element, name));
    }
    let collections = &mut reader.spec.admin_collections;
    let collection = reader.index.keep(List::AdminCollections, collections, &resource.id, spec);
    reader.index.children(List::AdminRules, collection, ids);
    groups.targets.push((collection, targets));
}

/// The network groups of `appliesToGroups`.
fn targets(reader: &mut Reader, resource: &Resource<'_>) -> At<Given<Vec<Reference>>> {
    let place = resource.item.property("appliesToGroups").unwrap_or(resource.item).place();
    let elements = reader.objects(resource.item, "appliesToGroups", &resource.id);
    if elements.is_empty() {
        let value = Given::Unknown("the collection names no network group".to_owned());
        return At { value, place };
    }
    let id = |element: Item<'_>| {
        let id = element.get("networkGroupId")?;
        Some(reader.as_id(id, "networkGroupId"))
    };
    At { value: Given::Known(elements.into_iter().filter_map(id).collect()), place }
}

/// A rule that is a resource of its own.
pub(super) fn rule_child(reader: &mut Reader, resource: &Resource<'_>) {
    note_uncertain(reader, resource);
    let Some(parent) = resource.parent(reader) else { return };
    let collection = reader.index.find(List::AdminCollections, &parent).unwrap_or_else(|| {
        let reason = "the input has rules of this collection but not the collection itself";
        let place = resource.place();
        let stub = Resource { id: parent.clone(), ..resource.clone() };
        let spec = AdminCollectionSpec {
            name: stub.name(reader),
            id: parent.clone(),
            virtual_networks: At { value: Given::Unknown(reason.to_owned()), place: place.clone() },
            interface: None,
            own_list: OwnList::default(),
            rules: Vec::new(),
            place,
        };
        reader.index.keep(List::AdminCollections, &mut reader.spec.admin_collections, &parent, spec)
    });
    let name = resource.name(reader);
    let rule = rule(reader, resource.item, name);
    let rules = &mut reader.spec.admin_collections[collection].rules;
    reader.index.put(List::AdminRules, collection, rules, &resource.id, rule);
}

fn rule(reader: &mut Reader, item: Item<'_>, name: Text) -> AdminRuleSpec {
    AdminRuleSpec {
        protocol: reader.text(item, "protocol"),
        sources: addresses(reader, item, "sources", &name),
        destinations: addresses(reader, item, "destinations", &name),
        source_port_ranges: prefixes(reader.texts(item, "sourcePortRanges")),
        destination_port_ranges: prefixes(reader.texts(item, "destinationPortRanges")),
        access: reader.text(item, "access"),
        priority: reader.text(item, "priority"),
        direction: reader.text(item, "direction"),
        expires_at: None,
        name,
        place: item.place(),
    }
}

/// A list of an interface's own: rules like a collection's, some of which end.
pub(super) fn own_list(reader: &mut Reader, resource: &Resource<'_>, list: OwnList) {
    note_uncertain(reader, resource);
    let item = resource.item;
    let interface = reader.reference(item, "networkInterface").unwrap_or_else(|| {
        let reason = "the list names no networkInterface".to_owned();
        At { value: Given::Unknown(reason), place: resource.place() }
    });
    let rules = reader.objects(item, "rules", &resource.id).into_iter().map(|element| {
        let name = reader.some_name(element);
        AdminRuleSpec { expires_at: reader.text(element, "expiresAt"), ..rule(reader, element, name) }
    });
    let spec = AdminCollectionSpec {
        id: resource.id.clone(),
        rules: rules.collect(),
        name: resource.name(reader),
        virtual_networks: At { value: Given::Known(Vec::new()), place: resource.place() },
        interface: Some(interface),
        own_list: list,
        place: resource.place(),
    };
    let collections = &mut reader.spec.admin_collections;
    reader.index.keep(List::AdminCollections, collections, &resource.id, spec);
}

/// The prefixes of `sources` or `destinations`. An unknown list is one unknown prefix: an empty list would mean any.
fn addresses(reader: &mut Reader, item: Item<'_>, key: &str, rule: &Text) -> Vec<Text> {
    let Some(list) = item.property(key) else { return Vec::new() };
    let unknown = |reason: String, item: Item<'_>| At { value: Given::Unknown(reason), place: item.place() };
    let rule = rule.value.known().map_or_else(|| "a rule".to_owned(), |name| format!("rule \"{name}\""));
    if let Some(reason) = list.unknown_reason() {
        return vec![unknown(reason, list)];
    }
    let elements = match reader.elements(list, key) {
        Ok(elements) => elements,
        Err(reason) => return vec![unknown(reason, list)],
    };
    let address = |element: Item<'_>| {
        let kind = reader.text(element, "addressPrefixType").and_then(|kind| kind.value.known().cloned());
        match reader.text(element, "addressPrefix") {
            Some(prefix) if kind.is_some_and(|kind| kind.eq_ignore_ascii_case("NetworkGroup")) => At {
                value: Given::Unknown(format!("{key} of {rule} is a network group")),
                place: prefix.place,
            },
            Some(prefix) => prefix,
            None => unknown(format!("an element of {key} has no addressPrefix"), element),
        }
    };
    elements.into_iter().map(address).collect()
}

impl NetworkGroups {
    /// For an input that has every group and every member.
    pub(in crate::estate) fn complete() -> Self {
        Self { is_complete: true, ..Self::default() }
    }

    /// Writes the members of the groups into the collections.
    pub(in crate::estate) fn finish(self, reader: &mut Reader) {
        for (index, targets) in &self.targets {
            let networks = match &targets.value {
                Given::Unknown(reason) => Given::Unknown(reason.clone()),
                Given::Known(groups) => self.networks(groups),
            };
            reader.spec.admin_collections[*index].virtual_networks.value = networks;
        }
    }

    /// The members of all groups, or why they are not known.
    fn networks(&self, groups: &[Reference]) -> Given<Vec<Reference>> {
        let mut networks: Vec<Reference> = Vec::new();
        for group in groups {
            let id = match &group.value {
                Given::Known(id) => id,
                Given::Unknown(reason) => return Given::Unknown(reason.clone()),
            };
            match self.members.get(id) {
                Some(members) => networks.extend(members.values().cloned()),
                None if self.is_complete => {}
                None if self.groups.contains(id) => {
                    return Given::Unknown(format!("the input has no static member of network group {id}"));
                }
                None => return Given::Unknown(format!("network group {id} is not in the input")),
            }
        }
        networks.sort_by(|a, b| a.place.cmp(&b.place));
        Given::Known(networks)
    }
}

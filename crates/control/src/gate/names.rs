//! The resources that intents name: which documents they are, and whether a change alters what they stand for.

use std::collections::BTreeSet;

use palisade_analysis::intent::{Intent, Intents, Kind, Shape, Thing};
use palisade_model::ResourceId;

use super::concerned::Changed;
use super::sets::Set;
use crate::World;
use crate::kinds;

/// The documents that the words of some sets may mean.
pub(super) fn documents<'a>(
    world: &World,
    sets: impl IntoIterator<Item = &'a Intents>,
) -> BTreeSet<ResourceId> {
    let intents = sets.into_iter().flat_map(|set| &set.intents);
    let words: BTreeSet<(Kind, &str)> = intents.flat_map(things).filter_map(resource).collect();
    let found = words
        .iter()
        .flat_map(|(kind, name)| world.of_kind(type_of(*kind)).filter(move |id| is_named(id, name)).cloned());
    found.collect()
}

/// Whether a change alters whom a word of the set stands for, in a way that the interfaces of the change do not show.
pub(super) fn have_moved(set: &Set, changed: &[Changed]) -> bool {
    changed.iter().any(|change| set.intents.intents.iter().any(|intent| has_moved(intent, change)))
}

fn has_moved(intent: &Intent, change: &Changed) -> bool {
    let is = |kind: Kind, id: &ResourceId| things(intent).any(|thing| means(thing, kind, id));
    let any = |kind: Kind| things(intent).filter_map(resource).any(|(known, _)| known == kind);
    match change.kind() {
        Some(kinds::SUBNET) => {
            let moved = change.differs_in("addressPrefix") || change.differs_in("addressPrefixes");
            let attached = change.differs_in("networkSecurityGroup");
            moved && is(Kind::Subnet, &change.id) || (moved || attached) && any(Kind::Nsg)
        }
        Some(kinds::NETWORK) => change.differs_in("addressSpace") && is(Kind::Network, &change.id),
        Some(kinds::ASG) => is(Kind::Group, &change.id),
        Some(kinds::PREFIX_SET) => change.id.parent().is_some_and(|group| is(Kind::Group, &group)),
        Some(kinds::NSG) => {
            let came_or_went = change.before.is_none() || change.after.is_none();
            came_or_went && is(Kind::Nsg, &change.id)
        }
        Some(kinds::NIC) => interface_has_moved(intent, change),
        _ => false,
    }
}

/// An interface is asked itself wherever it is an end of packets. That does not show that it has left: what came from it may now
/// come from nobody known. Nor that it has come to those whom others must let in.
fn interface_has_moved(intent: &Intent, change: &Changed) -> bool {
    if !change.differs_in("ipConfigurations") && !change.differs_in("networkSecurityGroup") {
        return false;
    }
    let stands_for = |thing: &Thing| {
        resource(thing).is_some_and(|(kind, name)| match kind {
            Kind::Nic => is_named(&change.id, name),
            Kind::Group => [&change.before, &change.after].into_iter().flatten().any(|document| {
                document.links().any(|(id, link)| link.kinds == [kinds::ASG] && is_named(id, name))
            }),
            Kind::Nsg => true,
            Kind::Network | Kind::Subnet => false,
        })
    };
    let exceptions = intent.except.iter().flat_map(|one| one.from.iter().chain(&one.to));
    let excused = || exceptions.clone().any(stands_for);
    match intent.shape {
        Shape::Only => intent.from.iter().any(stands_for) || excused(),
        Shape::Allowed => things(intent).any(stands_for),
        Shape::Forbidden => excused(),
    }
}

/// Every word of an intent.
fn things(intent: &Intent) -> impl Iterator<Item = &Thing> {
    let excepted = intent.except.iter().flat_map(|one| one.from.iter().chain(&one.to));
    intent.from.iter().chain(&intent.to).chain(excepted)
}

fn resource(thing: &Thing) -> Option<(Kind, &str)> {
    match thing {
        Thing::Resource { kind, name } => Some((*kind, name)),
        Thing::Any | Thing::Prefix(_) | Thing::Tag(_) => None,
    }
}

fn means(thing: &Thing, kind: Kind, id: &ResourceId) -> bool {
    resource(thing).is_some_and(|(known, name)| known == kind && is_named(id, name))
}

/// Whether a name, after a slash that of its parent, or an id is that of a resource.
pub(super) fn is_named(id: &ResourceId, name: &str) -> bool {
    if name.starts_with('/') {
        return *id == ResourceId::new(name);
    }
    let mut own = id.as_str().split('/').rev().step_by(2);
    name.split('/').rev().all(|part| own.next().is_some_and(|own| own.eq_ignore_ascii_case(part)))
}

const fn type_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Network => kinds::NETWORK,
        Kind::Subnet => kinds::SUBNET,
        Kind::Group => kinds::ASG,
        Kind::Nic => kinds::NIC,
        Kind::Nsg => kinds::NSG,
    }
}

//! Which interfaces a change concerns, and which hosts: those whose span has what changed, before or after.
//!
//! References are followed backwards, from what changed to the interfaces that it judges, by the world's indexes and
//! never by a scan. It is the mirror of [`World::closure`]: a host whose span changes is always found; one that is found needlessly
//! confirms at once. A test compares both on generated changes.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use palisade_model::ResourceId;

use super::HostName;
use crate::world::{Document, World};
use crate::{access, answers, kinds};

/// The hosts that must act when `before` becomes `after`, if these resources and children are what differs.
pub fn concerned(before: &World, after: &World, changed: &[ResourceId]) -> BTreeSet<HostName> {
    let mut hosts = BTreeSet::new();
    let differs = |id: &&ResourceId| match (before.document(id), after.document(id)) {
        (Some(before), Some(after)) => before.body() != after.body(),
        (before, after) => before.is_some() || after.is_some(),
    };
    let changed: Vec<&ResourceId> = changed.iter().filter(differs).collect();
    for world in [before, after].into_iter().filter(|world| !world.bindings().is_empty()) {
        judged(world, changed.iter().copied(), |nic| hosts.append(&mut world.bindings().hosts(nic)));
    }
    hosts
}

/// Finds the interfaces that these resources and children judge in a world. One may be found twice.
pub(crate) fn judged<'i>(
    world: &World,
    changed: impl IntoIterator<Item = &'i ResourceId>,
    found: impl FnMut(&Arc<Document>),
) {
    let mut walk = Walk { world, found, seen: HashSet::new() };
    for document in changed.into_iter().filter_map(|id| world.document(id)) {
        walk.changed(document);
    }
}

struct Walk<'a, F> {
    world: &'a World,
    found: F,
    /// What led to its interfaces already.
    seen: HashSet<ResourceId>,
}

impl<'a, F: FnMut(&Arc<Document>)> Walk<'a, F> {
    fn changed(&mut self, document: &'a Arc<Document>) {
        let id = document.id();
        match document.kind().name {
            kinds::NIC => {
                self.nic(document);
                self.named_by(document, kinds::ASG, Self::group_of_rules);
            }
            kinds::NSG => self.nsg(id),
            kinds::RULE => self.parent(id, Self::nsg),
            kinds::ASG => self.group(id),
            kinds::PREFIX_SET => self.parent(id, Self::group),
            kinds::SUBNET => self.subnet(id),
            kinds::NETWORK => {
                self.network(id);
                self.naming(id, kinds::PEERING, |walk, peering| walk.parent(peering.id(), Self::network));
            }
            kinds::PEERING => self.parent(id, Self::network),
            kinds::ROUTE_TABLE => self.table(id),
            kinds::ROUTE => self.parent(id, Self::table),
            kinds::PUBLIC_IP => {
                self.naming(id, kinds::NIC, Self::nic);
                self.naming(id, kinds::LOAD_BALANCER, |walk, balancer| walk.balancer(balancer.id()));
            }
            kinds::LOAD_BALANCER => self.balancer(id),
            kinds::NAT_RULE => self.naming(id, kinds::NIC, Self::nic),
            kinds::STATIC_MEMBER => {
                document.references().for_each(|network| self.network(network));
                self.parent(id, Self::network_group);
            }
            kinds::NETWORK_GROUP => self.network_group(id),
            kinds::ADMIN_COLLECTION => self.collection(document),
            kinds::ADMIN_RULE => {
                let collection = id.parent().and_then(|parent| self.world.document(&parent));
                if let Some(collection) = collection {
                    self.collection(collection);
                }
            }
            kinds::VM => self.machine(id),
            kinds::JIT => document.references().for_each(|machine| self.machine(machine)),
            kinds::TUNNEL => {
                let world = self.world;
                document.references().filter_map(|nic| world.document(nic)).for_each(|nic| self.nic(nic));
            }
            kinds::QUARANTINE | kinds::LOCKOUT | kinds::THROTTLE => self.answer(document),
            _ => {}
        }
    }

    fn nic(&mut self, nic: &'a Arc<Document>) {
        (self.found)(nic);
    }

    fn nsg(&mut self, id: &ResourceId) {
        if self.is_new(id) {
            self.naming(id, kinds::NIC, Self::nic);
            self.naming(id, kinds::SUBNET, |walk, subnet| walk.subnet(subnet.id()));
        }
    }

    fn subnet(&mut self, id: &ResourceId) {
        if self.is_new(id) {
            self.naming(id, kinds::NIC, Self::nic);
        }
    }

    fn network(&mut self, id: &ResourceId) {
        if self.is_new(id) {
            for subnet in self.world.children(id, "subnets") {
                self.subnet(subnet.id());
            }
        }
    }

    fn table(&mut self, id: &ResourceId) {
        self.naming(id, kinds::SUBNET, |walk, subnet| walk.subnet(subnet.id()));
    }

    /// The interfaces that a load balancer's inbound NAT rules lead to.
    fn balancer(&mut self, id: &ResourceId) {
        if self.is_new(id) {
            for rule in self.world.children(id, "inboundNatRules") {
                self.naming(rule.id(), kinds::NIC, Self::nic);
            }
        }
    }

    /// A group of interfaces itself: who names it in rules, and its members, whose spans have it too.
    fn group(&mut self, id: &ResourceId) {
        self.group_of_rules(id);
        self.naming(id, kinds::NIC, Self::nic);
    }

    /// What a group means to rules that name it: its members and prefixes.
    fn group_of_rules(&mut self, id: &ResourceId) {
        if self.is_new(id) {
            self.naming(id, kinds::RULE, |walk, rule| walk.parent(rule.id(), Self::nsg));
        }
    }

    fn network_group(&mut self, id: &ResourceId) {
        if self.is_new(id) {
            for member in self.world.under(id).filter(|child| child.kind().name == kinds::STATIC_MEMBER) {
                member.references().for_each(|network| self.network(network));
            }
        }
    }

    fn collection(&mut self, collection: &Arc<Document>) {
        collection.references().for_each(|group| self.network_group(group));
    }

    /// The interfaces of a machine: doors are closed and opened there.
    fn machine(&mut self, id: &ResourceId) {
        if self.is_new(id) {
            let world = self.world;
            let nics = access::interfaces(world, id);
            nics.iter().filter_map(|nic| world.document(nic)).for_each(|nic| self.nic(nic));
        }
    }

    /// The interfaces of what is isolated or kept from somebody; all of the scope, if somebody is locked out there.
    fn answer(&mut self, document: &'a Document) {
        let world = self.world;
        let mut targets = document.references().peekable();
        if targets.peek().is_none() {
            return answers::interfaces_of(world, document).for_each(|nic| self.nic(nic));
        }
        for target in targets {
            match world.document(target).filter(|target| target.kind().name == kinds::NIC) {
                Some(nic) => self.nic(nic),
                None => self.machine(target),
            }
        }
    }

    fn is_new(&mut self, id: &ResourceId) -> bool {
        self.seen.insert(id.clone())
    }

    fn parent(&mut self, id: &ResourceId, step: impl FnOnce(&mut Self, &ResourceId)) {
        if let Some(parent) = id.parent() {
            step(self, &parent);
        }
    }

    /// Takes a step to every document of a kind that names `id`.
    fn naming(&mut self, id: &ResourceId, kind: &str, mut step: impl FnMut(&mut Self, &'a Arc<Document>)) {
        let world = self.world;
        for document in world.naming(id).filter(|document| document.kind().name == kind) {
            step(self, document);
        }
    }

    /// Takes a step to every resource of a kind that `document` names.
    fn named_by(&mut self, document: &Document, kind: &str, step: impl Fn(&mut Self, &ResourceId)) {
        for (target, link) in document.links() {
            if link.kinds == [kind] {
                step(self, target);
            }
        }
    }
}

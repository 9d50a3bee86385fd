//! The part of the world that judges some interfaces: what an agent, or a question about them, must know.
//!
//! Groups of interfaces bring their members, reduced to what a group needs: configurations with address, subnet and
//! groups. Everything is found by references, never by a scan.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use palisade_model::{Estate, ResourceId};
use serde_json::{Map, Value, json};

use super::{Document, World};
use crate::{ControlError, access, answers, kinds};

/// A document of a closure.
#[derive(Debug, Clone)]
pub enum Part {
    /// As it is stored.
    Whole(Arc<Document>),
    /// An interface that is only a member of a group: of it, what groups need.
    Member(Arc<Document>),
}

impl Part {
    /// The document that it is, or is a part of.
    pub const fn document(&self) -> &Arc<Document> {
        let (Self::Whole(document) | Self::Member(document)) = self;
        document
    }

    /// What stands in the store of it, without id, name and type.
    pub fn stored(&self) -> Cow<'_, Value> {
        match self {
            Self::Whole(document) => Cow::Borrowed(document.body()),
            Self::Member(document) => Cow::Owned(reduced(document)),
        }
    }

    /// The resource in ARM's JSON, children not inlined.
    pub fn body(&self) -> Value {
        let (id, kind) = (self.document().id(), self.document().kind().name);
        let envelope = json!({"id": id.as_str(), "name": id.name(), "type": kind});
        match (envelope, self.stored().into_owned()) {
            (Value::Object(envelope), Value::Object(rest)) => {
                Value::Object(envelope.into_iter().chain(rest).collect())
            }
            (envelope, _) => envelope,
        }
    }
}

impl World {
    /// What judges these interfaces, in the order of ids: themselves, their NSGs with rules, networks with subnets and
    /// peerings and the peered networks, route tables, public addresses, groups with prefixes and members, and the
    /// security admin rules of their networks, their time-limited access and endpoints, and what isolates them or locks somebody out.
    pub fn closure(&self, nics: &[ResourceId]) -> Vec<Part> {
        self.closure_with(nics, [])
    }

    /// The same, with what further resources stand for: groups, subnets, networks and NSGs with the interfaces that belong to them,
    /// which are members only.
    pub(crate) fn closure_with<'n>(
        &self,
        nics: &[ResourceId],
        named: impl IntoIterator<Item = &'n ResourceId>,
    ) -> Vec<Part> {
        let mut closure = Closure { world: self, parts: BTreeMap::new(), networks: BTreeSet::new() };
        for nic in nics {
            closure.interface(nic);
        }
        for id in named {
            closure.named(id);
        }
        closure.parts.into_values().collect()
    }

    /// The checked estate of the closure.
    pub fn estate(&self, nics: &[ResourceId]) -> Result<Estate, ControlError> {
        crate::plan::estate_of(self, &self.closure(nics))
    }
}

struct Closure<'a> {
    world: &'a World,
    parts: BTreeMap<ResourceId, Part>,
    /// Networks whose peerings were followed; a peer's are not.
    networks: BTreeSet<ResourceId>,
}

impl<'a> Closure<'a> {
    /// Adds a document; `None` if it is there already, or nowhere.
    fn add(&mut self, id: &ResourceId) -> Option<&'a Arc<Document>> {
        let document = self.world.document(id)?;
        let before = self.parts.insert(id.clone(), Part::Whole(document.clone()));
        (!matches!(before, Some(Part::Whole(_)))).then_some(document)
    }

    /// Adds a document and all its children.
    fn add_family(&mut self, id: &ResourceId) -> Option<&'a Arc<Document>> {
        let document = self.add(id)?;
        for child in self.world.under(id) {
            self.parts.insert(child.id().clone(), Part::Whole(child.clone()));
        }
        Some(document)
    }

    fn interface(&mut self, id: &ResourceId) {
        let Some(document) = self.add(id) else { return };
        let lists = access::doors(self.world, document).into_iter();
        for list in lists.chain(answers::own_lists(self.world, document)) {
            self.parts.insert(list.id().clone(), Part::Whole(Arc::new(list)));
        }
        for (target, link) in document.links() {
            match link.kinds {
                [kinds::NSG] => self.nsg(target),
                [kinds::SUBNET] => self.network_of(target),
                [kinds::PUBLIC_IP] => {
                    self.add(target);
                }
                [kinds::ASG] => {
                    self.add_family(target);
                }
                [kinds::NAT_RULE] => self.endpoint(target),
                _ => {}
            }
        }
    }

    /// An inbound NAT rule that leads to an interface, and the addresses of its load balancer. Rules that lead to others are
    /// not among what judges it.
    fn endpoint(&mut self, rule: &ResourceId) {
        self.add(rule);
        let balancer = rule.parent().and_then(|balancer| self.add(&balancer));
        for (target, link) in balancer.into_iter().flat_map(|balancer| balancer.links()) {
            if link.kinds == [kinds::PUBLIC_IP] {
                self.add(target);
            }
        }
    }

    fn nsg(&mut self, id: &ResourceId) {
        if self.add_family(id).is_none() {
            return;
        }
        let world = self.world;
        for rule in world.under(id) {
            for group in rule.references() {
                self.group(group);
            }
        }
    }

    /// A group that rules name, with its members.
    fn group(&mut self, id: &ResourceId) {
        self.add_family(id);
        self.members(id);
    }

    /// The interfaces that name a resource, as far as a group needs them.
    fn members(&mut self, id: &ResourceId) {
        let world = self.world;
        for member in world.naming(id).filter(|document| document.kind().name == kinds::NIC) {
            self.member(member);
        }
    }

    fn member(&mut self, interface: &Arc<Document>) {
        if !self.parts.contains_key(interface.id()) {
            self.parts.insert(interface.id().clone(), Part::Member(interface.clone()));
        }
    }

    /// What a resource stands for where somebody names it.
    fn named(&mut self, id: &ResourceId) {
        let world = self.world;
        let Some(document) = world.document(id) else { return };
        match document.kind().name {
            kinds::ASG => self.group(id),
            kinds::NIC => self.member(document),
            kinds::SUBNET => self.subnet_alone(id),
            kinds::NETWORK => {
                self.add(id);
                world.children(id, "subnets").iter().for_each(|subnet| self.subnet_alone(subnet.id()));
            }
            kinds::NSG => {
                self.add_family(id);
                self.members(id);
                for subnet in world.naming(id).filter(|document| document.kind().name == kinds::SUBNET) {
                    self.subnet_alone(subnet.id());
                }
            }
            _ => {}
        }
    }

    /// A subnet with the interfaces in it, and its network, without what judges there.
    fn subnet_alone(&mut self, id: &ResourceId) {
        self.add(id);
        self.members(id);
        if let Some(network) = id.parent() {
            self.add(&network);
        }
    }

    /// The subnet of an interface, and its network.
    fn network_of(&mut self, subnet: &ResourceId) {
        if let Some(document) = self.add(subnet) {
            for (target, link) in document.links() {
                match link.kinds {
                    [kinds::NSG] => self.nsg(target),
                    [kinds::ROUTE_TABLE] => {
                        self.add_family(target);
                    }
                    _ => {}
                }
            }
        }
        if let Some(network) = subnet.parent() {
            self.network(&network);
        }
    }

    /// A network, the address spaces of those it is peered with, and the admin rules of it.
    fn network(&mut self, id: &ResourceId) {
        if !self.networks.insert(id.clone()) {
            return;
        }
        self.add(id);
        let world = self.world;
        for peering in world.children(id, "virtualNetworkPeerings") {
            self.add(peering.id());
            for peer in peering.references() {
                self.add(peer);
            }
        }
        for member in world.naming(id).filter(|document| document.kind().name == kinds::STATIC_MEMBER) {
            self.admin(member);
        }
    }

    /// The collections that apply to the group of a static member.
    fn admin(&mut self, member: &Arc<Document>) {
        let Some(group) = member.id().parent() else { return };
        self.add_family(&group);
        let world = self.world;
        for collection in world.naming(&group).filter(|d| d.kind().name == kinds::ADMIN_COLLECTION) {
            self.add_family(collection.id());
            // Of the other groups it applies to, what they hold must be known, or nobody could tell that it is not this network.
            for group in collection.references() {
                self.add_family(group);
            }
        }
    }
}

/// What a group needs of a member.
fn reduced(nic: &Document) -> Value {
    let configurations = nic.properties()["ipConfigurations"].as_array().into_iter().flatten();
    let configurations: Vec<Value> = configurations
        .map(|configuration| {
            let properties = &configuration["properties"];
            let kept = ["privateIPAddress", "privateIPAddressVersion", "subnet", "applicationSecurityGroups"];
            let kept: Map<String, Value> = kept
                .iter()
                .filter_map(|key| Some(((*key).to_owned(), properties.get(*key)?.clone())))
                .collect();
            json!({"name": configuration["name"], "properties": kept})
        })
        .collect();
    json!({"properties": {"ipConfigurations": configurations}})
}

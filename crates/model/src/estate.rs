//! The estate: all checked resources, and how they refer to each other.
//!
//! Built by [`Estate::validate`] only. References are kept as ids; one that leads nowhere, or that only a deployment could
//! tell, is answered as unknown by [`crate::effective`].

use std::collections::BTreeMap;
use std::net::IpAddr;

use palisade_net::{Direction, Prefix};

use crate::{
    Addresses, InboundNatRule, Mode, Nic, Problem, ResourceId, Rule, Salvaged, TagCatalog, Truth,
    next_hop::UserRoute, spec::EstateSpec, spec::Given, spec::OwnList, spec::Unknown, validate,
};

/// A network security group: its rules by direction, in the order in which they are asked, default rules last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nsg {
    pub(crate) id: ResourceId,
    pub(crate) name: String,
    pub(crate) flush_connection: bool,
    pub(crate) inbound: Vec<Rule>,
    pub(crate) outbound: Vec<Rule>,
    pub(crate) mode: Mode,
    pub(crate) open_parts: Vec<String>,
    pub(crate) complete: bool,
    pub(crate) certain: bool,
}

impl Nsg {
    /// Resource id.
    pub const fn id(&self) -> &ResourceId {
        &self.id
    }

    /// Name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether live flows are judged again when its rules change: `flushConnection`, true if it is not given.
    pub const fn flush_connection(&self) -> bool {
        self.flush_connection
    }

    /// Whether what it denies is dropped, or only counted.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Rules of one direction in the order in which they are asked. A rule of unknown direction is in both; one of unknown
    /// priority comes first, since it may precede any other.
    pub fn rules(&self, direction: Direction) -> &[Rule] {
        match direction {
            Direction::Inbound => &self.inbound,
            Direction::Outbound => &self.outbound,
        }
    }

    /// Whether the input tells all its rules.
    pub const fn is_complete(&self) -> bool {
        self.complete
    }

    /// Whether the NSG surely exists, and it is known whether it is in audit.
    pub const fn is_certain(&self) -> bool {
        self.certain
    }

    /// Whether an attachment is this NSG's.
    pub(crate) fn is_attached_by(&self, reference: &Option<Given<ResourceId>>) -> bool {
        reference.as_ref().and_then(Given::known) == Some(&self.id)
    }
}

/// A virtual network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualNetwork {
    pub(crate) id: ResourceId,
    pub(crate) name: String,
    pub(crate) addresses: Addresses,
    /// Those of its address space that are known, as they were written: routes lead to each.
    pub(crate) prefixes: Vec<Prefix>,
    pub(crate) subnets: Vec<Subnet>,
    pub(crate) peerings: Vec<Peering>,
    pub(crate) learned: Addresses,
    pub(crate) flow_timeout_minutes: Option<u32>,
    pub(crate) open_parts: Vec<String>,
}

impl VirtualNetwork {
    /// Resource id.
    pub const fn id(&self) -> &ResourceId {
        &self.id
    }

    /// Name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Address space.
    pub const fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// What its gateways learned.
    pub const fn learned(&self) -> &Addresses {
        &self.learned
    }

    /// Idle timeout of its flows in minutes, if given.
    pub const fn flow_timeout_minutes(&self) -> Option<u32> {
        self.flow_timeout_minutes
    }

    /// Subnets.
    pub fn subnets(&self) -> &[Subnet] {
        &self.subnets
    }
}

/// A subnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subnet {
    pub(crate) id: ResourceId,
    pub(crate) name: String,
    pub(crate) addresses: Addresses,
    pub(crate) nsg: Option<Given<ResourceId>>,
    pub(crate) route_table: Option<Given<ResourceId>>,
    pub(crate) governs_private_endpoints: Truth,
    pub(crate) delegations: Vec<String>,
}

impl Subnet {
    /// Resource id.
    pub const fn id(&self) -> &ResourceId {
        &self.id
    }

    /// Name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Addresses.
    pub const fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The attached NSG.
    pub const fn nsg(&self) -> Option<&Given<ResourceId>> {
        self.nsg.as_ref()
    }

    /// Services that the subnet is given to, as far as they are known.
    pub fn delegations(&self) -> &[String] {
        &self.delegations
    }
}

/// One side of a peering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peering {
    pub(crate) remote: Given<ResourceId>,
    pub(crate) remote_addresses: Option<Addresses>,
    pub(crate) use_remote_gateways: Truth,
    pub(crate) certain: bool,
}

/// A route table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RouteTable {
    /// What it adds to the `VirtualNetwork` tag of its subnets.
    pub(crate) destinations: Addresses,
    pub(crate) routes: Vec<UserRoute>,
    pub(crate) disable_gateway_propagation: Truth,
}

/// How open a public address is by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PublicIpSku {
    /// Open unless an NSG closes it.
    Basic,
    /// Closed to inbound traffic until an NSG opens it.
    Standard,
}

/// A load balancer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadBalancer {
    pub(crate) id: ResourceId,
    pub(crate) frontends: Vec<Frontend>,
}

impl LoadBalancer {
    /// Resource id.
    pub const fn id(&self) -> &ResourceId {
        &self.id
    }

    /// Where it listens in a virtual network, as far as that is known.
    pub fn frontends(&self) -> &[Frontend] {
        &self.frontends
    }
}

/// A private address at which a load balancer listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frontend {
    /// The address.
    pub address: IpAddr,
    /// Whether machines behind it see packets with this address ("floating IP") and not with their own.
    pub is_floating: Truth,
}

/// A security admin rule collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AdminCollection {
    pub(crate) id: ResourceId,
    pub(crate) virtual_networks: Given<Vec<ResourceId>>,
    /// The one interface that it is about, if it is one of that interface's own lists.
    pub(crate) interface: Option<Given<ResourceId>>,
    /// Which of them.
    pub(crate) own_list: OwnList,
    pub(crate) rules: Vec<Rule>,
}

/// All checked resources.
#[derive(Debug, Clone, Default)]
pub struct Estate {
    pub(crate) nsgs: BTreeMap<ResourceId, Nsg>,
    pub(crate) groups: BTreeMap<ResourceId, Addresses>,
    pub(crate) virtual_networks: BTreeMap<ResourceId, VirtualNetwork>,
    pub(crate) route_tables: BTreeMap<ResourceId, RouteTable>,
    pub(crate) nics: BTreeMap<ResourceId, Nic>,
    pub(crate) public_ips: BTreeMap<ResourceId, Given<PublicIpSku>>,
    pub(crate) load_balancers: BTreeMap<ResourceId, LoadBalancer>,
    pub(crate) inbound_nat_rules: BTreeMap<ResourceId, InboundNatRule>,
    pub(crate) admin_collections: BTreeMap<ResourceId, AdminCollection>,
    pub(crate) tags: TagCatalog,
    pub(crate) unknowns: Vec<Unknown>,
}

impl Estate {
    /// Checks everything that was read.
    ///
    /// The estate is `None` if any problem is an error: a document is taken whole or not at all. Warnings come with the estate.
    pub fn validate(spec: &EstateSpec, tags: TagCatalog) -> (Option<Self>, Vec<Problem>) {
        validate::estate(spec, tags)
    }

    /// Checks everything that was read, for questions that must not wait for every error: what is in error is taken as
    /// unknown, so that no answer depends on it. What is enforced is never made like this.
    pub fn validate_leniently(spec: &EstateSpec, tags: TagCatalog) -> Salvaged {
        validate::leniently(spec, tags)
    }

    /// The same without quarantines, lock-outs, blocked pairs and throttles: what is meant to last. An interface in audit whose
    /// machine is in quarantine stays one that enforces.
    #[must_use]
    pub fn without_answers(&self) -> Self {
        let mut lasting = self.clone();
        lasting
            .admin_collections
            .retain(|_, collection| collection.interface.is_none() || !collection.own_list.is_answer());
        lasting.nics.values_mut().for_each(|nic| nic.throttle = None);
        lasting
    }

    /// NSGs by id.
    pub fn nsgs(&self) -> impl Iterator<Item = &Nsg> {
        self.nsgs.values()
    }

    /// Network interfaces by id.
    pub fn nics(&self) -> impl Iterator<Item = &Nic> {
        self.nics.values()
    }

    /// Load balancers by id.
    pub fn load_balancers(&self) -> impl Iterator<Item = &LoadBalancer> {
        self.load_balancers.values()
    }

    /// Inbound NAT rules of load balancers, by id.
    pub fn inbound_nat_rules(&self) -> impl Iterator<Item = &InboundNatRule> {
        self.inbound_nat_rules.values()
    }

    /// Virtual networks by id.
    pub fn virtual_networks(&self) -> impl Iterator<Item = &VirtualNetwork> {
        self.virtual_networks.values()
    }

    /// Application security groups by id, with the prefixes of their own; members are told by interfaces.
    pub fn application_security_groups(&self) -> impl Iterator<Item = (&ResourceId, &Addresses)> {
        self.groups.iter()
    }

    /// Service tags, by which rules are resolved.
    pub const fn tags(&self) -> &TagCatalog {
        &self.tags
    }

    /// What the input leaves open.
    pub fn unknowns(&self) -> &[Unknown] {
        &self.unknowns
    }

    /// An NSG by id.
    pub fn nsg(&self, id: &ResourceId) -> Option<&Nsg> {
        self.nsgs.get(id)
    }

    /// NSGs with this name or id, compared without case. Names are unique in a resource group only.
    pub fn nsgs_named(&self, name: &str) -> Vec<&Nsg> {
        self.nsgs.values().filter(|nsg| matches_name(&nsg.id, &nsg.name, name)).collect()
    }

    /// Network interfaces with this name or id, compared without case.
    pub fn nics_named(&self, name: &str) -> Vec<&Nic> {
        self.nics.values().filter(|nic| matches_name(&nic.id, &nic.name, name)).collect()
    }

    /// The subnet of this id and its network.
    pub fn subnet(&self, id: &ResourceId) -> Option<(&VirtualNetwork, &Subnet)> {
        let network = self.virtual_networks.get(&id.parent()?)?;
        let subnet = network.subnets.iter().find(|subnet| subnet.id == *id)?;
        Some((network, subnet))
    }
}

fn matches_name(id: &ResourceId, name: &str, asked: &str) -> bool {
    name.eq_ignore_ascii_case(asked) || id.as_str().eq_ignore_ascii_case(asked)
}

//! What a user wrote: resources with public fields, nothing checked yet.
//!
//! Readers (the `arm` crate) fill these in; [`crate::Estate::validate`] turns them into checked values. Every text keeps the
//! [`Place`] it came from, and may be unknown: a value that only a deployment can give. It must not decide whether a
//! value is right.

mod new;
mod throttle;

use std::{collections::BTreeMap, fmt, sync::Arc};

use crate::{ResourceId, Truth};
pub use throttle::ThrottleSpec;

/// Where a value stands in the input.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Place {
    /// File name as the user gave it; empty when the input has no name.
    pub file: Arc<str>,
    /// Line, from 1; 0 when not known.
    pub line: u32,
    /// JSON pointer (RFC 6901) into the file.
    pub pointer: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.file.is_empty(), self.line) {
            (false, 0) => f.write_str(&self.file),
            (false, line) => write!(f, "{}:{line}", self.file),
            (true, 0) => f.write_str(&self.pointer),
            (true, line) => write!(f, "line {line}"),
        }
    }
}

/// A value, or the reason why only a deployment could tell it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Given<T> {
    /// The value.
    Known(T),
    /// Why it is not known, as a phrase: `parameter "adminIp" has no value`.
    Unknown(String),
}

impl<T> Given<T> {
    /// The value if it is known.
    pub const fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

/// A text that may be unknown.
pub type Text = At<Given<String>>;
/// A list of texts; the list itself may be unknown.
pub type TextList = At<Given<Vec<Text>>>;
/// A reference to another resource.
pub type Reference = At<Given<ResourceId>>;
/// A truth value that may be unknown.
pub type Flag = At<Given<bool>>;
/// Resource tags by name; all of them, or the value of one, may be unknown.
pub type ResourceTags = At<Given<BTreeMap<String, Text>>>;

/// Everything that was read, of all files together.
#[derive(Debug, Clone, Default)]
pub struct EstateSpec {
    /// Network security groups.
    pub nsgs: Vec<NsgSpec>,
    /// Application security groups.
    pub asgs: Vec<AsgSpec>,
    /// Virtual networks.
    pub virtual_networks: Vec<VirtualNetworkSpec>,
    /// Route tables.
    pub route_tables: Vec<RouteTableSpec>,
    /// Network interfaces.
    pub nics: Vec<NicSpec>,
    /// Public IP addresses.
    pub public_ips: Vec<PublicIpSpec>,
    /// Load balancers.
    pub load_balancers: Vec<LoadBalancerSpec>,
    /// On-premises prefixes that virtual networks learn from their gateways.
    pub learned_prefixes: Vec<LearnedPrefixesSpec>,
    /// Security admin rule collections.
    pub admin_collections: Vec<AdminCollectionSpec>,
    /// Rates of new destinations.
    pub throttles: Vec<ThrottleSpec>,
    /// What the reader could not resolve, and what that leaves open.
    pub unknowns: Vec<Unknown>,
}

/// Something that the input refers to but does not tell.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Unknown {
    /// What is not known, as the name or id of a resource, or an expression.
    pub what: String,
    /// Why.
    pub reason: String,
    /// Where it stands.
    pub place: Place,
}

/// A network security group.
#[derive(Debug, Clone)]
pub struct NsgSpec {
    /// Resource id.
    pub id: ResourceId,
    /// Name.
    pub name: Text,
    /// Region.
    pub location: Option<Text>,
    /// `flushConnection`.
    pub flush_connection: Option<Flag>,
    /// Rules of the `securityRules` property and of `securityRules` child resources.
    pub rules: Vec<RuleSpec>,
    /// Whether further rules may exist that the input does not tell, and why.
    pub rules_unknown: Option<String>,
    /// Tags of the resource.
    pub tags: Option<ResourceTags>,
    /// False if the resource's condition is unknown, so that it may not exist.
    pub certain: bool,
    /// Where it stands.
    pub place: Place,
}

/// A security rule, with Azure's field names.
#[derive(Debug, Clone, Default)]
pub struct RuleSpec {
    /// Name.
    pub name: Option<Text>,
    /// Description, at most 140 characters.
    pub description: Option<Text>,
    /// `Tcp`, `Udp`, `Icmp`, `Esp`, `Ah`, `*`, or a number 0 to 255.
    pub protocol: Option<Text>,
    /// Source side.
    pub source: SideSpec,
    /// Destination side.
    pub destination: SideSpec,
    /// `Allow` or `Deny`.
    pub access: Option<Text>,
    /// 100 to 4096, as written.
    pub priority: Option<Text>,
    /// `Inbound` or `Outbound`.
    pub direction: Option<Text>,
    /// `notBefore`, a time in ISO 8601. Not one of Azure's fields, like the next two.
    pub not_before: Option<Text>,
    /// `expiresAt`, a time in ISO 8601.
    pub expires_at: Option<Text>,
    /// `mode`: `Enforce` or `Audit`.
    pub mode: Option<Text>,
    /// False if the rule's condition is unknown, so that it may not exist.
    pub certain: bool,
    /// Where it stands.
    pub place: Place,
}

/// One side of a rule: Azure's singular and plural fields.
#[derive(Debug, Clone, Default)]
pub struct SideSpec {
    /// `sourceAddressPrefix` or `destinationAddressPrefix`.
    pub address_prefix: Option<Text>,
    /// `sourceAddressPrefixes` or `destinationAddressPrefixes`.
    pub address_prefixes: Option<TextList>,
    /// `sourceApplicationSecurityGroups` or `destinationApplicationSecurityGroups`.
    pub groups: Option<At<Given<Vec<Reference>>>>,
    /// `sourcePortRange` or `destinationPortRange`.
    pub port_range: Option<Text>,
    /// `sourcePortRanges` or `destinationPortRanges`.
    pub port_ranges: Option<TextList>,
}

/// An application security group.
#[derive(Debug, Clone)]
pub struct AsgSpec {
    /// Resource id.
    pub id: ResourceId,
    /// Name.
    pub name: Text,
    /// Prefixes of its `addressPrefixSets`.
    pub address_prefixes: Vec<Text>,
    /// Where it stands.
    pub place: Place,
}

/// A virtual network.
#[derive(Debug, Clone)]
pub struct VirtualNetworkSpec {
    /// Resource id.
    pub id: ResourceId,
    /// Name.
    pub name: Text,
    /// `addressSpace.addressPrefixes`.
    pub address_prefixes: Option<TextList>,
    /// Subnets.
    pub subnets: Vec<SubnetSpec>,
    /// Peerings.
    pub peerings: Vec<PeeringSpec>,
    /// `flowTimeoutInMinutes`, 4 to 30.
    pub flow_timeout_minutes: Option<At<Given<i64>>>,
    /// Where it stands.
    pub place: Place,
}

/// A subnet.
#[derive(Debug, Clone)]
pub struct SubnetSpec {
    /// Resource id.
    pub id: ResourceId,
    /// Name.
    pub name: Text,
    /// `addressPrefix` or `addressPrefixes`.
    pub address_prefixes: Option<TextList>,
    /// `networkSecurityGroup.id`.
    pub nsg: Option<Reference>,
    /// `routeTable.id`.
    pub route_table: Option<Reference>,
    /// `privateEndpointNetworkPolicies`.
    pub private_endpoint_policies: Option<Text>,
    /// `delegations[].properties.serviceName`: services that the subnet is given to.
    pub delegations: Vec<Text>,
    /// Where it stands.
    pub place: Place,
}

/// A virtual network peering, on the side of the network that holds it.
#[derive(Debug, Clone)]
pub struct PeeringSpec {
    /// Name.
    pub name: Text,
    /// `remoteVirtualNetwork.id`.
    pub remote: Option<Reference>,
    /// `remoteVirtualNetworkAddressSpace` or `remoteAddressSpace`, if given.
    pub remote_prefixes: Option<TextList>,
    /// `allowVirtualNetworkAccess`; Azure's default is true.
    pub allow_access: Truth,
    /// `peeringState`, if given.
    pub state: Option<Text>,
    /// `useRemoteGateways`.
    pub use_remote_gateways: Truth,
    /// Where it stands.
    pub place: Place,
}

/// A route table.
#[derive(Debug, Clone)]
pub struct RouteTableSpec {
    /// Resource id.
    pub id: ResourceId,
    /// Name.
    pub name: Text,
    /// Routes.
    pub routes: Vec<RouteSpec>,
    /// `disableBgpRoutePropagation`.
    pub disable_gateway_propagation: Truth,
    /// Where it stands.
    pub place: Place,
}

/// A user-defined route.
#[derive(Debug, Clone)]
pub struct RouteSpec {
    /// Name.
    pub name: Text,
    /// Prefix or service tag.
    pub address_prefix: Option<Text>,
    /// `VirtualAppliance`, `Internet`, `None`, ...
    pub next_hop_type: Option<Text>,
    /// Where it stands.
    pub place: Place,
}

/// A network interface.
#[derive(Debug, Clone)]
pub struct NicSpec {
    /// Resource id.
    pub id: ResourceId,
    /// Name.
    pub name: Text,
    /// `networkSecurityGroup.id`.
    pub nsg: Option<Reference>,
    /// IP configurations.
    pub ip_configurations: Vec<IpConfigurationSpec>,
    /// `macAddress`.
    pub mac: Option<Text>,
    /// `enableIPForwarding`.
    pub ip_forwarding: Option<Flag>,
    /// `disableTcpStateTracking`.
    pub disable_tcp_state_tracking: Option<Flag>,
    /// Whether the interface belongs to a private endpoint.
    pub private_endpoint: bool,
    /// Tags of the resource.
    pub tags: Option<ResourceTags>,
    /// Where it stands.
    pub place: Place,
}

/// An IP configuration of a network interface.
#[derive(Debug, Clone)]
pub struct IpConfigurationSpec {
    /// Name.
    pub name: Text,
    /// `privateIPAddress`, an address or prefix; absent when it is assigned at deployment.
    pub private_address: Option<Text>,
    /// `subnet.id`.
    pub subnet: Option<Reference>,
    /// `publicIPAddress.id`.
    pub public_ip: Option<Reference>,
    /// `applicationSecurityGroups`.
    pub asgs: Vec<Reference>,
    /// `loadBalancerInboundNatRules`: the rules that lead here.
    pub nat_rules: Vec<Reference>,
    /// `primary`, if given.
    pub primary: Option<bool>,
    /// `privateIPAddressVersion` is `IPv6`.
    pub ipv6: bool,
    /// Where it stands.
    pub place: Place,
}

/// A public IP address.
#[derive(Debug, Clone)]
pub struct PublicIpSpec {
    /// Resource id.
    pub id: ResourceId,
    /// Name.
    pub name: Text,
    /// `sku.name`; Azure's default is Basic in the API.
    pub sku: Option<Text>,
    /// `ipAddress`, if assigned.
    pub address: Option<Text>,
    /// Where it stands.
    pub place: Place,
}

/// A load balancer: where it listens, and what it passes on.
#[derive(Debug, Clone)]
pub struct LoadBalancerSpec {
    /// Resource id.
    pub id: ResourceId,
    /// `frontendIPConfigurations`.
    pub frontends: Vec<FrontendSpec>,
    /// `loadBalancingRules` and `inboundNatRules`.
    pub mappings: Vec<MappingSpec>,
    /// False if there may be mappings that the input does not tell.
    pub mappings_known: bool,
    /// `inboundNatRules` once more, as endpoints; as children of their own too.
    pub nat_rules: Vec<NatRuleSpec>,
    /// Where it stands.
    pub place: Place,
}

/// An address at which a load balancer listens.
#[derive(Debug, Clone)]
pub struct FrontendSpec {
    /// Resource id.
    pub id: ResourceId,
    /// `privateIPAddress`, if it is one of a network and is given.
    pub private_address: Option<Text>,
    /// `publicIPAddress.id`, if it is reached from the Internet.
    pub public_ip: Option<Reference>,
    /// Where it stands.
    pub place: Place,
}

/// What a load balancer passes on to machines.
#[derive(Debug, Clone)]
pub struct MappingSpec {
    /// `frontendIPConfiguration.id`.
    pub frontend: Option<Reference>,
    /// `enableFloatingIP`: machines see the frontend's address.
    pub floating: Truth,
    /// Where it stands.
    pub place: Place,
}

/// An inbound NAT rule of a load balancer: a port of a frontend that leads to a port of one machine.
#[derive(Debug, Clone)]
pub struct NatRuleSpec {
    /// Resource id.
    pub id: ResourceId,
    /// `frontendIPConfiguration.id`.
    pub frontend: Option<Reference>,
    /// `protocol`: `Tcp`, `Udp`, `All` or `Quic`.
    pub protocol: Option<Text>,
    /// `frontendPort`.
    pub frontend_port: Option<At<Given<i64>>>,
    /// `backendPort`.
    pub backend_port: Option<At<Given<i64>>>,
    /// `allowedSourceAddressPrefixes`, which Azure does not have: who may use it. Everybody if it is not given.
    pub sources: Option<TextList>,
    /// `backendIPConfiguration.id`, which Azure tells and does not take: interfaces name the rule.
    pub target: Option<Reference>,
    /// `enableFloatingIP`.
    pub floating: Truth,
    /// Whether it is of the kind that maps a range of ports to a pool.
    pub is_of_pool: bool,
    /// False if the resource's condition is unknown, so that it may not exist.
    pub certain: bool,
    /// Where it stands.
    pub place: Place,
}

/// Prefixes behind the gateway of a virtual network.
#[derive(Debug, Clone)]
pub struct LearnedPrefixesSpec {
    /// The network whose gateway learns them.
    pub virtual_network: Reference,
    /// The prefixes.
    pub address_prefixes: TextList,
}

/// A security admin rule collection and the networks it applies to.
#[derive(Debug, Clone)]
pub struct AdminCollectionSpec {
    /// Resource id.
    pub id: ResourceId,
    /// Name.
    pub name: Text,
    /// Members of the network groups it applies to.
    pub virtual_networks: At<Given<Vec<Reference>>>,
    /// The one interface it is about, if it is one of that interface's own lists and no network's.
    pub interface: Option<Reference>,
    /// Which of an interface's own lists it is; it says nothing of a network's.
    pub own_list: OwnList,
    /// Rules.
    pub rules: Vec<AdminRuleSpec>,
    /// Where it stands.
    pub place: Place,
}

/// Lists of rules that an interface has of its own beside its network's security admin rules, in the order in which they are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum OwnList {
    /// What isolates the machine. Nothing stands before it.
    Quarantine,
    /// Sources that are locked out, and pairs that are blocked. Grants alone stand before it.
    Lockout,
    /// Time-limited access; it stands behind the security admin rules.
    #[default]
    Door,
}

impl OwnList {
    /// Whether it answers an alert: it is there for a while, and says nothing of what is meant to be reached.
    pub const fn is_answer(self) -> bool {
        matches!(self, Self::Quarantine | Self::Lockout)
    }
}

impl fmt::Display for OwnList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quarantine => "Quarantine",
            Self::Lockout => "Lockout",
            Self::Door => "TimedAccess",
        })
    }
}

/// A security admin rule.
#[derive(Debug, Clone)]
pub struct AdminRuleSpec {
    /// Name.
    pub name: Text,
    /// `Tcp`, `Udp`, `Icmp`, `Esp`, `Ah` or `Any`.
    pub protocol: Option<Text>,
    /// `sources[].addressPrefix`; an empty list means any.
    pub sources: Vec<Text>,
    /// `destinations[].addressPrefix`; an empty list means any.
    pub destinations: Vec<Text>,
    /// `sourcePortRanges`; an empty list means any.
    pub source_port_ranges: Vec<Text>,
    /// `destinationPortRanges`; an empty list means any.
    pub destination_port_ranges: Vec<Text>,
    /// `Allow`, `Deny` or `AlwaysAllow`.
    pub access: Option<Text>,
    /// 1 to 4096, as written.
    pub priority: Option<Text>,
    /// `Inbound` or `Outbound`.
    pub direction: Option<Text>,
    /// `expiresAt` of time-limited access, a time in ISO 8601.
    pub expires_at: Option<Text>,
    /// Where it stands.
    pub place: Place,
}

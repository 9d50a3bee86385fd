//! Kinds of resources: their types in canonical spelling, and what their bodies look like.
//!
//! One table says everything that is not behaviour: which properties are read-only, which are references and to what, and
//! which collections of children stand inside a parent. Properties that the table does not name are kept and echoed.
//! Reference: the REST API's resource models, docs/semantics.md.

mod answers;
mod balancer;
mod compute;
mod intents;
mod locate;
mod manager;
mod network;
mod resources;
mod security;
#[cfg(test)]
mod tests;

pub(crate) use answers::{BARRED, ISOLATED, SLOWED};
pub(crate) use locate::group_of;
pub use locate::{Target, canonical_location, locate};
pub(crate) use security::TIMED_ACCESS;

/// What a value of a body is.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// Anything; it is kept.
    Any,
    /// A string; numbers are taken as they are written, as Azure does.
    Text,
    /// A boolean, or its text.
    Flag,
    /// A whole number, or its text.
    Integer,
    /// A list of strings.
    Texts,
    /// An object.
    Object(&'static [Field]),
    /// A list of objects with names, each with `properties`.
    Elements(&'static [Field]),
    /// A list of plain objects.
    Objects(&'static [Field]),
    /// `{"id": ...}` of a resource of this kind.
    Reference(&'static Link),
    /// A list of them.
    References(&'static Link),
    /// The id itself, as a string.
    Id(&'static Link),
}

/// What a reference may lead to.
#[derive(Debug)]
pub struct Link {
    /// Types of the resources it may name; empty if none of them is served here and it is only kept.
    pub kinds: &'static [&'static str],
    /// Whether both must be in one region and one subscription.
    pub is_local: bool,
}

/// A property.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name in canonical spelling.
    pub name: &'static str,
    /// What it holds.
    pub shape: Shape,
    /// Whether only the server writes it, so that what a client sends is dropped.
    pub is_read_only: bool,
}

impl Field {
    const fn new(name: &'static str, shape: Shape) -> Self {
        Self { name, shape, is_read_only: false }
    }

    const fn read_only(name: &'static str) -> Self {
        Self { name, shape: Shape::Any, is_read_only: true }
    }
}

/// Children of one kind that a parent holds.
#[derive(Debug)]
pub struct Collection {
    /// The path segment and, where they are inlined, the property: `securityRules`.
    pub segment: &'static str,
    /// The children's kind.
    pub kind: &'static Kind,
    /// Whether the parent's body carries them.
    pub is_inlined: bool,
    /// Whether they stay if the body of a PUT does not name the collection.
    pub is_kept_if_absent: bool,
}

/// A kind of resource.
#[derive(Debug)]
pub struct Kind {
    /// Type in canonical spelling: `Microsoft.Network/networkSecurityGroups/securityRules`.
    pub name: &'static str,
    /// What people call one, for messages.
    pub label: &'static str,
    /// Whether it has a `location`.
    pub is_located: bool,
    /// Members of the body beside `properties` that the table knows.
    pub envelope: &'static [Field],
    /// Members of `properties`.
    pub properties: &'static [Field],
    /// Children.
    pub collections: &'static [Collection],
    /// Whether it has tags that PATCH may change.
    pub is_tagged: bool,
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Kind {}

impl Kind {
    /// The collection of this segment, compared without case.
    pub fn collection(&self, segment: &str) -> Option<&'static Collection> {
        self.collections.iter().find(|collection| collection.segment.eq_ignore_ascii_case(segment))
    }

    /// Whether this is `name`, compared without case.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The last segment of the type: `securityRules`.
    pub fn segment(&self) -> &'static str {
        self.name.rsplit('/').next().unwrap_or(self.name)
    }
}

/// Resource groups.
pub const GROUP: &str = "Microsoft.Resources/resourceGroups";
/// Deployments.
pub const DEPLOYMENT: &str = "Microsoft.Resources/deployments";
/// Locks.
pub const LOCK: &str = "Microsoft.Authorization/locks";
/// NSGs.
pub const NSG: &str = "Microsoft.Network/networkSecurityGroups";
/// Rules of NSGs.
pub const RULE: &str = "Microsoft.Network/networkSecurityGroups/securityRules";
/// Application security groups.
pub const ASG: &str = "Microsoft.Network/applicationSecurityGroups";
/// Prefixes in application security groups.
pub const PREFIX_SET: &str = "Microsoft.Network/applicationSecurityGroups/addressPrefixSets";
/// Virtual networks.
pub const NETWORK: &str = "Microsoft.Network/virtualNetworks";
/// Subnets.
pub const SUBNET: &str = "Microsoft.Network/virtualNetworks/subnets";
/// Peerings.
pub const PEERING: &str = "Microsoft.Network/virtualNetworks/virtualNetworkPeerings";
/// Network interfaces.
pub const NIC: &str = "Microsoft.Network/networkInterfaces";
/// Load balancers.
pub const LOAD_BALANCER: &str = "Microsoft.Network/loadBalancers";
/// Inbound NAT rules of load balancers.
pub const NAT_RULE: &str = "Microsoft.Network/loadBalancers/inboundNatRules";
/// Public addresses.
pub const PUBLIC_IP: &str = "Microsoft.Network/publicIPAddresses";
/// Route tables.
pub const ROUTE_TABLE: &str = "Microsoft.Network/routeTables";
/// Routes.
pub const ROUTE: &str = "Microsoft.Network/routeTables/routes";
/// Network watchers.
pub const WATCHER: &str = "Microsoft.Network/networkWatchers";
/// Flow logs.
pub const FLOW_LOG: &str = "Microsoft.Network/networkWatchers/flowLogs";
/// Network managers.
pub const MANAGER: &str = "Microsoft.Network/networkManagers";
/// Groups of networks.
pub const NETWORK_GROUP: &str = "Microsoft.Network/networkManagers/networkGroups";
/// Members of groups of networks.
pub const STATIC_MEMBER: &str = "Microsoft.Network/networkManagers/networkGroups/staticMembers";
/// Security admin configurations.
pub const ADMIN_CONFIGURATION: &str = "Microsoft.Network/networkManagers/securityAdminConfigurations";
/// Collections of security admin rules.
pub const ADMIN_COLLECTION: &str =
    "Microsoft.Network/networkManagers/securityAdminConfigurations/ruleCollections";
/// Security admin rules.
pub const ADMIN_RULE: &str =
    "Microsoft.Network/networkManagers/securityAdminConfigurations/ruleCollections/rules";
/// Virtual machines.
pub const VM: &str = "Microsoft.Compute/virtualMachines";
/// Policies for time-limited access.
pub const JIT: &str = "Microsoft.Security/locations/jitNetworkAccessPolicies";
/// What such policies mean at an interface.
pub const ACCESS: &str = "Palisade.Network/timedAccess";
/// Tunnels that are open.
pub const TUNNEL: &str = "Palisade.Access/tunnels";
/// Intents.
pub const INTENTS: &str = "Palisade.Network/intents";
/// Machines that are isolated.
pub const QUARANTINE: &str = "Palisade.Network/quarantines";
/// Sources that are locked out, and pairs that are blocked.
pub const LOCKOUT: &str = "Palisade.Network/lockouts";
/// Machines that find new destinations at no more than a rate.
pub const THROTTLE: &str = "Palisade.Network/throttles";
/// What is done about alerts by itself.
pub const ANSWER_POLICY: &str = "Palisade.Network/answerPolicies";
/// What a quarantine is at an interface.
pub const ISOLATION: &str = "Palisade.Network/isolation";
/// What lock-outs are at an interface.
pub const LOCKED_OUT: &str = "Palisade.Network/lockedOut";
/// What a throttle is at an interface.
pub const THROTTLED: &str = "Palisade.Network/throttled";

/// Kinds that are no children, in the order of their names.
pub const TOP_LEVEL: &[&Kind] = &[
    &resources::LOCKS,
    &compute::VIRTUAL_MACHINES,
    &network::ASGS,
    &balancer::LOAD_BALANCERS,
    &network::NICS,
    &manager::MANAGERS,
    &network::NSGS,
    &network::WATCHERS,
    &network::PUBLIC_IPS,
    &network::ROUTE_TABLES,
    &network::NETWORKS,
    &resources::DEPLOYMENTS,
    &security::POLICIES,
    &security::TUNNELS,
    &answers::ANSWER_POLICIES,
    &intents::INTENT_SETS,
    &answers::LOCKOUTS,
    &answers::QUARANTINES,
    &answers::THROTTLES,
];

/// The kind of this type, compared without case; children too.
pub fn find(name: &str) -> Option<&'static Kind> {
    if resources::GROUPS.is(name) {
        return Some(&resources::GROUPS);
    }
    if security::POLICIES.is(name) {
        return Some(&security::POLICIES);
    }
    let mut parts = name.splitn(3, '/');
    let (namespace, top, rest) = (parts.next()?, parts.next()?, parts.next());
    let is_top = |kind: &&&'static Kind| {
        kind.name.split_once('/').is_some_and(|(space, segment)| {
            space.eq_ignore_ascii_case(namespace) && segment.eq_ignore_ascii_case(top)
        })
    };
    let mut kind: &'static Kind = TOP_LEVEL.iter().find(is_top)?;
    for segment in rest.into_iter().flat_map(|rest| rest.split('/')) {
        kind = kind.collection(segment)?.kind;
    }
    Some(kind)
}

//! A network interface and its IP configurations.
//!
//! Built by validation only. What of it only a deployment could tell has its safe value here, and stands in
//! [`crate::Estate::open_parts`], so that enforcement can refuse it.

use std::collections::BTreeMap;

use palisade_net::{Family, Mac, Prefix};

use crate::{Guards, Mode, ResourceId, Throttle, Truth, spec::Given};

/// The tag of an interface that names it on its host.
pub const INTERFACE_TAG: &str = "palisade-interface";
/// The tag of an interface that names the host it is on.
pub const HOST_TAG: &str = "palisade-host";

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nic {
    pub(crate) id: ResourceId,
    pub(crate) name: String,
    pub(crate) nsg: Option<Given<ResourceId>>,
    pub(crate) ip_configurations: Vec<IpConfiguration>,
    pub(crate) mac: Option<Mac>,
    pub(crate) ip_forwarding: Truth,
    pub(crate) private_endpoint: bool,
    pub(crate) mode: Mode,
    pub(crate) tcp_state_tracking: bool,
    pub(crate) guards: Guards,
    pub(crate) open_parts: Vec<String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) throttle: Option<Throttle>,
}

impl Nic {
    /// Resource id.
    pub const fn id(&self) -> &ResourceId {
        &self.id
    }

    /// Name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The attached NSG.
    pub const fn nsg(&self) -> Option<&Given<ResourceId>> {
        self.nsg.as_ref()
    }

    /// IP configurations, the primary one first.
    pub fn ip_configurations(&self) -> &[IpConfiguration] {
        &self.ip_configurations
    }

    /// Hardware address.
    pub const fn mac(&self) -> Option<Mac> {
        self.mac
    }

    /// Whether it may send from addresses that are not its own.
    pub const fn ip_forwarding(&self) -> Truth {
        self.ip_forwarding
    }

    /// Whether its packets are dropped, or only counted.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether TCP packets must belong to a connection that began with a SYN.
    pub const fn tcp_state_tracking(&self) -> bool {
        self.tcp_state_tracking
    }

    /// What is checked before any rule; the source is not where the interface forwards.
    pub const fn guards(&self) -> Guards {
        self.guards
    }

    /// How fast its machine may find new destinations; `None` for as fast as it likes.
    pub const fn throttle(&self) -> Option<&Throttle> {
        self.throttle.as_ref()
    }

    /// Tags of the resource whose values are known.
    pub const fn tags(&self) -> &BTreeMap<String, String> {
        &self.tags
    }
}

/// An IP configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpConfiguration {
    pub(crate) name: String,
    pub(crate) address: Option<Prefix>,
    pub(crate) subnet: Option<Given<ResourceId>>,
    pub(crate) public_ip: Option<Given<ResourceId>>,
    pub(crate) groups: Vec<ResourceId>,
    pub(crate) groups_known: bool,
    pub(crate) family: Family,
}

impl IpConfiguration {
    /// Name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Private address; `None` if the deployment assigns it.
    pub const fn address(&self) -> Option<Prefix> {
        self.address
    }

    /// The family of its address.
    pub const fn family(&self) -> Family {
        self.family
    }

    /// Its public address.
    pub const fn public_ip(&self) -> Option<&Given<ResourceId>> {
        self.public_ip.as_ref()
    }

    /// The subnet it is in.
    pub const fn subnet(&self) -> Option<&Given<ResourceId>> {
        self.subnet.as_ref()
    }

    /// Application security groups it is a member of.
    pub fn groups(&self) -> &[ResourceId] {
        &self.groups
    }

    /// Whether these are all; it may be a member of any other otherwise.
    pub const fn are_groups_known(&self) -> bool {
        self.groups_known
    }
}

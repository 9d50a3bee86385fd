//! The rules that hold at one network interface, with names resolved to sets of addresses.
//!
//! This is where attachment, application security groups and the per-subnet `VirtualNetwork` tag become sets. Whatever the
//! estate does not tell widens the upper bound of a set, or makes a layer uncertain; it is never guessed. It must not
//! decide what happens to a packet.

mod addresses;
mod layers;
mod own;
mod shared;

use std::fmt;

use palisade_net::{AddressSet, Direction, ProtocolMatch};

use crate::{
    Access, AddressField, Addresses, Estate, IpConfiguration, Maybe, Mode, Nic, Nsg, PlatformService, Ports,
    Priority, ResourceId, Rule, Subnet, TagName, VirtualNetwork, Window, defaults, spec::Given,
    spec::OwnList,
};
pub use addresses::GroupMembers;
use addresses::Scope;
use layers::Builder;
pub use shared::SharedLists;

/// Where an interface is.
type Home<'a> = Given<(&'a VirtualNetwork, &'a Subnet)>;

/// A place in the evaluation where a rule list stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// Security admin rules.
    Admin,
    /// The subnet's NSG.
    Subnet,
    /// The interface's NSG.
    NetworkInterface,
    /// A Standard public address that no NSG opened. Prints as `None`: no NSG stands there.
    PublicAddress,
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Admin => "Admin",
            Self::Subnet => "Subnet",
            Self::NetworkInterface => "NetworkInterface",
            Self::PublicAddress => "None",
        })
    }
}

/// One rule with its names resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectiveRule {
    /// Its name.
    pub name: String,
    /// `securityRules/x`, `defaultSecurityRules/x`, or the bare name of a security admin rule.
    pub path: String,
    /// Place in the order.
    pub priority: Maybe<Priority>,
    /// What it does.
    pub access: Maybe<Access>,
    /// Protocols that it is about.
    pub protocol: Maybe<ProtocolMatch>,
    /// Who sends the first packet.
    pub source: Addresses,
    /// The same, as it was written.
    pub source_field: AddressField,
    /// Ports that it is sent from.
    pub source_ports: Ports,
    /// Who receives it.
    pub destination: Addresses,
    /// The same, as it was written.
    pub destination_field: AddressField,
    /// Ports that receive it, or ICMP types.
    pub destination_ports: Ports,
    /// When it is in force.
    pub window: Window,
    /// Whether it decides, or is only counted.
    pub mode: Mode,
    /// Whether the rule surely exists, its window and mode are known, and so is its place in the order.
    pub certain: bool,
    /// Name of its security admin collection, since a layer merges several; `None` for a rule of an NSG.
    pub collection: Option<String>,
    /// Which of the interface's own lists it is of; `None` for a rule of a network's or of an NSG.
    pub own_list: Option<OwnList>,
    /// Platform services whose tag it names, or may name.
    pub services: Vec<PlatformService>,
}

/// One rule list at its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectiveLayer {
    /// Its place.
    pub layer: Layer,
    /// The NSG or the security admin collection; `None` for [`Layer::PublicAddress`].
    pub source: Option<ResourceId>,
    /// Name of the source, for output.
    pub name: Option<String>,
    /// Rules in the order in which they are asked.
    pub rules: Vec<EffectiveRule>,
    /// Whether what it denies is dropped; in audit it is counted, and the next layer is asked.
    pub mode: Mode,
    /// Whether live flows are judged again when the list changes.
    pub flush: bool,
    /// False if the layer may not exist, or may be in audit.
    pub certain: bool,
}

/// All rule lists of one interface, in the order in which they are asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectivePolicy {
    /// Layers for packets to the virtual machine: admin, subnet, NIC, public address.
    pub inbound: Vec<EffectiveLayer>,
    /// Layers for packets from the virtual machine: admin, NIC, subnet.
    pub outbound: Vec<EffectiveLayer>,
    /// Addresses of the platform services.
    pub services: Vec<(PlatformService, AddressSet)>,
}

impl EffectivePolicy {
    /// The layers of one direction.
    pub fn layers(&self, direction: Direction) -> &[EffectiveLayer] {
        match direction {
            Direction::Inbound => &self.inbound,
            Direction::Outbound => &self.outbound,
        }
    }
}

impl Estate {
    /// The rules that hold at `nic`.
    pub fn effective(&self, nic: &Nic) -> EffectivePolicy {
        let home = self.home(nic);
        let scope = Scope::of_nic(self, nic, &home);
        let builder = Builder { estate: self, nic, home: &home };
        let layers = |direction| {
            let standing = builder.standing(direction).into_iter();
            standing.map(|list| list.resolve(self, direction, &scope)).collect()
        };
        self.policy(layers(Direction::Inbound), layers(Direction::Outbound))
    }

    /// The rules of an NSG alone, as if it stood where it is attached: at a subnet if it is attached to subnets only, and
    /// otherwise at an interface. Whether the NSG exists is not asked.
    ///
    /// `virtual_network` is what its `VirtualNetwork` tag means; without it the tag is that of the subnets and interfaces that
    /// the NSG is attached to, if they agree, and otherwise unknown.
    pub fn effective_alone(&self, nsg: &Nsg, virtual_network: Option<AddressSet>) -> EffectivePolicy {
        let scope = Scope::of_nsg(self, nsg, virtual_network);
        let place = if self.stands_at_subnets_only(nsg) { Layer::Subnet } else { Layer::NetworkInterface };
        let layers = |direction| {
            let layer = self.nsg_layer(place, nsg, direction, &scope);
            vec![EffectiveLayer { certain: true, ..layer }]
        };
        self.policy(layers(Direction::Inbound), layers(Direction::Outbound))
    }

    /// The addresses of a service tag as the rules of `nic` mean it.
    pub fn tag_at(&self, nic: &Nic, tag: &TagName) -> Addresses {
        Scope::of_nic(self, nic, &self.home(nic)).tag(self, tag)
    }

    fn stands_at_subnets_only(&self, nsg: &Nsg) -> bool {
        let mut subnets = self.virtual_networks.values().flat_map(|network| &network.subnets);
        subnets.any(|subnet| nsg.is_attached_by(&subnet.nsg))
            && !self.nics.values().any(|nic| nsg.is_attached_by(&nic.nsg))
    }

    fn policy(&self, inbound: Vec<EffectiveLayer>, outbound: Vec<EffectiveLayer>) -> EffectivePolicy {
        let services = PlatformService::ALL.map(|service| (service, service.addresses(&self.tags)));
        EffectivePolicy { inbound, outbound, services: services.into() }
    }

    /// The idle timeout of an interface's flows in minutes, if its virtual network gives one.
    pub fn flow_timeout(&self, nic: &Nic) -> Option<u32> {
        self.home(nic).known().and_then(|(network, _)| network.flow_timeout_minutes)
    }

    /// What only a deployment could tell of an interface, its network and its NSGs, beside rules and who they are about:
    /// one phrase each. Where there is any, the answers hold the safe value and enforcement refuses.
    pub fn open_parts(&self, nic: &Nic) -> Vec<String> {
        let home = self.home(nic).known().copied();
        let at_subnet = home.and_then(|(_, subnet)| subnet.nsg.as_ref());
        let attached = nic.nsg.iter().chain(at_subnet).filter_map(Given::known);
        let nsgs = attached.filter_map(|id| self.nsg(id)).flat_map(|nsg| &nsg.open_parts);
        let network = home.into_iter().flat_map(|(network, _)| &network.open_parts);
        nic.open_parts.iter().chain(network).chain(nsgs).cloned().collect()
    }

    /// The subnet that an interface is in: that of its primary IP configuration. Every interface is in one.
    fn home(&self, nic: &Nic) -> Home<'_> {
        match nic.ip_configurations.first().and_then(IpConfiguration::subnet) {
            None => Given::Unknown(format!("{} names no subnet", nic.id)),
            Some(Given::Unknown(reason)) => Given::Unknown(reason.clone()),
            Some(Given::Known(id)) => self
                .subnet(id)
                .map_or_else(|| Given::Unknown(format!("subnet {id} is not in the input")), Given::Known),
        }
    }

    fn nsg_layer(&self, layer: Layer, nsg: &Nsg, direction: Direction, scope: &Scope) -> EffectiveLayer {
        let rules = nsg.rules(direction).iter().map(|rule| {
            let collection =
                if defaults::is_default(rule) { "defaultSecurityRules" } else { "securityRules" };
            self.resolve(rule, format!("{collection}/{}", rule.name()), direction, scope)
        });
        EffectiveLayer {
            layer,
            source: Some(nsg.id.clone()),
            name: Some(nsg.name.clone()),
            rules: rules.collect(),
            mode: nsg.mode,
            flush: nsg.flush_connection(),
            certain: nsg.certain,
        }
    }

    fn resolve(&self, rule: &Rule, path: String, direction: Direction, scope: &Scope) -> EffectiveRule {
        let (source_is_local, destination_is_local) = match direction {
            Direction::Inbound => (false, true),
            Direction::Outbound => (true, false),
        };
        EffectiveRule {
            name: rule.name.clone(),
            path,
            priority: rule.priority,
            access: rule.access,
            protocol: rule.protocol,
            source: scope.resolve(self, &rule.source.addresses, source_is_local),
            source_field: rule.source.addresses.clone(),
            source_ports: rule.source.ports.clone(),
            destination: scope.resolve(self, &rule.destination.addresses, destination_is_local),
            destination_field: rule.destination.addresses.clone(),
            destination_ports: rule.destination.ports.clone(),
            window: rule.window,
            mode: rule.mode,
            certain: rule.certain && rule.priority.known().is_some() && rule.direction.known().is_some(),
            collection: None,
            own_list: None,
            services: PlatformService::ALL
                .into_iter()
                .filter(|service| service.may_be_named_by(rule))
                .collect(),
        }
    }
}

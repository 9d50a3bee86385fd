//! The rules that hold at one network interface, with names resolved to sets of addresses.
//!
//! This is where attachment, application security groups and the per-subnet `VirtualNetwork` tag become sets. Whatever the
//! estate does not tell widens the upper bound of a set, or makes a layer uncertain; it is never guessed. It must not
//! decide what happens to a packet.

mod addresses;

use std::fmt;

use palisade_net::{AddressSet, Direction, ProtocolMatch};

use crate::{
    Access, Addresses, Estate, IpConfiguration, Maybe, Nic, Nsg, PlatformService, Ports, Priority,
    PublicIpSku, ResourceId, Rule, Subnet, VirtualNetwork, defaults, spec::Given, validate,
};
use addresses::Scope;

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
    /// Ports that it is sent from.
    pub source_ports: Ports,
    /// Who receives it.
    pub destination: Addresses,
    /// Ports that receive it, or ICMP types.
    pub destination_ports: Ports,
    /// Whether the rule surely exists and its place in the order is known.
    pub certain: bool,
    /// Platform services whose tag it names.
    pub services: Vec<PlatformService>,
    /// The rule as it was written.
    pub rule: Rule,
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
    /// False if the layer may not exist.
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
        let subnet = self.home(nic);
        let scope = Scope::of_nic(self, nic, subnet.as_ref());
        let builder = Builder { estate: self, nic, subnet: subnet.as_ref(), scope: &scope };
        self.policy(builder.inbound(), builder.outbound())
    }

    /// The rules of an NSG alone, as if it stood where it is attached: at a subnet if it is attached to subnets only, and
    /// otherwise at an interface.
    ///
    /// `virtual_network` is what its `VirtualNetwork` tag means; without it the tag is that of the subnets and interfaces that
    /// the NSG is attached to, if they agree, and otherwise unknown.
    pub fn effective_alone(&self, nsg: &Nsg, virtual_network: Option<AddressSet>) -> EffectivePolicy {
        let scope = Scope::of_nsg(self, nsg, virtual_network);
        let place = if self.stands_at_subnets_only(nsg) { Layer::Subnet } else { Layer::NetworkInterface };
        let layer = |direction| vec![self.nsg_layer(place, nsg, direction, &scope)];
        self.policy(layer(Direction::Inbound), layer(Direction::Outbound))
    }

    fn stands_at_subnets_only(&self, nsg: &Nsg) -> bool {
        let attached = |reference: &Option<Given<ResourceId>>| {
            reference.as_ref().and_then(Given::known) == Some(&nsg.id)
        };
        let at_subnet = self.virtual_networks.values().flat_map(|network| &network.subnets).any(|s| attached(&s.nsg));
        at_subnet && !self.nics.values().any(|nic| attached(&nic.nsg))
    }

    fn policy(&self, inbound: Vec<EffectiveLayer>, outbound: Vec<EffectiveLayer>) -> EffectivePolicy {
        let services = PlatformService::ALL.map(|service| (service, service.addresses(&self.tags)));
        EffectivePolicy { inbound, outbound, services: services.into() }
    }

    /// The subnet that an interface is in: that of its primary IP configuration.
    pub(crate) fn home(&self, nic: &Nic) -> Option<Given<(&VirtualNetwork, &Subnet)>> {
        let primary = nic.ip_configurations.first()?;
        Some(match primary.subnet.as_ref()? {
            Given::Unknown(reason) => Given::Unknown(reason.clone()),
            Given::Known(id) => match self.subnet(id) {
                Some(found) => Given::Known(found),
                None => Given::Unknown(format!("subnet {id} is not in the input")),
            },
        })
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
            certain: nsg.certain,
        }
    }

    fn resolve(&self, rule: &Rule, path: String, direction: Direction, scope: &Scope) -> EffectiveRule {
        let (source_is_local, destination_is_local) = match direction {
            Direction::Inbound => (false, true),
            Direction::Outbound => (true, false),
        };
        EffectiveRule {
            path,
            priority: rule.priority,
            access: rule.access,
            protocol: rule.protocol,
            source: scope.resolve(self, &rule.source.addresses, source_is_local),
            source_ports: rule.source.ports.clone(),
            destination: scope.resolve(self, &rule.destination.addresses, destination_is_local),
            destination_ports: rule.destination.ports.clone(),
            certain: rule.certain && rule.priority.known().is_some() && rule.direction.known().is_some(),
            services: PlatformService::ALL.into_iter().filter(|service| service.is_named_by(rule)).collect(),
            rule: rule.clone(),
        }
    }
}

/// Builds the layers of one interface.
struct Builder<'a> {
    estate: &'a Estate,
    nic: &'a Nic,
    subnet: Option<&'a Given<(&'a VirtualNetwork, &'a Subnet)>>,
    scope: &'a Scope,
}

impl Builder<'_> {
    fn inbound(&self) -> Vec<EffectiveLayer> {
        let direction = Direction::Inbound;
        let nsgs: Vec<_> =
            [self.subnet_layer(direction), self.nic_layer(direction)].into_iter().flatten().collect();
        let closed = if nsgs.is_empty() { self.public_address() } else { None };
        self.admin(direction).into_iter().chain(nsgs).chain(closed).collect()
    }

    fn outbound(&self) -> Vec<EffectiveLayer> {
        let direction = Direction::Outbound;
        let nsgs = [self.nic_layer(direction), self.subnet_layer(direction)].into_iter().flatten();
        self.admin(direction).into_iter().chain(nsgs).collect()
    }

    fn nic_layer(&self, direction: Direction) -> Option<EffectiveLayer> {
        self.attached(Layer::NetworkInterface, self.nic.nsg.as_ref()?, direction)
    }

    /// The subnet's NSG; it governs a private endpoint's interface only where the subnet says so.
    fn subnet_layer(&self, direction: Direction) -> Option<EffectiveLayer> {
        match self.subnet? {
            Given::Unknown(reason) => Some(self.unknown(Layer::Subnet, None, reason)),
            Given::Known((_, subnet)) if self.nic.private_endpoint && !subnet.governs_private_endpoints => {
                None
            }
            Given::Known((_, subnet)) => self.attached(Layer::Subnet, subnet.nsg.as_ref()?, direction),
        }
    }

    fn attached(
        &self,
        layer: Layer,
        nsg: &Given<ResourceId>,
        direction: Direction,
    ) -> Option<EffectiveLayer> {
        Some(match nsg {
            Given::Unknown(reason) => self.unknown(layer, None, reason),
            Given::Known(id) => match self.estate.nsg(id) {
                Some(nsg) => self.estate.nsg_layer(layer, nsg, direction, self.scope),
                None => self.unknown(layer, Some(id), "the NSG is not in the input"),
            },
        })
    }

    /// A layer of which only the place is known.
    fn unknown(&self, layer: Layer, source: Option<&ResourceId>, reason: &str) -> EffectiveLayer {
        let rule = validate::unknown_rule(reason);
        let resolved = self.estate.resolve(&rule, rule.name().to_owned(), Direction::Inbound, self.scope);
        EffectiveLayer {
            layer,
            source: source.cloned(),
            name: source.map(|id| id.name().to_owned()),
            rules: vec![resolved],
            certain: source.is_some(),
        }
    }

    /// The rules of all security admin collections that apply to the network, as one list by priority: the manager merges
    /// them, and the first that matches decides.
    fn admin(&self, direction: Direction) -> Option<EffectiveLayer> {
        let Given::Known((network, _)) = self.subnet? else { return None };
        let mut collections = Vec::new();
        let mut rules = Vec::new();
        for collection in &self.estate.admin_collections {
            let certain = match &collection.virtual_networks {
                Given::Known(networks) if !networks.contains(&network.id) => continue,
                Given::Known(_) => true,
                Given::Unknown(_) => false,
            };
            collections.push(&collection.id);
            for rule in collection.rules.iter().filter(|rule| rule.concerns(direction)) {
                let resolved = self.estate.resolve(rule, rule.name().to_owned(), direction, self.scope);
                rules.push(EffectiveRule { certain: certain && resolved.certain, ..resolved });
            }
        }
        rules.sort_by_key(|rule| rule.priority.known());
        let names: Vec<&str> = collections.iter().map(|id| id.name()).collect();
        let first = *collections.first()?;
        let (source, name) = (Some(first.clone()), Some(names.join(", ")));
        Some(EffectiveLayer { layer: Layer::Admin, source, name, rules, certain: true })
    }

    /// The layer of a Standard public address without any NSG: what does not come from the network or from health probes
    /// is refused.
    fn public_address(&self) -> Option<EffectiveLayer> {
        let skus: Vec<Given<PublicIpSku>> =
            self.nic.ip_configurations.iter().filter_map(|configuration| self.sku(configuration)).collect();
        let closed = skus.contains(&Given::Known(PublicIpSku::Standard));
        let perhaps = skus.iter().any(|sku| sku.known().is_none());
        if !closed && !perhaps {
            return None;
        }
        let mut layer = EffectiveLayer {
            layer: Layer::PublicAddress,
            source: None,
            name: None,
            rules: Vec::new(),
            certain: closed,
        };
        for rule in defaults::default_rules(Direction::Inbound) {
            layer.rules.push(self.estate.resolve(
                &rule,
                rule.name().to_owned(),
                Direction::Inbound,
                self.scope,
            ));
        }
        Some(layer)
    }

    fn sku(&self, configuration: &IpConfiguration) -> Option<Given<PublicIpSku>> {
        Some(match configuration.public_ip.as_ref()? {
            Given::Unknown(reason) => Given::Unknown(reason.clone()),
            Given::Known(id) => match self.estate.public_ips.get(id) {
                Some(sku) => sku.clone(),
                None => Given::Unknown(format!("public address {id} is not in the input")),
            },
        })
    }
}

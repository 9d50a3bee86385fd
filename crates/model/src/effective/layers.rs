//! Which rule lists stand at an interface, and in which order.
//!
//! A list that may not be there is in the policy and says so. It must not resolve a name to addresses itself: the scope does.

use palisade_net::Direction;

use super::{EffectiveLayer, EffectiveRule, Home, Layer, addresses::Scope};
use crate::{
    Estate, IpConfiguration, Mode, Nic, PublicIpSku, ResourceId, Truth, defaults, spec::Given, validate,
};

/// Builds the layers of one interface.
pub(super) struct Builder<'a> {
    pub(super) estate: &'a Estate,
    pub(super) nic: &'a Nic,
    pub(super) home: &'a Home<'a>,
    pub(super) scope: &'a Scope,
}

impl Builder<'_> {
    pub(super) fn inbound(&self) -> Vec<EffectiveLayer> {
        let direction = Direction::Inbound;
        let nsgs: Vec<_> =
            [self.subnet_layer(direction), self.nic_layer(direction)].into_iter().flatten().collect();
        // One NSG that surely exists is what a public address waits for. One in audit is as if it were not there: to try
        // it out must not open what was closed.
        let mut enforced = nsgs.iter().filter(|layer| layer.mode == Mode::Enforce).peekable();
        let unguarded = enforced.peek().is_none();
        let guarded = enforced.any(|layer| layer.certain);
        let closed = if guarded { None } else { self.public_address(unguarded) };
        self.admin(direction).into_iter().chain(nsgs).chain(closed).collect()
    }

    pub(super) fn outbound(&self) -> Vec<EffectiveLayer> {
        let direction = Direction::Outbound;
        let nsgs = [self.nic_layer(direction), self.subnet_layer(direction)].into_iter().flatten();
        self.admin(direction).into_iter().chain(nsgs).collect()
    }

    fn nic_layer(&self, direction: Direction) -> Option<EffectiveLayer> {
        self.attached(Layer::NetworkInterface, self.nic.nsg.as_ref()?, direction)
    }

    /// The subnet's NSG; it governs a private endpoint's interface only where the subnet says so.
    fn subnet_layer(&self, direction: Direction) -> Option<EffectiveLayer> {
        let subnet = match self.home {
            Given::Unknown(reason) => return Some(self.unknown(Layer::Subnet, None, reason, direction)),
            Given::Known((_, subnet)) => subnet,
        };
        let governed = if self.nic.private_endpoint { subnet.governs_private_endpoints } else { Truth::Yes };
        if governed == Truth::No {
            return None;
        }
        let layer = self.attached(Layer::Subnet, subnet.nsg.as_ref()?, direction)?;
        Some(EffectiveLayer { certain: layer.certain && governed == Truth::Yes, ..layer })
    }

    fn attached(
        &self,
        layer: Layer,
        nsg: &Given<ResourceId>,
        direction: Direction,
    ) -> Option<EffectiveLayer> {
        Some(match nsg {
            Given::Unknown(reason) => self.unknown(layer, None, reason, direction),
            Given::Known(id) => match self.estate.nsg(id) {
                Some(nsg) => self.estate.nsg_layer(layer, nsg, direction, self.scope),
                None => self.unknown(layer, Some(id), "the NSG is not in the input", direction),
            },
        })
    }

    /// A layer of which only the place is known.
    fn unknown(
        &self,
        layer: Layer,
        source: Option<&ResourceId>,
        reason: &str,
        direction: Direction,
    ) -> EffectiveLayer {
        let rule = validate::unknown_rule(reason);
        EffectiveLayer {
            layer,
            source: source.cloned(),
            name: source.map(|id| id.name().to_owned()),
            rules: vec![self.estate.resolve(&rule, rule.name().to_owned(), direction, self.scope)],
            mode: Mode::Enforce,
            flush: true,
            certain: false,
        }
    }

    /// The rules of all security admin collections that apply to the network, as one list by priority: the manager merges
    /// them, and the first that matches decides. Equal priorities keep the order of the collections' ids.
    fn admin(&self, direction: Direction) -> Option<EffectiveLayer> {
        let mut collections = Vec::new();
        let mut rules = Vec::new();
        for collection in self.estate.admin_collections.values() {
            let certain = match (&collection.virtual_networks, self.home) {
                (Given::Known(networks), Given::Known((network, _))) if !networks.contains(&network.id) => {
                    continue;
                }
                (Given::Known(_), Given::Known(_)) => true,
                _ => false,
            };
            collections.push(&collection.id);
            for rule in collection.rules.iter().filter(|rule| rule.concerns(direction)) {
                let resolved = self.estate.resolve(rule, rule.name().to_owned(), direction, self.scope);
                rules.push(EffectiveRule {
                    certain: certain && resolved.certain,
                    collection: Some(collection.id.name().to_owned()),
                    ..resolved
                });
            }
        }
        rules.sort_by_key(|rule| rule.priority.known());
        let names: Vec<&str> = collections.iter().map(|id| id.name()).collect();
        let first = *collections.first()?;
        let (source, name) = (Some(first.clone()), Some(names.join(", ")));
        let (mode, flush) = (Mode::Enforce, true);
        Some(EffectiveLayer { layer: Layer::Admin, source, name, rules, mode, flush, certain: true })
    }

    /// The layer of a Standard public address without any NSG: what does not come from the network or from health probes
    /// is refused. `unguarded` says that there surely is no NSG.
    fn public_address(&self, unguarded: bool) -> Option<EffectiveLayer> {
        let skus: Vec<Given<PublicIpSku>> =
            self.nic.ip_configurations.iter().filter_map(|configuration| self.sku(configuration)).collect();
        let closed = skus.contains(&Given::Known(PublicIpSku::Standard));
        let perhaps = skus.iter().any(|sku| sku.known().is_none());
        let direction = Direction::Inbound;
        let rules = defaults::default_rules(direction);
        let resolved =
            rules.iter().map(|rule| self.estate.resolve(rule, rule.name().to_owned(), direction, self.scope));
        (closed || perhaps).then(|| EffectiveLayer {
            layer: Layer::PublicAddress,
            source: None,
            name: None,
            rules: resolved.collect(),
            mode: Mode::Enforce,
            flush: true,
            certain: closed && unguarded,
        })
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

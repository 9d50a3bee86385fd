//! Which rule lists stand at an interface, and in which order.
//!
//! A list that may not be there is in the policy and says so. It must not resolve a name to addresses itself: the scope does.

use std::borrow::Cow;

use palisade_net::Direction;

use super::{EffectiveLayer, EffectiveRule, Home, Layer, addresses::Scope, own};
use crate::{
    Estate, IpConfiguration, Mode, Nic, PublicIpSku, ResourceId, Truth, defaults, estate::AdminCollection,
    spec::Given, spec::OwnList, validate,
};

/// Finds and resolves the lists of one interface.
pub(super) struct Builder<'h, 'a> {
    pub(super) estate: &'a Estate,
    pub(super) nic: &'a Nic,
    pub(super) home: &'h Home<'a>,
}

/// A rule list at its place, by where its rules come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Standing<'a> {
    layer: Layer,
    from: Source<'a>,
    certain: bool,
}

/// Where the rules of a list come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Source<'a> {
    /// An NSG of the input.
    Nsg(&'a ResourceId),
    /// An NSG of which only the place is known, perhaps its id, and why.
    Missing(Option<&'a ResourceId>, Cow<'a, str>),
    /// The collections that apply to a network, `None` for one that is not known; and the interface, if it has lists of its own.
    Admin(Option<&'a ResourceId>, Option<&'a ResourceId>),
    /// The platform, for a public address.
    PublicAddress,
}

impl<'a> Builder<'_, 'a> {
    /// The lists of a direction, in the order in which they are asked.
    pub(super) fn standing(&self, direction: Direction) -> Vec<Standing<'a>> {
        let admin = self.admin();
        match direction {
            Direction::Inbound => {
                let nsgs: Vec<_> = [self.subnet_list(), self.nic_list()].into_iter().flatten().collect();
                let closed = self.public_address(&nsgs);
                admin.into_iter().chain(nsgs).chain(closed).collect()
            }
            Direction::Outbound => {
                admin.into_iter().chain([self.nic_list(), self.subnet_list()].into_iter().flatten()).collect()
            }
        }
    }

    fn nic_list(&self) -> Option<Standing<'a>> {
        Some(self.attached(Layer::NetworkInterface, self.nic.nsg.as_ref()?))
    }

    /// The subnet's NSG; it governs a private endpoint's interface only where the subnet says so.
    fn subnet_list(&self) -> Option<Standing<'a>> {
        let subnet = match self.home {
            Given::Unknown(reason) => {
                let from = Source::Missing(None, reason.clone().into());
                return Some(Standing { layer: Layer::Subnet, from, certain: false });
            }
            Given::Known((_, subnet)) => subnet,
        };
        let governed = if self.nic.private_endpoint { subnet.governs_private_endpoints } else { Truth::Yes };
        if governed == Truth::No {
            return None;
        }
        let list = self.attached(Layer::Subnet, subnet.nsg.as_ref()?);
        Some(Standing { certain: list.certain && governed == Truth::Yes, ..list })
    }

    fn attached(&self, layer: Layer, nsg: &'a Given<ResourceId>) -> Standing<'a> {
        let (from, certain) = match nsg {
            Given::Unknown(reason) => (Source::Missing(None, reason.into()), false),
            Given::Known(id) => match self.estate.nsg(id) {
                Some(nsg) => (Source::Nsg(&nsg.id), nsg.certain),
                None => (Source::Missing(Some(id), "the NSG is not in the input".into()), false),
            },
        };
        Standing { layer, from, certain }
    }

    /// The collections that apply to the network, if any does or may, and the interface's own lists.
    fn admin(&self) -> Option<Standing<'a>> {
        let network = self.home.known().map(|(network, _)| &network.id);
        let has_own = self.estate.own_lists_of(&self.nic.id).next().is_some();
        let any = has_own || self.estate.collections_at(network).next().is_some();
        let from = Source::Admin(network, has_own.then_some(&self.nic.id));
        any.then_some(Standing { layer: Layer::Admin, from, certain: true })
    }

    /// The list of a Standard public address without any NSG: what does not come from the network or from health probes is
    /// refused. One NSG that surely exists is what the address waits for. One in audit is as if it were not there: to try it
    /// out must not open what was closed.
    fn public_address(&self, nsgs: &[Standing<'_>]) -> Option<Standing<'a>> {
        let mut enforced = nsgs.iter().filter(|list| list.mode(self.estate) == Mode::Enforce).peekable();
        let unguarded = enforced.peek().is_none();
        if enforced.any(|list| list.certain) {
            return None;
        }
        let skus: Vec<Given<PublicIpSku>> =
            self.nic.ip_configurations.iter().filter_map(|configuration| self.sku(configuration)).collect();
        let closed = skus.contains(&Given::Known(PublicIpSku::Standard));
        let perhaps = skus.iter().any(|sku| sku.known().is_none());
        let certain = closed && unguarded;
        let list = Standing { layer: Layer::PublicAddress, from: Source::PublicAddress, certain };
        (closed || perhaps).then_some(list)
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

impl Standing<'_> {
    fn mode(&self, estate: &Estate) -> Mode {
        match &self.from {
            Source::Nsg(id) => estate.nsg(id).map_or(Mode::Enforce, |nsg| nsg.mode),
            _ => Mode::Enforce,
        }
    }

    /// Its rules, with names resolved.
    pub(super) fn resolve(&self, estate: &Estate, direction: Direction, scope: &Scope) -> EffectiveLayer {
        let layer = match &self.from {
            Source::Nsg(id) => {
                let nsg = estate.nsg(id).expect("it was found when the list was");
                estate.nsg_layer(self.layer, nsg, direction, scope)
            }
            Source::Missing(id, reason) => missing(estate, self.layer, (*id, reason), direction, scope),
            Source::Admin(network, nic) => admin(estate, (*network, *nic), direction, scope),
            Source::PublicAddress => public_address(estate, direction, scope),
        };
        EffectiveLayer { certain: self.certain, ..layer }
    }
}

/// A list of which only the place is known.
fn missing(
    estate: &Estate,
    layer: Layer,
    (source, reason): (Option<&ResourceId>, &str),
    direction: Direction,
    scope: &Scope,
) -> EffectiveLayer {
    let rule = validate::unknown_rule(reason);
    EffectiveLayer {
        layer,
        source: source.cloned(),
        name: source.map(|id| id.name().to_owned()),
        rules: vec![estate.resolve(&rule, rule.name().to_owned(), direction, scope)],
        mode: Mode::Enforce,
        flush: true,
        certain: false,
    }
}

/// The rules of all security admin collections that apply to a network, as one list by priority: the manager merges them, and
/// the first that matches decides. Equal priorities keep the order of the collections' ids. The interface's own lists stand before
/// and behind them, see [`own`].
fn admin(
    estate: &Estate,
    (network, nic): (Option<&ResourceId>, Option<&ResourceId>),
    direction: Direction,
    scope: &Scope,
) -> EffectiveLayer {
    let mut lister = Lister { estate, direction, scope, collections: Vec::new() };
    let quarantine = lister.own(nic, OwnList::Quarantine);
    let lockouts = lister.own(nic, OwnList::Lockout);
    let mut network = lister.rules(estate.collections_at(network));
    network.sort_by_key(|rule| rule.priority.known());
    let doors = lister.own(nic, OwnList::Door);
    let rules = own::together(quarantine, lockouts, network, &doors);
    let names: Vec<&str> = lister.collections.iter().map(|collection| collection.id.name()).collect();
    // The network's go by the name of a manager; the interface's own lists are nobody's but its.
    let of_network = lister.collections.iter().find(|collection| collection.interface.is_none());
    let source = of_network.or(lister.collections.first()).map(|collection| collection.id.clone());
    let (name, mode, flush) = (Some(names.join(", ")), Mode::Enforce, true);
    EffectiveLayer { layer: Layer::Admin, source, name, rules, mode, flush, certain: true }
}

/// Resolves the rules of collections, and keeps which they were.
struct Lister<'e, 's> {
    estate: &'e Estate,
    direction: Direction,
    scope: &'s Scope,
    collections: Vec<&'e AdminCollection>,
}

impl<'e> Lister<'e, '_> {
    /// One of an interface's own lists.
    fn own(&mut self, nic: Option<&ResourceId>, list: OwnList) -> Vec<EffectiveRule> {
        let all = nic.into_iter().flat_map(|nic| self.estate.own_lists_of(nic));
        self.rules(all.filter(|(collection, _)| collection.own_list == list))
    }

    /// The rules of some collections, in their order.
    fn rules(
        &mut self,
        collections: impl Iterator<Item = (&'e AdminCollection, bool)>,
    ) -> Vec<EffectiveRule> {
        let mut rules = Vec::new();
        for (collection, certain) in collections {
            self.collections.push(collection);
            for rule in collection.rules.iter().filter(|rule| rule.concerns(self.direction)) {
                let resolved = self.estate.resolve(rule, rule.name().to_owned(), self.direction, self.scope);
                rules.push(EffectiveRule {
                    certain: certain && resolved.certain,
                    collection: Some(collection.id.name().to_owned()),
                    own_list: collection.interface.is_some().then_some(collection.own_list),
                    ..resolved
                });
            }
        }
        rules
    }
}

/// The platform's defaults, which stand for it.
fn public_address(estate: &Estate, direction: Direction, scope: &Scope) -> EffectiveLayer {
    let rules = defaults::default_rules(direction);
    let resolved = rules.iter().map(|rule| estate.resolve(rule, rule.name().to_owned(), direction, scope));
    EffectiveLayer {
        layer: Layer::PublicAddress,
        source: None,
        name: None,
        rules: resolved.collect(),
        mode: Mode::Enforce,
        flush: true,
        certain: true,
    }
}

impl Estate {
    /// The security admin collections that apply to a network or may, and whether they surely do.
    fn collections_at(&self, network: Option<&ResourceId>) -> impl Iterator<Item = (&AdminCollection, bool)> {
        let of_networks = self.admin_collections.values().filter(|collection| collection.interface.is_none());
        of_networks.filter_map(move |collection| match (&collection.virtual_networks, network) {
            (Given::Known(networks), Some(network)) => {
                networks.contains(network).then_some((collection, true))
            }
            _ => Some((collection, false)),
        })
    }

    /// The collections that are an interface's own lists or may be, and whether they surely are.
    fn own_lists_of(&self, nic: &ResourceId) -> impl Iterator<Item = (&AdminCollection, bool)> {
        self.admin_collections.values().filter_map(move |collection| match collection.interface.as_ref()? {
            Given::Known(own) => (own == nic).then_some((collection, true)),
            Given::Unknown(_) => Some((collection, false)),
        })
    }
}

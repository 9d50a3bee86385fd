//! Whether the network takes packets where rules would let them go.
//!
//! It must not ask a rule: "the rules allow it, and there is no route" is an answer of its own. The way of the first packet is
//! looked at; answers take ways of their own. Appliances and gateways know more than the estate tells.

use std::{collections::HashMap, fmt, net::IpAddr};

use palisade_model::{Estate, IpConfiguration, NextHop, NextHops, ResourceId, spec::Given};

use super::ends::Node;

/// Whether packets get from one end to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Route {
    /// They do.
    Yes,
    /// They do not.
    No(Obstacle),
    /// The estate does not tell.
    Open(Doubt),
}

/// Why packets do not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Obstacle {
    /// Routes of the sender's subnet drop them.
    Dropped,
    /// They are taken elsewhere: the networks are not peered.
    Elsewhere,
}

/// Why it is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Doubt {
    /// An appliance is on the way.
    Appliance,
    /// A gateway is on the way.
    Gateway,
    /// The interface has no public address of its own; a load balancer or a gateway may lead to it.
    Behind,
    /// It depends on which of the addresses is meant.
    Depends,
    /// The input leaves routes, peerings or the subnet open.
    NotTold,
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Yes => "yes",
            Self::No(Obstacle::Dropped) => "a route drops it",
            Self::No(Obstacle::Elsewhere) => "the networks are not connected",
            Self::Open(Doubt::Appliance) => "an appliance is on the way",
            Self::Open(Doubt::Gateway) => "a gateway is on the way",
            Self::Open(Doubt::Behind) => "no public address of its own",
            Self::Open(Doubt::Depends) => "depends on the address",
            Self::Open(Doubt::NotTold) => "the input does not tell",
        })
    }
}

/// Where the subnet of an interface takes packets. Equal values take them alike.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Zone {
    network: ResourceId,
    /// Number of its routes.
    routes: usize,
}

/// The zones of an estate.
#[derive(Debug, Default)]
pub(super) struct Zones {
    /// That of each interface; `None` if its subnet is not in the input.
    pub(super) of: Vec<Option<Zone>>,
    /// Routes by number.
    pub(super) routes: Vec<NextHops>,
}

impl Zones {
    /// Those of every interface.
    pub(super) fn of(estate: &Estate) -> Self {
        let mut subnets: HashMap<&ResourceId, Option<Zone>> = HashMap::new();
        let mut numbers: HashMap<NextHops, usize> = HashMap::new();
        let mut zones = Self::default();
        for nic in estate.nics() {
            let subnet = nic.ip_configurations().first().and_then(IpConfiguration::subnet);
            let Some(subnet) = subnet.and_then(Given::known) else {
                zones.of.push(None);
                continue;
            };
            let zone = subnets.entry(subnet).or_insert_with(|| {
                let (hops, network) = estate.next_hops(subnet).zip(subnet.parent())?;
                let routes = *numbers.entry(hops).or_insert_with_key(|hops| {
                    zones.routes.push(hops.clone());
                    zones.routes.len() - 1
                });
                Some(Zone { network, routes })
            });
            zones.of.push(zone.clone());
        }
        zones
    }
}

/// Whether packets of one end get to another.
pub(super) fn route(routes: &[NextHops], from: &Node, to: &Node) -> Route {
    if from.is_outside() {
        return if to.public { Route::Yes } else { Route::Open(Doubt::Behind) };
    }
    let Some(zone) = &from.zone else { return Route::Open(Doubt::NotTold) };
    let hops = &routes[zone.routes];
    let target = if to.is_outside() { Target::Outside } else { Target::Network(to.zone.as_ref()) };
    let mut all = to.places.iter().flat_map(|(_, address)| each(hops, *address, target));
    let first = all.next().unwrap_or(Route::Open(Doubt::NotTold));
    all.fold(first, |found, other| match (found, other) {
        (found, other) if found == other => found,
        (Route::No(_), Route::No(other)) => Route::No(other),
        (Route::Open(doubt), _) | (_, Route::Open(doubt)) => Route::Open(doubt),
        _ => Route::Open(Doubt::Depends),
    })
}

/// What is to be reached.
#[derive(Debug, Clone, Copy)]
enum Target<'n> {
    /// A machine in this network; `None` if its network is not known.
    Network(Option<&'n Zone>),
    /// A peer outside.
    Outside,
}

fn each<'n>(hops: &'n NextHops, address: IpAddr, target: Target<'n>) -> impl Iterator<Item = Route> + 'n {
    hops.of(address).into_iter().map(move |hop| match (hop, target) {
        (NextHop::Nowhere, _) => Route::No(Obstacle::Dropped),
        (NextHop::Appliance, _) => Route::Open(Doubt::Appliance),
        (NextHop::Gateway, _) => Route::Open(Doubt::Gateway),
        (NextHop::Unknown, _) | (NextHop::Network(_), Target::Network(None)) => Route::Open(Doubt::NotTold),
        (NextHop::Internet | NextHop::Network(_), Target::Outside) => Route::Yes,
        (NextHop::Network(network), Target::Network(Some(zone))) if *network == zone.network => Route::Yes,
        (NextHop::Network(_) | NextHop::Internet, Target::Network(_)) => Route::No(Obstacle::Elsewhere),
    })
}

//! Where a virtual network takes packets, as far as the estate tells: to itself, to a peer, to the Internet, or nowhere.
//!
//! The longest prefix decides, and of equal ones the user's, then a gateway's; what gateways learn never takes packets away
//! from networks. It must not ask a rule: routes and rules are two questions (Azure, virtual network traffic routing). A
//! peering needs both its sides; a side that the input does not hold is taken to be there.

use std::net::IpAddr;

use palisade_net::Prefix;

use crate::{
    Addresses, Estate, ResourceId, Truth, VirtualNetwork,
    estate::{Peering, RouteTable},
    spec::Given,
};

/// Routes of the platform that lead nowhere, as real interfaces show them.
const NOWHERE: [&str; 3] = ["10.0.0.0/8", "100.64.0.0/10", "192.168.0.0/16"];
/// Everything, in each family.
const DEFAULTS: [&str; 2] = ["0.0.0.0/0", "::/0"];

/// Where packets go next.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NextHop {
    /// To machines of this network: the own one, or a peer.
    Network(ResourceId),
    /// To the Internet.
    Internet,
    /// To a gateway, which knows prefixes of its own.
    Gateway,
    /// To an appliance, which sends them on or does not.
    Appliance,
    /// They are dropped.
    Nowhere,
    /// The estate does not tell.
    Unknown,
}

/// The routes of one subnet.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NextHops {
    /// In the order in which they are asked.
    routes: Vec<Route>,
}

/// One route, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Route {
    /// `None` if it may be about any address.
    prefix: Option<Prefix>,
    from: From,
    hop: NextHop,
    certain: bool,
}

/// Who made a route; of equal prefixes the first decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum From {
    User,
    Gateway,
    Platform,
}

impl NextHops {
    /// Prefixes that routes tell apart.
    pub fn prefixes(&self) -> impl Iterator<Item = Prefix> + '_ {
        self.routes.iter().filter_map(|route| route.prefix)
    }

    /// Everywhere that packets to an address may go next: one hop if that is known.
    pub fn of(&self, address: IpAddr) -> Vec<&NextHop> {
        let matching = |route: &&Route| route.prefix.is_none_or(|prefix| prefix.contains(address));
        let networks = |route: &&Route| route.certain && matches!(route.hop, NextHop::Network(_));
        let is_in_network = self.routes.iter().filter(matching).any(|route| networks(&route));
        let mut found = Vec::new();
        for route in self.routes.iter().filter(matching) {
            if is_in_network && route.from == From::Gateway {
                continue;
            }
            if !found.contains(&&route.hop) {
                found.push(&route.hop);
            }
            if route.certain {
                return found;
            }
        }
        if !found.contains(&&NextHop::Nowhere) {
            found.push(&NextHop::Nowhere);
        }
        found
    }
}

impl Estate {
    /// The routes of a subnet; `None` if it is not in the input.
    pub fn next_hops(&self, subnet: &ResourceId) -> Option<NextHops> {
        let (network, subnet) = self.subnet(subnet)?;
        let mut routes = Vec::new();
        let own = NextHop::Network(network.id.clone());
        add(&mut routes, (From::Platform, &own, true), &network.addresses, &network.prefixes);
        for peering in &network.peerings {
            self.add_peer(&mut routes, network, peering);
        }
        add_defaults(&mut routes);
        match &subnet.route_table {
            None => self.add_learned(&mut routes, network, Truth::Yes),
            Some(reference) => match reference.known().and_then(|id| self.route_tables.get(id)) {
                Some(table) => {
                    self.add_learned(&mut routes, network, table.disable_gateway_propagation.negated());
                    add_user_routes(&mut routes, table, &own);
                }
                None => {
                    self.add_learned(&mut routes, network, Truth::Maybe);
                    routes.push(Route::anywhere(From::User, NextHop::Unknown));
                }
            },
        }
        // What may be about any address may be the longest of all.
        let length = |route: &Route| route.prefix.map_or(u8::MAX, Prefix::length);
        routes.sort_by_key(|route| (std::cmp::Reverse(length(route)), route.from));
        Some(NextHops { routes })
    }

    fn add_peer(&self, routes: &mut Vec<Route>, own: &VirtualNetwork, peering: &Peering) {
        let Given::Known(id) = &peering.remote else {
            let addresses = peering.remote_addresses.clone().unwrap_or_else(Addresses::unknown);
            let prefixes = addresses.may().prefixes();
            return add(routes, (From::Platform, &NextHop::Unknown, false), &addresses, &prefixes);
        };
        let hop = NextHop::Network(id.clone());
        match (self.virtual_networks.get(id), &peering.remote_addresses) {
            (Some(remote), _) => {
                let sides = remote.peers_with(&own.id);
                if sides != Truth::No {
                    let certain = peering.certain && sides == Truth::Yes;
                    add(routes, (From::Platform, &hop, certain), &remote.addresses, &remote.prefixes);
                }
            }
            (None, Some(addresses)) => {
                let prefixes = addresses.may().prefixes();
                add(routes, (From::Platform, &hop, peering.certain), addresses, &prefixes);
            }
            (None, None) => routes.push(Route::anywhere(From::Platform, hop)),
        }
    }

    /// What the network's own gateway learned, or that of a peer whose gateway it uses.
    fn add_learned(&self, routes: &mut Vec<Route>, network: &VirtualNetwork, propagated: Truth) {
        let mut learned = network.learned.clone();
        for peering in &network.peerings {
            let remote = peering.remote.known().and_then(|id| self.virtual_networks.get(id));
            let theirs = remote.map_or_else(Addresses::unknown, |remote| remote.learned.clone());
            learned = learned.union(&theirs.if_it_holds(peering.use_remote_gateways));
        }
        let learned = learned.if_it_holds(propagated);
        let prefixes = learned.must().prefixes();
        add(routes, (From::Gateway, &NextHop::Gateway, true), &learned, &prefixes);
    }
}

impl VirtualNetwork {
    /// Whether a peering on this side leads to a network.
    fn peers_with(&self, other: &ResourceId) -> Truth {
        let one = |peering: &Peering| match &peering.remote {
            Given::Known(id) if id != other => Truth::No,
            Given::Known(_) if peering.certain => Truth::Yes,
            _ => Truth::Maybe,
        };
        let all: Vec<Truth> = self.peerings.iter().map(one).collect();
        [Truth::Yes, Truth::Maybe].into_iter().find(|found| all.contains(found)).unwrap_or(Truth::No)
    }
}

impl Route {
    const fn anywhere(from: From, hop: NextHop) -> Self {
        Self { prefix: None, from, hop, certain: false }
    }
}

/// Adds routes to the known prefixes of a set, and one to anywhere if there may be more.
fn add(
    routes: &mut Vec<Route>,
    (from, hop, certain): (From, &NextHop, bool),
    addresses: &Addresses,
    prefixes: &[Prefix],
) {
    let one = |prefix: &Prefix| Route { prefix: Some(*prefix), from, hop: hop.clone(), certain };
    routes.extend(prefixes.iter().map(one));
    if !addresses.is_certain() {
        routes.push(Route::anywhere(from, hop.clone()));
    }
}

/// The routes that every subnet has: the Internet, and private blocks that lead nowhere.
fn add_defaults(routes: &mut Vec<Route>) {
    for (prefixes, hop) in [(&DEFAULTS[..], NextHop::Internet), (&NOWHERE[..], NextHop::Nowhere)] {
        for text in prefixes {
            let prefix = text.parse().expect("prefixes of this module are canonical");
            routes.push(Route {
                prefix: Some(prefix),
                from: From::Platform,
                hop: hop.clone(),
                certain: true,
            });
        }
    }
}

fn add_user_routes(routes: &mut Vec<Route>, table: &RouteTable, own: &NextHop) {
    for route in &table.routes {
        let hop = match route.next_hop {
            UserHop::Own => own.clone(),
            UserHop::To(ref hop) => hop.clone(),
        };
        let prefixes = route.destination.must().prefixes();
        add(routes, (From::User, &hop, true), &route.destination, &prefixes);
    }
}

/// A user's route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UserRoute {
    pub(crate) destination: Addresses,
    pub(crate) next_hop: UserHop,
}

/// Where a user's route leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum UserHop {
    /// The network that the subnet is in.
    Own,
    /// Elsewhere.
    To(NextHop),
}

impl UserHop {
    /// The hop of a `nextHopType`; unknown if it is none that Azure has.
    pub(crate) fn of(kind: Option<&str>) -> Self {
        let kinds = [
            ("VirtualAppliance", Self::To(NextHop::Appliance)),
            ("VnetLocal", Self::Own),
            ("Internet", Self::To(NextHop::Internet)),
            ("VirtualNetworkGateway", Self::To(NextHop::Gateway)),
            ("None", Self::To(NextHop::Nowhere)),
        ];
        let is = |known: &str| kind.is_some_and(|kind| kind.eq_ignore_ascii_case(known));
        let found = kinds.into_iter().find(|(known, _)| is(known));
        found.map_or(Self::To(NextHop::Unknown), |(_, hop)| hop)
    }
}

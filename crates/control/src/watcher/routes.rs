//! Effective routes of an interface, and where a packet goes next.
//!
//! Routes come from the documents of the virtual network, its peers and the subnet's route table, since the model keeps of them
//! only what the `VirtualNetwork` tag needs. The longest prefix decides, and of equal ones the user's. What a gateway learns does not
//! exist here. Reference: docs/arm.md, "What Network Watcher answers".

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use palisade_model::{ResourceId, TagAddresses, TagCatalog, TagName};
use palisade_net::{AddressSet, Family, Prefix, RangeSet};
use serde_json::{Value, json};

use super::input::{list, member, path, reference};

/// Routes of the platform that lead nowhere, as real interfaces show them.
const NOWHERE: [&str; 3] = ["10.0.0.0/8", "100.64.0.0/10", "192.168.0.0/16"];
/// Everything, in each family.
const DEFAULTS: [&str; 2] = ["0.0.0.0/0", "::/0"];
/// Addresses at the front of a subnet that Azure keeps for itself.
const RESERVED: u32 = 4;
/// What stands for the route table where no user's route decides.
pub const SYSTEM_ROUTE: &str = "System Route";

/// The documents that the routes of a subnet come from, as `GET` answers them.
#[derive(Debug, Clone, Copy)]
pub struct RouteSources<'a> {
    /// The virtual network, with its subnets and peerings.
    pub network: &'a Value,
    /// The route table of the subnet.
    pub table: Option<&'a Value>,
    /// Service tags, which a route may name.
    pub tags: &'a TagCatalog,
}

/// One route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    name: Option<String>,
    /// Its route table; `None` for a route of the platform.
    table: Option<ResourceId>,
    active: bool,
    prefixes: Vec<Prefix>,
    /// The prefix as written, where it is a tag that no file defines.
    unresolved: Option<String>,
    next_hop: NextHop,
    address: Option<String>,
    disable_propagation: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum NextHop {
    Network,
    Peering,
    Internet,
    Nowhere,
    /// Whatever a user's route says.
    Written(String),
}

impl NextHop {
    /// The word of the effective route table.
    fn in_table(&self) -> &str {
        match self {
            Self::Network => "VnetLocal",
            Self::Peering => "VNetPeering",
            Self::Internet => "Internet",
            Self::Nowhere => "None",
            Self::Written(text) => text,
        }
    }

    /// The word of next hop's answer.
    fn as_answer(&self) -> &str {
        match self {
            Self::Peering => "VirtualNetworkPeering",
            other => other.in_table(),
        }
    }
}

/// All routes of a subnet: those of the platform, then the user's.
pub fn routes(sources: &RouteSources<'_>) -> Vec<Route> {
    let user = user_routes(sources);
    let mut all = system_routes(sources);
    for route in &mut all {
        route.active = !user.iter().any(|other| route.prefixes.iter().all(|p| other.prefixes.contains(p)));
    }
    all.extend(user);
    all
}

/// `effectiveRouteTable`.
pub fn table(sources: &RouteSources<'_>) -> Value {
    let value: Vec<Value> = routes(sources).iter().map(Route::to_json).collect();
    json!({"value": value})
}

/// `nextHop` for a packet to this address.
pub fn next_hop(sources: &RouteSources<'_>, destination: IpAddr) -> Value {
    let routes = routes(sources);
    let candidates = routes.iter().filter(|route| route.active).flat_map(|route| {
        let matching = route.prefixes.iter().filter(|prefix| prefix.contains(destination));
        matching.map(move |prefix| (prefix.length(), route.table.is_some(), route))
    });
    let best = candidates.max_by_key(|(length, of_user, _)| (*length, *of_user)).map(|(_, _, route)| route);
    let Some(route) = best else {
        return json!({"nextHopType": "None", "routeTableId": SYSTEM_ROUTE});
    };
    let table = route.table.as_ref().map_or(SYSTEM_ROUTE, ResourceId::as_str);
    let mut answer = json!({"nextHopType": route.next_hop.as_answer(), "routeTableId": table});
    if let Some(address) = &route.address {
        answer["nextHopIpAddress"] = address.as_str().into();
    }
    answer
}

impl Route {
    fn system(prefixes: Vec<Prefix>, next_hop: NextHop) -> Self {
        Self {
            name: None,
            table: None,
            active: true,
            prefixes,
            unresolved: None,
            next_hop,
            address: None,
            disable_propagation: false,
        }
    }

    fn to_json(&self) -> Value {
        let mut prefixes: Vec<String> = self.prefixes.iter().map(ToString::to_string).collect();
        prefixes.extend(self.unresolved.clone());
        let mut route = json!({
            "source": if self.table.is_some() { "User" } else { "Default" },
            "state": if self.active { "Active" } else { "Invalid" },
            "addressPrefix": prefixes,
            "nextHopType": self.next_hop.in_table(),
            "nextHopIpAddress": self.address.iter().collect::<Vec<_>>(),
            "disableBgpRoutePropagation": self.disable_propagation,
        });
        if let Some(name) = &self.name {
            route["name"] = name.as_str().into();
        }
        route
    }
}

/// The routes that every subnet has: its network, its peers, the Internet, and private blocks that lead nowhere unless the network
/// uses them.
fn system_routes(sources: &RouteSources<'_>) -> Vec<Route> {
    let own = prefixes_at(sources.network, &["properties", "addressSpace", "addressPrefixes"]);
    let mut routes: Vec<Route> =
        own.iter().map(|prefix| Route::system(vec![*prefix], NextHop::Network)).collect();
    let peerings = list(sources.network, &["properties", "virtualNetworkPeerings"]);
    let mut reachable = own;
    for peering in peerings.iter().filter(|peering| is_open(peering)) {
        let remote = prefixes_at(peering, &["properties", "remoteAddressSpace", "addressPrefixes"]);
        if !remote.is_empty() {
            reachable.extend(&remote);
            routes.push(Route::system(remote, NextHop::Peering));
        }
    }
    let has_v6 = reachable.iter().any(|prefix| prefix.family() == Family::V6);
    let defaults = fixed(&DEFAULTS).into_iter().filter(|prefix| has_v6 || prefix.family() == Family::V4);
    routes.extend(defaults.map(|prefix| Route::system(vec![prefix], NextHop::Internet)));
    let nowhere = fixed(&NOWHERE).into_iter().filter(|prefix| !reachable.contains(prefix));
    routes.extend(nowhere.map(|prefix| Route::system(vec![prefix], NextHop::Nowhere)));
    routes
}

/// Whether a peering carries traffic now.
fn is_open(peering: &Value) -> bool {
    let property = |key| path(peering, &["properties", key]);
    let connected = property("peeringState").and_then(Value::as_str);
    connected.is_none_or(|state| state.eq_ignore_ascii_case("Connected"))
        && property("allowVirtualNetworkAccess").and_then(Value::as_bool) != Some(false)
}

fn user_routes(sources: &RouteSources<'_>) -> Vec<Route> {
    let Some(table) = sources.table else { return Vec::new() };
    let id = member(table, "id").and_then(Value::as_str).map(ResourceId::new);
    let disabled = path(table, &["properties", "disableBgpRoutePropagation"]).and_then(Value::as_bool);
    let one = |route: &Value| {
        let text = |key| path(route, &["properties", key]).and_then(Value::as_str);
        let written = text("addressPrefix")?;
        let prefixes = destinations(written, sources.tags);
        Some(Route {
            name: member(route, "name").and_then(Value::as_str).map(str::to_owned),
            table: id.clone(),
            active: true,
            unresolved: prefixes.is_none().then(|| written.to_owned()),
            prefixes: prefixes.unwrap_or_default(),
            next_hop: NextHop::Written(text("nextHopType")?.to_owned()),
            address: text("nextHopIpAddress").filter(|text| !text.is_empty()).map(str::to_owned),
            disable_propagation: disabled.unwrap_or_default(),
        })
    };
    list(table, &["properties", "routes"]).iter().filter_map(one).collect()
}

/// A route's destinations: a prefix, or those of a service tag; `None` for a tag that no file defines.
fn destinations(written: &str, tags: &TagCatalog) -> Option<Vec<Prefix>> {
    if let Ok(prefix) = written.parse() {
        return Some(vec![prefix]);
    }
    match tags.addresses(&written.parse::<TagName>().ok()?) {
        TagAddresses::Known(set) => Some(set.prefixes()),
        TagAddresses::OfSubnet | TagAddresses::Unresolved | TagAddresses::NoSuchTag => None,
    }
}

/// The route table that a subnet of this network names.
pub fn table_of(network: &Value, subnet: &ResourceId) -> Option<ResourceId> {
    let subnets = list(network, &["properties", "subnets"]).iter();
    let mut named = subnets.filter(|found| {
        member(found, "name")
            .and_then(Value::as_str)
            .is_some_and(|name| name.eq_ignore_ascii_case(subnet.name()))
    });
    reference(named.next()?, &["properties", "routeTable"])
}

fn prefixes_at(value: &Value, keys: &[&str]) -> Vec<Prefix> {
    list(value, keys).iter().filter_map(|prefix| prefix.as_str()?.parse().ok()).collect()
}

fn fixed(prefixes: &[&str]) -> Vec<Prefix> {
    prefixes.iter().map(|text| text.parse().expect("prefixes of this module are canonical")).collect()
}

/// The prefixes of a subnet.
pub fn subnet_prefixes(subnet: &Value) -> Vec<Prefix> {
    let one = path(subnet, &["properties", "addressPrefix"]).and_then(Value::as_str);
    let one = one.and_then(|text| text.parse().ok());
    one.into_iter().chain(prefixes_at(subnet, &["properties", "addressPrefixes"])).collect()
}

/// What machines may have of a subnet: Azure keeps the first four addresses and the last.
pub fn usable(prefix: Prefix) -> AddressSet {
    let own: AddressSet = [prefix].into_iter().collect();
    let (v4, v6) = match (prefix.address(), prefix.last()) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            let (first, last) = (u32::from(first), u32::from(last));
            (
                [(first, first.saturating_add(RESERVED - 1)), (last, last)].into_iter().collect(),
                RangeSet::empty(),
            )
        }
        (IpAddr::V6(first), _) => {
            let first = u128::from(first);
            (
                RangeSet::empty(),
                [(first, first.saturating_add(u128::from(RESERVED) - 1))].into_iter().collect(),
            )
        }
        (IpAddr::V4(_), IpAddr::V6(_)) => (RangeSet::empty(), RangeSet::empty()),
    };
    own.difference(&AddressSet::from_ranges(v4, v6))
}

/// The addresses of a set in ascending order.
pub fn first_of(set: &AddressSet) -> impl Iterator<Item = IpAddr> {
    let v4 = set
        .v4()
        .ranges()
        .iter()
        .flat_map(|(first, last)| (*first..=*last).map(|a| IpAddr::from(Ipv4Addr::from(a))));
    let v6 = set
        .v6()
        .ranges()
        .iter()
        .flat_map(|(first, last)| (*first..=*last).map(|a| IpAddr::from(Ipv6Addr::from(a))));
    v4.chain(v6)
}

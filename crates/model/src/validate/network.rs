//! Networks, subnets, peerings, routes and public addresses.

use std::ops::RangeInclusive;

use palisade_net::{AddressSet, Prefix, PrefixError};

use super::{count_limit, shown, unresolved_tag};
use crate::{
    Addresses, Code, Frontend, LoadBalancer, Place, PublicIpSku, ResourceId, Subnet, TagAddresses,
    TagCatalog, TagName, Truth, VirtualNetwork,
    estate::{Peering, RouteTable},
    limits,
    next_hop::{UserHop, UserRoute},
    problem::Problems,
    spec::{
        AsgSpec, At, Given, LearnedPrefixesSpec, LoadBalancerSpec, MappingSpec, PeeringSpec, PublicIpSpec,
        Reference, RouteTableSpec, SubnetSpec, Text, TextList, VirtualNetworkSpec,
    },
};

pub(super) fn group(spec: &AsgSpec, p: &mut Problems) -> Addresses {
    p.about(&spec.id);
    texts(&spec.address_prefixes, p)
}

/// What gateways learn: the network, and the prefixes.
pub(super) type Learned = (Given<ResourceId>, Addresses);

pub(super) fn learned(spec: &LearnedPrefixesSpec, p: &mut Problems) -> Learned {
    match spec.virtual_network.value.known() {
        Some(network) => p.about(network),
        None => p.about_all(),
    }
    (spec.virtual_network.value.clone(), address_list(Some(&spec.address_prefixes), p))
}

pub(super) fn virtual_network(
    spec: &VirtualNetworkSpec,
    learned: &[Learned],
    p: &mut Problems,
) -> VirtualNetwork {
    p.about(&spec.id);
    for (count, max, kind) in [
        (spec.subnets.len(), limits::SUBNETS_PER_NETWORK_MAX, "subnets"),
        (spec.peerings.len(), limits::PEERINGS_PER_NETWORK_MAX, "peerings"),
    ] {
        let what = format!("{kind} of {}", spec.id);
        count_limit(p, Code::PalResourceCountLimitReached, &spec.place, count, max, &what);
    }
    let (flow_timeout_minutes, open_parts) = flow_timeout(spec, p);
    let learned = learned.iter().filter_map(|(network, addresses)| match network {
        Given::Known(id) => (*id == spec.id).then(|| addresses.clone()),
        Given::Unknown(_) => Some(addresses.perhaps()),
    });
    let addresses = address_list(spec.address_prefixes.as_ref(), p);
    let peerings = spec.peerings.iter().filter_map(|s| peering(s, p)).collect();
    VirtualNetwork {
        id: spec.id.clone(),
        name: shown(&spec.name),
        addresses,
        prefixes: known_prefixes(spec.address_prefixes.as_ref()),
        peerings,
        subnets: spec.subnets.iter().map(|s| subnet(s, p)).collect(),
        learned: learned.fold(Addresses::empty(), |all, set| all.union(&set)),
        flow_timeout_minutes,
        open_parts,
    }
}

/// The idle timeout in minutes, and what of it only a deployment can tell.
fn flow_timeout(spec: &VirtualNetworkSpec, p: &mut Problems) -> (Option<u32>, Vec<String>) {
    const ALLOWED: RangeInclusive<i64> = limits::FLOW_TIMEOUT_MINUTES_MIN..=limits::FLOW_TIMEOUT_MINUTES_MAX;
    match spec.flow_timeout_minutes.as_ref().map(|minutes| (&minutes.value, &minutes.place)) {
        None => (None, Vec::new()),
        Some((Given::Unknown(reason), _)) => {
            (None, vec![format!("flowTimeoutInMinutes of {}: {reason}", spec.id)])
        }
        Some((Given::Known(minutes), place)) => {
            let allowed = u32::try_from(*minutes).ok().filter(|_| ALLOWED.contains(minutes));
            if allowed.is_none() {
                let message = format!("flowTimeoutInMinutes {minutes} of {} is outside 4 to 30", spec.id);
                p.error(Code::PalInvalidFlowTimeout, place, message);
            }
            (allowed, Vec::new())
        }
    }
}

fn subnet(spec: &SubnetSpec, p: &mut Problems) -> Subnet {
    p.about(&spec.id);
    Subnet {
        id: spec.id.clone(),
        name: shown(&spec.name),
        addresses: address_list(spec.address_prefixes.as_ref(), p),
        nsg: reference(spec.nsg.as_ref()),
        route_table: reference(spec.route_table.as_ref()),
        governs_private_endpoints: governs_private_endpoints(spec, p),
        delegations: spec.delegations.iter().filter_map(|service| service.value.known().cloned()).collect(),
    }
}

/// Whether the subnet's NSG is about private endpoints too. Azure's default is that it is not.
fn governs_private_endpoints(spec: &SubnetSpec, p: &mut Problems) -> Truth {
    const POLICIES: [(&str, Truth); 4] = [
        ("Disabled", Truth::No),
        ("Enabled", Truth::Yes),
        ("NetworkSecurityGroupEnabled", Truth::Yes),
        ("RouteTableEnabled", Truth::No),
    ];
    let Some(text) = &spec.private_endpoint_policies else { return Truth::No };
    let Given::Known(value) = &text.value else { return Truth::Maybe };
    let found = POLICIES.iter().find(|(policy, _)| policy.eq_ignore_ascii_case(value));
    found.map_or_else(
        || {
            let choices = POLICIES.map(|(policy, _)| policy).join(", ");
            let message =
                format!("privateEndpointNetworkPolicies \"{value}\" of {} is not one of {choices}", spec.id);
            p.error(Code::PalInvalidValue, &text.place, message);
            Truth::Maybe
        },
        |(_, governs)| *governs,
    )
}

/// A peering that carries traffic; `None` for one that is not connected or lets no network access through.
fn peering(spec: &PeeringSpec, p: &mut Problems) -> Option<Peering> {
    let connected = match spec.state.as_ref().map(|text| &text.value) {
        // Templates do not say it: they describe what is to be connected.
        None => Truth::Yes,
        Some(Given::Unknown(_)) => Truth::Maybe,
        Some(Given::Known(state)) if state.eq_ignore_ascii_case("Connected") => Truth::Yes,
        Some(Given::Known(_)) => Truth::No,
    };
    let remote_addresses = spec.remote_prefixes.as_ref().map(|list| address_list(Some(list), p));
    let carries = connected.and(spec.allow_access);
    (carries != Truth::No).then(|| Peering {
        remote: reference(spec.remote.as_ref())
            .unwrap_or_else(|| Given::Unknown("the peering names no network".into())),
        remote_addresses,
        use_remote_gateways: spec.use_remote_gateways,
        certain: carries == Truth::Yes,
    })
}

pub(super) fn route_table(spec: &RouteTableSpec, tags: &TagCatalog, p: &mut Problems) -> RouteTable {
    p.about(&spec.id);
    let (count, max) = (spec.routes.len(), limits::ROUTES_PER_TABLE_MAX);
    let what = format!("routes of {}", spec.id);
    count_limit(p, Code::PalResourceCountLimitReached, &spec.place, count, max, &what);
    let routes = spec.routes.iter().map(|route| UserRoute {
        destination: match &route.address_prefix {
            Some(text) => route_destination(text, tags, p),
            None => Addresses::unknown(),
        },
        next_hop: UserHop::of(
            route.next_hop_type.as_ref().and_then(|text| text.value.known()).map(String::as_str),
        ),
    });
    let routes: Vec<UserRoute> = routes.collect();
    let destinations = routes.iter().fold(Addresses::empty(), |all, route| all.union(&route.destination));
    RouteTable { destinations, routes, disable_gateway_propagation: spec.disable_gateway_propagation }
}

fn route_destination(text: &Text, tags: &TagCatalog, p: &mut Problems) -> Addresses {
    let Given::Known(value) = &text.value else { return Addresses::unknown() };
    if let Ok(prefix) = Prefix::parse_truncating(value) {
        return Addresses::exactly([prefix].into_iter().collect());
    }
    let name = value.parse::<TagName>().ok().filter(|name| name.computed().is_none());
    match name.map(|name| tags.addresses(&name)) {
        Some(TagAddresses::Known(set)) => Addresses::exactly(set),
        Some(TagAddresses::Unresolved) => {
            unresolved_tag(value, "a route", &text.place, p);
            Addresses::unknown()
        }
        _ => {
            invalid(value, "a route leads to a prefix or to a published service tag", &text.place, p);
            Addresses::unknown()
        }
    }
}

pub(super) fn public_ip(spec: &PublicIpSpec, p: &mut Problems) -> Given<PublicIpSku> {
    p.about(&spec.id);
    let is = str::eq_ignore_ascii_case;
    if let Some(At { value: Given::Known(value), place }) = &spec.address
        && !value.is_empty()
    {
        single_prefix(value, place, p);
    }
    match spec.sku.as_ref().map(|text| (&text.value, &text.place)) {
        None => Given::Known(PublicIpSku::Basic),
        Some((Given::Unknown(reason), _)) => Given::Unknown(reason.clone()),
        Some((Given::Known(sku), _)) if is(sku, "Basic") => Given::Known(PublicIpSku::Basic),
        Some((Given::Known(sku), _)) if is(sku, "Standard") || is(sku, "StandardV2") => {
            Given::Known(PublicIpSku::Standard)
        }
        Some((Given::Known(sku), place)) => {
            let message = format!("SKU \"{sku}\" of {} is not one of Basic, Standard or StandardV2", spec.id);
            p.error(Code::PalInvalidValue, place, message);
            Given::Known(PublicIpSku::Standard)
        }
    }
}

pub(super) fn load_balancer(spec: &LoadBalancerSpec, p: &mut Problems) -> LoadBalancer {
    p.about(&spec.id);
    let mut frontends = Vec::new();
    for frontend in &spec.frontends {
        let Some(At { value: Given::Known(value), place }) = &frontend.private_address else { continue };
        match value.parse() {
            Ok(address) => frontends.push(Frontend { address, is_floating: is_floating(spec, &frontend.id) }),
            Err(_) => invalid(value, "a load balancer listens at an address", place, p),
        }
    }
    LoadBalancer { id: spec.id.clone(), frontends }
}

/// Whether a mapping leaves the address of a frontend in the packets that it passes on.
fn is_floating(spec: &LoadBalancerSpec, frontend: &ResourceId) -> Truth {
    let of_it = |mapping: &&MappingSpec| match mapping.frontend.as_ref().map(|reference| &reference.value) {
        Some(Given::Known(id)) => id == frontend,
        _ => true,
    };
    let all = Truth::from(!spec.mappings_known).and(Truth::Maybe);
    spec.mappings.iter().filter(of_it).fold(all, |any, mapping| any.or(mapping.floating))
}

pub(super) fn reference(reference: Option<&Reference>) -> Option<Given<ResourceId>> {
    reference.map(|reference| reference.value.clone())
}

/// The addresses of a list, of which unknown elements may be any.
fn address_list(list: Option<&TextList>, p: &mut Problems) -> Addresses {
    let Some(At { value: Given::Known(list), .. }) = list else { return Addresses::unknown() };
    texts(list, p)
}

/// The prefixes of a list that are known and sound, as they were written.
fn known_prefixes(list: Option<&TextList>) -> Vec<Prefix> {
    let list = list.and_then(|list| list.value.known()).into_iter().flatten();
    list.filter_map(|text| Prefix::parse_truncating(text.value.known()?).ok()).collect()
}

/// The addresses of prefixes. Networks are read as the portal does: host bits are cleared.
fn texts(list: &[Text], p: &mut Problems) -> Addresses {
    let complete = list.iter().all(|text| text.value.known().is_some());
    let known = list.iter().filter_map(|text| Some((text.value.known()?, &text.place)));
    let set: AddressSet = known.filter_map(|(value, place)| single_prefix(value, place, p)).collect();
    let known = Addresses::exactly(set);
    if complete { known } else { known.union(&Addresses::unknown()) }
}

fn single_prefix(value: &str, place: &Place, p: &mut Problems) -> Option<Prefix> {
    checked_prefix(Prefix::parse_truncating(value), value, place, p)
}

pub(super) fn checked_prefix(
    parsed: Result<Prefix, PrefixError>,
    value: &str,
    place: &Place,
    p: &mut Problems,
) -> Option<Prefix> {
    parsed.map_err(|error| invalid(value, &error.to_string(), place, p)).ok()
}

fn invalid(value: &str, reason: &str, place: &Place, p: &mut Problems) {
    p.error(
        Code::InvalidAddressPrefixFormat,
        place,
        format!("address prefix \"{value}\" is invalid: {reason}"),
    );
}

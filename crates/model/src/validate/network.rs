//! Networks, subnets, peerings, routes, interfaces and public addresses.

use palisade_net::{AddressSet, Prefix, PrefixError};

use super::{count_limit, shown, unresolved_tag};
use crate::{
    Addresses, Code, Guards, IpConfiguration, Mode, Nic, Place, PublicIpSku, ResourceId, Subnet,
    TagAddresses, TagCatalog, TagName, Truth, VirtualNetwork,
    estate::{Peering, RouteTable},
    limits,
    problem::Problems,
    spec::{
        AsgSpec, At, Given, IpConfigurationSpec, LearnedPrefixesSpec, NicSpec, PeeringSpec, PublicIpSpec,
        Reference, RouteTableSpec, SubnetSpec, Text, TextList, VirtualNetworkSpec,
    },
};

pub(super) fn group(spec: &AsgSpec, p: &mut Problems) -> Addresses {
    texts(&spec.address_prefixes, p)
}

/// What gateways learn: the network, and the prefixes.
pub(super) type Learned = (Given<ResourceId>, Addresses);

pub(super) fn learned(spec: &LearnedPrefixesSpec, p: &mut Problems) -> Learned {
    (spec.virtual_network.value.clone(), address_list(Some(&spec.address_prefixes), p))
}

pub(super) fn virtual_network(
    spec: &VirtualNetworkSpec,
    learned: &[Learned],
    p: &mut Problems,
) -> VirtualNetwork {
    for (count, max, kind) in [
        (spec.subnets.len(), limits::SUBNETS_PER_NETWORK_MAX, "subnets"),
        (spec.peerings.len(), limits::PEERINGS_PER_NETWORK_MAX, "peerings"),
    ] {
        let what = format!("{kind} of {}", spec.id);
        count_limit(p, Code::PalResourceCountLimitReached, &spec.place, count, max, &what);
    }
    if let Some(At { value, place }) = &spec.flow_timeout_minutes
        && !(limits::FLOW_TIMEOUT_MINUTES_MIN..=limits::FLOW_TIMEOUT_MINUTES_MAX).contains(value)
    {
        let message = format!("flowTimeoutInMinutes {value} of {} is outside 4 to 30", spec.id);
        p.error(Code::PalInvalidFlowTimeout, place, message);
    }
    let minutes = spec.flow_timeout_minutes.as_ref().and_then(|minutes| u32::try_from(minutes.value).ok());
    let learned = learned.iter().filter_map(|(network, addresses)| match network {
        Given::Known(id) => (*id == spec.id).then(|| addresses.clone()),
        Given::Unknown(_) => Some(addresses.perhaps()),
    });
    VirtualNetwork {
        id: spec.id.clone(),
        name: shown(&spec.name),
        addresses: address_list(spec.address_prefixes.as_ref(), p),
        subnets: spec.subnets.iter().map(|s| subnet(s, p)).collect(),
        peerings: spec.peerings.iter().filter_map(|s| peering(s, p)).collect(),
        learned: learned.fold(Addresses::empty(), |all, set| all.union(&set)),
        flow_timeout_minutes: minutes,
        open_parts: Vec::new(),
    }
}

fn subnet(spec: &SubnetSpec, p: &mut Problems) -> Subnet {
    Subnet {
        id: spec.id.clone(),
        name: shown(&spec.name),
        addresses: address_list(spec.address_prefixes.as_ref(), p),
        nsg: reference(spec.nsg.as_ref()),
        route_table: reference(spec.route_table.as_ref()),
        governs_private_endpoints: governs_private_endpoints(spec, p),
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
    let (count, max) = (spec.routes.len(), limits::ROUTES_PER_TABLE_MAX);
    let what = format!("routes of {}", spec.id);
    count_limit(p, Code::PalResourceCountLimitReached, &spec.place, count, max, &what);
    let destinations = spec
        .routes
        .iter()
        .map(|route| match &route.address_prefix {
            Some(text) => route_destination(text, tags, p),
            None => Addresses::unknown(),
        })
        .fold(Addresses::empty(), |all, set| all.union(&set));
    RouteTable { destinations, disable_gateway_propagation: spec.disable_gateway_propagation }
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

pub(super) fn nic(spec: &NicSpec, p: &mut Problems) -> Nic {
    let mac = spec.mac.as_ref().and_then(|text| match &text.value {
        Given::Known(value) if !value.is_empty() => value
            .parse()
            .map_err(|error| p.error(Code::PalInvalidMacAddress, &text.place, format!("{error}")))
            .ok(),
        _ => None,
    });
    // A stable sort: the configuration that says it is primary comes first, the others keep their order.
    let mut configurations: Vec<&IpConfigurationSpec> = spec.ip_configurations.iter().collect();
    configurations.sort_by_key(|configuration| configuration.primary != Some(true));
    let nic = Nic {
        id: spec.id.clone(),
        name: shown(&spec.name),
        nsg: reference(spec.nsg.as_ref()),
        ip_configurations: configurations.into_iter().map(|c| ip_configuration(c, p)).collect(),
        mac,
        ip_forwarding: spec.ip_forwarding,
        private_endpoint: spec.private_endpoint,
        mode: Mode::Enforce,
        tcp_state_tracking: true,
        guards: Guards { source: !spec.ip_forwarding, ..Guards::ALL },
        open_parts: Vec::new(),
        tags: spec.tags.clone(),
    };
    check_groups(&nic, &spec.place, p);
    check_subnets(&nic, &spec.place, p);
    nic
}

/// An interface is in one subnet, whose NSG and routes hold for it.
fn check_subnets(nic: &Nic, place: &Place, p: &mut Problems) {
    let mut subnets = nic.ip_configurations.iter().filter_map(|c| c.subnet.as_ref()?.known());
    if let Some(first) = subnets.next()
        && let Some(other) = subnets.find(|other| *other != first)
    {
        let message = format!(
            "IPConfigurations on a Nic cannot belong to different subnets. {} is in {first} and {other}.",
            nic.id
        );
        p.error(Code::PalIpConfigurationSubnetsDiffer, place, message);
    }
}

/// Azure requires every IP configuration of an interface to be in the same groups.
fn check_groups(nic: &Nic, place: &Place, p: &mut Problems) {
    let sorted = |configuration: &IpConfiguration| {
        let mut groups = configuration.groups.clone();
        groups.sort();
        groups
    };
    let mut sets =
        nic.ip_configurations.iter().filter(|configuration| configuration.groups_known).map(sorted);
    if let Some(first) = sets.next()
        && sets.any(|other| other != first)
    {
        let message = format!("IP configurations of {} are in different application security groups", nic.id);
        p.error(Code::PalIpConfigurationGroupsDiffer, place, message);
    }
    for configuration in &nic.ip_configurations {
        let (count, max) = (configuration.groups.len(), limits::ASGS_PER_IP_CONFIGURATION_MAX);
        let what = format!("application security groups of one IP configuration of {}", nic.id);
        count_limit(p, Code::PalApplicationSecurityGroupLimitReached, place, count, max, &what);
    }
}

fn ip_configuration(spec: &IpConfigurationSpec, p: &mut Problems) -> IpConfiguration {
    let address = spec.private_address.as_ref().and_then(|text| match &text.value {
        // Not cut down to its network: an interface at 10.0.0.4/24 does not have 256 addresses.
        Given::Known(value) if !value.is_empty() => checked_prefix(value.parse(), value, &text.place, p),
        _ => None,
    });
    IpConfiguration {
        name: shown(&spec.name),
        address,
        subnet: reference(spec.subnet.as_ref()),
        public_ip: reference(spec.public_ip.as_ref()),
        groups: spec.asgs.iter().filter_map(|asg| asg.value.known().cloned()).collect(),
        groups_known: spec.asgs.iter().all(|asg| asg.value.known().is_some()),
    }
}

pub(super) fn public_ip(spec: &PublicIpSpec, p: &mut Problems) -> Given<PublicIpSku> {
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

fn reference(reference: Option<&Reference>) -> Option<Given<ResourceId>> {
    reference.map(|reference| reference.value.clone())
}

/// The addresses of a list, of which unknown elements may be any.
fn address_list(list: Option<&TextList>, p: &mut Problems) -> Addresses {
    let Some(At { value: Given::Known(list), .. }) = list else { return Addresses::unknown() };
    texts(list, p)
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

fn checked_prefix(
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

//! Networks, subnets, peerings, routes, interfaces and public addresses.

use palisade_net::{AddressSet, Prefix};

use super::{count_limit, shown};
use crate::{
    Addresses, Code, IpConfiguration, Nic, Place, PublicIpSku, ResourceId, Subnet, TagAddresses, TagCatalog,
    TagName, VirtualNetwork,
    estate::{Peering, RouteTable},
    limits,
    problem::Problems,
    spec::{
        AsgSpec, At, EstateSpec, Given, IpConfigurationSpec, NicSpec, PeeringSpec, PublicIpSpec, Reference,
        RouteTableSpec, SubnetSpec, Text, TextList, VirtualNetworkSpec,
    },
};

pub(super) fn group(spec: &AsgSpec, p: &mut Problems) -> AddressSet {
    let (prefixes, _) = prefixes(&spec.address_prefixes, p);
    prefixes.into_iter().collect()
}

pub(super) fn virtual_network(
    spec: &VirtualNetworkSpec,
    estate: &EstateSpec,
    p: &mut Problems,
) -> VirtualNetwork {
    let subnets = limits::SUBNETS_PER_NETWORK_MAX;
    count_limit(p, Code::PalResourceCountLimitReached, &spec.place, spec.subnets.len(), subnets, "subnets");
    let peerings = limits::PEERINGS_PER_NETWORK_MAX;
    count_limit(
        p,
        Code::PalResourceCountLimitReached,
        &spec.place,
        spec.peerings.len(),
        peerings,
        "peerings",
    );
    if let Some(At { value, place }) = &spec.flow_timeout_minutes
        && !(limits::FLOW_TIMEOUT_MINUTES_MIN..=limits::FLOW_TIMEOUT_MINUTES_MAX).contains(value)
    {
        let message = format!("flowTimeoutInMinutes {value} of {} is outside 4 to 30", spec.id);
        p.error(Code::PalInvalidFlowTimeout, place, message);
    }
    let learned = estate
        .learned_prefixes
        .iter()
        .filter(|learned| learned.virtual_network.value.known().is_none_or(|id| *id == spec.id))
        .map(|learned| match learned.virtual_network.value {
            Given::Known(_) => address_list(Some(&learned.address_prefixes), p),
            Given::Unknown(_) => {
                Addresses::at_most(address_list(Some(&learned.address_prefixes), p).may().clone())
            }
        })
        .fold(Addresses::exactly(AddressSet::empty()), |all, set| all.union(&set));
    VirtualNetwork {
        id: spec.id.clone(),
        name: shown(&spec.name),
        addresses: address_list(spec.address_prefixes.as_ref(), p),
        subnets: spec.subnets.iter().map(|s| subnet(s, p)).collect(),
        peerings: spec.peerings.iter().filter_map(|s| peering(s, p)).collect(),
        learned,
    }
}

fn subnet(spec: &SubnetSpec, p: &mut Problems) -> Subnet {
    let governs =
        spec.private_endpoint_policies.as_ref().and_then(|text| text.value.known()).is_some_and(|value| {
            ["Enabled", "NetworkSecurityGroupEnabled"]
                .iter()
                .any(|enabled| value.eq_ignore_ascii_case(enabled))
        });
    Subnet {
        id: spec.id.clone(),
        name: shown(&spec.name),
        addresses: address_list(spec.address_prefixes.as_ref(), p),
        nsg: reference(spec.nsg.as_ref()),
        route_table: reference(spec.route_table.as_ref()),
        governs_private_endpoints: governs,
    }
}

/// A peering that carries traffic; `None` for one that is not connected or lets no network access through.
fn peering(spec: &PeeringSpec, p: &mut Problems) -> Option<Peering> {
    let state = spec.state.as_ref().and_then(|text| text.value.known());
    let connected = state.is_none_or(|state| state.eq_ignore_ascii_case("Connected"));
    let remote_addresses = spec.remote_prefixes.as_ref().map(|list| address_list(Some(list), p));
    (connected && spec.allow_access).then(|| Peering {
        remote: reference(spec.remote.as_ref())
            .unwrap_or_else(|| Given::Unknown("the peering names no network".into())),
        remote_addresses: remote_addresses.filter(Addresses::is_certain).map(|set| set.must().clone()),
        use_remote_gateways: spec.use_remote_gateways,
    })
}

pub(super) fn route_table(spec: &RouteTableSpec, tags: &TagCatalog, p: &mut Problems) -> RouteTable {
    let routes = limits::ROUTES_PER_TABLE_MAX;
    count_limit(p, Code::PalResourceCountLimitReached, &spec.place, spec.routes.len(), routes, "routes");
    let destinations = spec
        .routes
        .iter()
        .map(|route| match &route.address_prefix {
            Some(text) => route_destination(text, tags, p),
            None => Addresses::unknown(),
        })
        .fold(Addresses::exactly(AddressSet::empty()), |all, set| all.union(&set));
    RouteTable { destinations, disable_gateway_propagation: spec.disable_gateway_propagation }
}

fn route_destination(text: &Text, tags: &TagCatalog, p: &mut Problems) -> Addresses {
    let Given::Known(value) = &text.value else { return Addresses::unknown() };
    if let Ok(prefix) = Prefix::parse_truncating(value) {
        return Addresses::exactly([prefix].into_iter().collect());
    }
    match value.parse::<TagName>().map(|name| tags.addresses(&name)) {
        Ok(TagAddresses::Known(set)) => Addresses::exactly(set),
        Ok(TagAddresses::Unresolved) => Addresses::unknown(),
        _ => {
            invalid(value, "a route leads to a prefix or a service tag", &text.place, p);
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
        tags: spec.tags.clone(),
    };
    check_groups(&nic, &spec.place, p);
    nic
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
        let max = limits::ASGS_PER_IP_CONFIGURATION_MAX;
        let what = "application security groups of one IP configuration";
        count_limit(
            p,
            Code::PalApplicationSecurityGroupLimitReached,
            place,
            configuration.groups.len(),
            max,
            what,
        );
    }
}

fn ip_configuration(spec: &IpConfigurationSpec, p: &mut Problems) -> IpConfiguration {
    let address = spec.private_address.as_ref().and_then(|text| match &text.value {
        Given::Known(value) if !value.is_empty() => single_prefix(value, &text.place, p),
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
    if let Some(At { value: Given::Known(value), place }) = &spec.address
        && !value.is_empty()
    {
        single_prefix(value, place, p);
    }
    match spec.sku.as_ref().map(|text| (&text.value, &text.place)) {
        None => Given::Known(PublicIpSku::Basic),
        Some((Given::Unknown(reason), _)) => Given::Unknown(reason.clone()),
        Some((Given::Known(sku), _)) if sku.eq_ignore_ascii_case("Basic") => Given::Known(PublicIpSku::Basic),
        Some((Given::Known(sku), _)) if sku.to_ascii_lowercase().starts_with("standard") => {
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
    let (known, complete) = prefixes(list, p);
    let known = Addresses::exactly(known.into_iter().collect());
    if complete { known } else { known.union(&Addresses::unknown()) }
}

/// The known prefixes of a list, and whether all are known. Networks are read as the portal does: host bits are cleared.
fn prefixes(list: &[Text], p: &mut Problems) -> (Vec<Prefix>, bool) {
    let complete = list.iter().all(|text| text.value.known().is_some());
    let known = list.iter().filter_map(|text| Some((text.value.known()?, &text.place)));
    (known.filter_map(|(value, place)| single_prefix(value, place, p)).collect(), complete)
}

fn single_prefix(value: &str, place: &Place, p: &mut Problems) -> Option<Prefix> {
    Prefix::parse_truncating(value).map_err(|error| invalid(value, &error.to_string(), place, p)).ok()
}

fn invalid(value: &str, reason: &str, place: &Place, p: &mut Problems) {
    p.error(
        Code::InvalidAddressPrefixFormat,
        place,
        format!("address prefix \"{value}\" is invalid: {reason}"),
    );
}

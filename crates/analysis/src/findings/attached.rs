//! What is attached to what: subnets without an NSG, NSGs without a subnet, interfaces that stand out.
//!
//! Packets are not asked about here; nothing is claimed of a reference that the input does not tell.

use std::collections::{BTreeMap, BTreeSet};

use palisade_model::{
    Estate, IpConfiguration, Layer, Nic, ResourceId, Subnet, Truth, VirtualNetwork, spec::Given,
};

use super::{
    Asking, Check, Finding, Findings, Subject,
    checks::{FORWARDING, NIC_NSG, NO_NSG, PUBLIC_ADDRESS, UNATTACHED, UNGUARDED},
    sites::{Site, is_nsg, subnet_of, subnets_of},
};

/// Subnets of the platform's own, where an NSG is refused or is not what guards them.
const WITHOUT: [&str; 4] =
    ["GatewaySubnet", "AzureFirewallSubnet", "AzureFirewallManagementSubnet", "RouteServerSubnet"];
/// A service whose subnets take no NSG by default.
const NETAPP: &str = "Microsoft.Netapp/volumes";

/// Looks at everything that is attached, or is not.
pub(super) fn check(asking: &Asking<'_>, all: &mut Findings) {
    let mut found = Vec::new();
    let is_open = has_loose_ties(asking.estate);
    let subnets = asking.estate.virtual_networks().flat_map(VirtualNetwork::subnets);
    for subnet in subnets.filter(|subnet| subnet.nsg().is_none() && wants_nsg(subnet)) {
        let message = format!("subnet {} has no NSG", subnet.name());
        match is_open {
            true => all.open(subnet.id(), "it is not known whether it has an NSG".to_owned()),
            false => found.push(about(&NO_NSG, of_subnet(subnet), message)),
        }
    }
    for nic in asking.estate.nics() {
        found.extend(of_nic(nic));
    }
    if !is_open {
        found.extend(asking.sites.iter().filter_map(unguarded));
    }
    found.extend(different(asking));
    for site in asking.sites.iter().filter(|_| !is_open) {
        let Some(nsg) = site.alone else { continue };
        if site.subnets.is_empty() && !is_named(asking, nsg.id()) {
            let subject = Subject { nsg: Some(nsg.id().clone()), ..Subject::default() };
            found.push(about(&UNATTACHED, subject, format!("{} governs nothing in the input", nsg.name())));
        }
    }
    all.findings.extend(found);
}

/// Whether something is known to tie NSGs to subnets or interfaces of which it is not known to which.
fn has_loose_ties(estate: &Estate) -> bool {
    estate.unknowns().iter().any(|unknown| unknown.what.contains("security_group_association"))
}

fn about(check: &'static Check, subject: Subject, message: String) -> Finding {
    let (severity, region) = (check.severity, Vec::new());
    Finding { check, severity, subject, message, region, witness: None, covered_by: Vec::new() }
}

fn of_subnet(subnet: &Subnet) -> Subject {
    Subject { subnet: Some(subnet.id().clone()), ..Subject::default() }
}

fn wants_nsg(subnet: &Subnet) -> bool {
    let is_platforms = WITHOUT.iter().any(|name| name.eq_ignore_ascii_case(subnet.name()));
    !is_platforms && !subnet.delegations().iter().any(|service| service.eq_ignore_ascii_case(NETAPP))
}

fn of_nic(nic: &Nic) -> Vec<Finding> {
    let subject = || Subject { nics: vec![nic.id().clone()], ..Subject::default() };
    let mut found = Vec::new();
    if is_public(nic) {
        found.push(about(&PUBLIC_ADDRESS, subject(), format!("{} has a public address", nic.name())));
    }
    if nic.ip_forwarding() == Truth::Yes {
        found.push(about(&FORWARDING, subject(), format!("{} forwards packets of others", nic.name())));
    }
    found
}

/// Whether an interface surely has a public address.
fn is_public(nic: &Nic) -> bool {
    let mut references = nic.ip_configurations().iter().filter_map(IpConfiguration::public_ip);
    references.any(|reference| reference.known().is_some())
}

/// Interfaces before which surely no NSG stands, with a public address that does not close itself.
fn unguarded(site: &Site<'_>) -> Option<Finding> {
    let is_closed =
        |layer: &palisade_model::EffectiveLayer| is_nsg(layer) || layer.layer == Layer::PublicAddress;
    let public = site.nics.iter().filter(|nic| is_public(nic));
    let nics: Vec<ResourceId> = public.map(|nic| nic.id().clone()).collect();
    if nics.is_empty() || site.policy.inbound.iter().any(is_closed) {
        return None;
    }
    let message =
        format!("{} has a public address of the Basic kind, and no NSG stands before it", nics[0].name());
    Some(about(&UNGUARDED, Subject { nics, ..site.subject(None) }, message))
}

/// Subnets whose interfaces do not all have the same NSG of their own, or none.
fn different(asking: &Asking<'_>) -> Vec<Finding> {
    let mut own: BTreeMap<&ResourceId, (&Subnet, BTreeSet<Option<&ResourceId>>)> = BTreeMap::new();
    for nic in asking.estate.nics() {
        let Some((_, subnet)) = subnet_of(asking.estate, nic) else { continue };
        if let Some(nsg) = nic.nsg().map_or(Some(None), |nsg| nsg.known().map(Some)) {
            own.entry(subnet.id()).or_insert_with(|| (subnet, BTreeSet::new())).1.insert(nsg);
        }
    }
    let mixed = own.into_values().filter(|(_, nsgs)| nsgs.len() > 1);
    let told = mixed.map(|(subnet, nsgs)| {
        let names: Vec<&str> = nsgs.iter().map(|nsg| nsg.map_or("none", ResourceId::name)).collect();
        let message =
            format!("interfaces of {} have different NSGs of their own: {}", subnet.name(), names.join(", "));
        about(&NIC_NSG, of_subnet(subnet), message)
    });
    told.collect()
}

/// Whether something may refer to an NSG by a reference that is not known.
fn is_named(asking: &Asking<'_>, nsg: &ResourceId) -> bool {
    let subnets = asking.estate.virtual_networks().flat_map(VirtualNetwork::subnets);
    let references = subnets.filter_map(Subnet::nsg).chain(asking.estate.nics().filter_map(Nic::nsg));
    subnets_of(asking.estate, nsg).next().is_some()
        || references.into_iter().any(|reference| matches!(reference, Given::Unknown(_)))
}

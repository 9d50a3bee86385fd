//! References, and what networks and their subnets owe each other.
//!
//! Everything that was written is looked at once the draft has the whole change, so that a network and what is in it may
//! come in one body.

use std::sync::Arc;

use palisade_model::{ResourceId, limits};
use palisade_net::Prefix;
use serde_json::Value;

use super::{Draft, address};
use crate::kinds::{self, Link};
use crate::world::{Change, Document};
use crate::{ControlError, World};

/// Checks every document that was written since a mark.
pub(super) fn written(draft: &Draft<'_>, from: usize) -> Result<(), ControlError> {
    let world = draft.world();
    let mut problems = Vec::new();
    let mut networks: Vec<ResourceId> = Vec::new();
    for change in &draft.changes()[from..] {
        let Change::Document { id, .. } = change else { continue };
        let Some(document) = world.document(id) else { continue };
        problems.extend(document.links().filter_map(|(to, link)| reference(world, document, to, link).err()));
        problems.extend(frontends(world, document));
        let network = match document.kind().name {
            kinds::NETWORK => Some(id.clone()),
            kinds::SUBNET => id.parent(),
            _ => None,
        };
        if let Some(network) = network.filter(|network| !networks.contains(network)) {
            networks.push(network);
        }
    }
    for network in &networks {
        problems.extend(subnets(world, network).err());
    }
    problems.extend(count(draft, from).err());
    ControlError::several(problems).map_or(Ok(()), Err)
}

/// Whether a text is this word, without regard to case.
pub(super) fn is_word(value: &Value, word: &str) -> bool {
    value.as_str().is_some_and(|text| text.eq_ignore_ascii_case(word))
}

/// A reference leads to a resource of the right kind that is there and, where Azure asks for it, near.
fn reference(
    world: &World,
    from: &Arc<Document>,
    to: &ResourceId,
    link: &'static Link,
) -> Result<(), ControlError> {
    let invalid = |message: String| ControlError::bad("InvalidResourceReference", message).about(to.as_str());
    if link.kinds.is_empty() {
        return Ok(());
    }
    let target = kinds::locate(to).map_err(|_| {
        let message = format!(
            "Property id '{to}' of {} is invalid. Expect fully qualified resource Id that start with \
             '/subscriptions/{{subscriptionId}}' and names one of {}.",
            from.id(),
            link.kinds.join(", ")
        );
        ControlError::bad("LinkedInvalidPropertyId", message).about(to.as_str())
    })?;
    if !link.kinds.contains(&target.kind.name) {
        return Err(invalid(format!(
            "Resource {to} referenced by resource {} is of type {}, expected {}.",
            from.id(),
            target.kind.name,
            link.kinds.join(" or ")
        )));
    }
    let found = world.document(&target.id).filter(|_| !super::group::is_going(world, &target.id));
    let near = found.is_some_and(|document| !link.is_local || is_near(world, from, document));
    if near {
        return Ok(());
    }
    Err(invalid(format!(
        "Resource {to} referenced by resource {} was not found. Please make sure that the referenced resource exists, and \
         that both resources are in the same region and subscription.",
        from.id()
    )))
}

/// Inbound NAT rules name frontends of their own load balancer that it does not have.
fn frontends(world: &World, written: &Arc<Document>) -> Vec<ControlError> {
    let (balancer, rules) = match written.kind().name {
        kinds::LOAD_BALANCER => (Some(written), world.children(written.id(), "inboundNatRules")),
        kinds::NAT_RULE => (written.id().parent().and_then(|id| world.document(&id)), vec![written]),
        _ => return Vec::new(),
    };
    let Some(balancer) = balancer else { return Vec::new() };
    let elements = balancer.properties()["frontendIPConfigurations"].as_array().into_iter().flatten();
    let names = elements.filter_map(|frontend| frontend["name"].as_str());
    let there: Vec<ResourceId> =
        names.map(|name| balancer.id().child("frontendIPConfigurations", name)).collect();
    let missing = rules.into_iter().filter_map(|rule| {
        let named = rule.properties()["frontendIPConfiguration"]["id"].as_str().map(ResourceId::new)?;
        let message = format!(
            "Resource {named} referenced by resource {} was not found. Please make sure that the referenced resource exists, \
             and that both resources are in the same region and subscription.",
            rule.id()
        );
        let invalid = || ControlError::bad("InvalidResourceReference", message).about(named.as_str());
        (!there.contains(&named)).then(invalid)
    });
    missing.collect()
}

/// Whether two are in one subscription and, if both have a region, in one region.
fn is_near(world: &World, one: &Arc<Document>, other: &Arc<Document>) -> bool {
    let region = |document| world.top(document).and_then(|top| top.location());
    let subscription =
        |document: &Arc<Document>| document.id().segment("subscriptions").map(str::to_ascii_lowercase);
    subscription(one) == subscription(other)
        && match (region(one), region(other)) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        }
}

/// Subnets lie in their network's address space and do not overlap, and who is in one still is.
fn subnets(world: &World, network: &ResourceId) -> Result<(), ControlError> {
    let Some(document) = world.document(network) else { return Ok(()) };
    let space: Vec<Prefix> = document.properties()["addressSpace"]["addressPrefixes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|text| Prefix::parse_truncating(text.as_str()?).ok())
        .collect();
    let mut seen: Vec<(Prefix, &ResourceId)> = Vec::new();
    for subnet in world.children(network, "subnets") {
        let prefixes = address::prefixes(subnet);
        if prefixes.is_empty() {
            let message = format!("Subnet {} does not have an address prefix.", subnet.id());
            return Err(ControlError::bad("SubnetAddressPrefixMissing", message));
        }
        for prefix in prefixes {
            if !space.iter().any(|space| contains(*space, prefix)) {
                let message = format!(
                    "Subnet '{}' is not valid because its IP address range {prefix} is outside the IP address range of \
                     virtual network '{}'.",
                    subnet.id().name(),
                    network.name()
                );
                return Err(ControlError::bad("NetcfgInvalidSubnet", message));
            }
            seen.push((prefix, subnet.id()));
        }
    }
    overlap(seen)?;
    residents(world, network)
}

fn overlap(mut seen: Vec<(Prefix, &ResourceId)>) -> Result<(), ControlError> {
    // Sorted by first address, prefixes that overlap anywhere overlap next to each other.
    seen.sort_by_key(|(prefix, _)| (prefix.address(), prefix.length()));
    for pair in seen.windows(2) {
        let [(one, first), (other, second)] = pair else { continue };
        if one.overlaps(*other) {
            let message = format!(
                "Subnet '{}' is not valid because its IP address range {other} overlaps with that of subnet '{}', {one}.",
                second.name(),
                first.name()
            );
            return Err(ControlError::bad("NetcfgSubnetRangesOverlap", message));
        }
    }
    Ok(())
}

/// No interface has an address that its subnet no longer has.
fn residents(world: &World, network: &ResourceId) -> Result<(), ControlError> {
    for subnet in world.children(network, "subnets") {
        let prefixes = address::prefixes(subnet);
        for nic in world.naming(subnet.id()).filter(|document| document.kind().name == kinds::NIC) {
            let configurations = nic.properties()["ipConfigurations"].as_array().into_iter().flatten();
            let outside = configurations
                .map(|configuration| &configuration["properties"])
                .filter(|properties| {
                    properties["subnet"]["id"].as_str().map(ResourceId::new).as_ref() == Some(subnet.id())
                })
                .filter_map(|properties| properties["privateIPAddress"].as_str()?.parse().ok())
                .find(|address| !prefixes.iter().any(|prefix| prefix.contains(*address)));
            if let Some(address) = outside {
                let message = format!(
                    "Subnet {} is in use by {} with address {address} and cannot be updated.",
                    subnet.id(),
                    nic.id()
                );
                return Err(ControlError::bad("InUseSubnetCannotBeUpdated", message));
            }
        }
    }
    Ok(())
}

fn contains(outer: Prefix, inner: Prefix) -> bool {
    outer.contains(inner.address()) && outer.contains(inner.last())
}

/// A subscription's limits, of the kinds that are new.
fn count(draft: &Draft<'_>, from: usize) -> Result<(), ControlError> {
    const LIMITS: [(&str, usize, &str); 4] = [
        (kinds::NSG, limits::NSGS_MAX, "NetworkSecurityGroupCountLimitReached"),
        (kinds::ASG, limits::ASGS_MAX, "ApplicationSecurityGroupCountLimitReached"),
        (kinds::NETWORK, limits::VIRTUAL_NETWORKS_MAX, "VirtualNetworkCountLimitReached"),
        (kinds::ROUTE_TABLE, limits::ROUTE_TABLES_MAX, "RouteTableCountLimitReached"),
    ];
    for change in &draft.changes()[from..] {
        let Change::Document { before: None, after: Some(document), .. } = change else { continue };
        let Some((kind, max, code)) = LIMITS.iter().find(|(kind, ..)| *kind == document.kind().name) else {
            continue;
        };
        // Per region and subscription; what stands elsewhere is counted only where the sum could matter.
        let world = draft.world();
        if world.count(kind) <= *max {
            continue;
        }
        let near = world.of_kind(kind).filter_map(|id| world.document(id));
        let count = near.filter(|other| is_near(world, document, other)).count();
        if count > *max {
            let label = document.kind().label.to_lowercase();
            let message = format!(
                "Cannot create more than {max} {label}s for this subscription in this region. {} would be one more.",
                document.id()
            );
            return Err(ControlError::bad(*code, message));
        }
    }
    Ok(())
}

//! Each translated Terraform type, as the object that ARM would hold.
//!
//! What associations tie is written into the object they tie it to, as ARM has it.

use std::collections::HashMap;

use palisade_model::{Place, ResourceId};

use super::block::Block;
use super::body::{self, Body, Planned as Property};
use super::identity::{Ids, kind};
use super::plan::{Plan, Planned};
use super::{AFTER_APPLY, Loose, Translated, Translation};
use crate::json::{Document, Kind, Node, Position};

const NSG: &str = "azurerm_network_security_group";
const ASG: &str = "azurerm_application_security_group";
const SUBNET: &str = "azurerm_subnet";
const NIC: &str = "azurerm_network_interface";
const ROUTE_TABLE: &str = "azurerm_route_table";

/// A resource that only ties one to another: by which property, and of which type each is.
struct Association {
    kind: &'static str,
    to: (&'static str, &'static str),
    what: (&'static str, &'static str),
}

const ASSOCIATIONS: &[Association] = &[
    Association {
        kind: "azurerm_subnet_network_security_group_association",
        to: ("subnet_id", SUBNET),
        what: ("network_security_group_id", NSG),
    },
    Association {
        kind: "azurerm_subnet_route_table_association",
        to: ("subnet_id", SUBNET),
        what: ("route_table_id", ROUTE_TABLE),
    },
    Association {
        kind: "azurerm_network_interface_security_group_association",
        to: ("network_interface_id", NIC),
        what: ("network_security_group_id", NSG),
    },
    Association {
        kind: "azurerm_network_interface_application_security_group_association",
        to: ("network_interface_id", NIC),
        what: ("application_security_group_id", ASG),
    },
];

/// The association that a Terraform type is.
fn association(kind: &str) -> Option<&'static Association> {
    ASSOCIATIONS.iter().find(|association| association.kind == kind)
}

/// The fields of a rule that have ARM's names but for underscores.
const RULE_FIELDS: &[&str] = &[
    "name",
    "description",
    "protocol",
    "access",
    "priority",
    "direction",
    "source_address_prefix",
    "source_address_prefixes",
    "source_port_range",
    "source_port_ranges",
    "destination_address_prefix",
    "destination_address_prefixes",
    "destination_port_range",
    "destination_port_ranges",
];

/// What associations tie to a resource, by its id: the Terraform type of what is tied, and the reference.
type Ties = HashMap<ResourceId, Vec<(&'static str, Property, Place)>>;

pub(super) fn all(plan: &Plan<'_>, document: &Document, ids: &Ids) -> Translation {
    let mut out = Translation::default();
    let place = |planned: &Planned<'_>| Place {
        file: document.name.as_str().into(),
        line: planned.node.at.line,
        pointer: document.pointer_at(planned.node.at.start),
    };
    let mut ties = Ties::new();
    for planned in &plan.resources {
        tie(&Block::new(plan, ids, planned), place(planned), &mut ties, &mut out.loose);
    }
    for planned in &plan.resources {
        out.resources.extend(resource(&Block::new(plan, ids, planned), &mut ties));
    }
    let mut left: Vec<_> = ties.into_iter().collect();
    left.sort_by(|a, b| a.0.cmp(&b.0));
    for (id, ties) in left {
        let reason = "the plan ties something to it but does not hold it";
        let loose = |(_, _, place)| Loose { what: id.to_string(), reason: reason.to_owned(), place };
        out.loose.extend(ties.into_iter().map(loose));
    }
    out
}

/// Notes what an association ties, if the resource is one.
fn tie(block: &Block<'_, '_>, place: Place, ties: &mut Ties, loose: &mut Vec<Loose>) {
    let planned = block.resource;
    let Some(association) = association(planned.kind) else { return };
    let ((to, to_kind), (what, what_kind)) = (association.to, association.what);
    let tied = block.reference(what, what_kind).unwrap_or(Property::Unknown(planned.node.at));
    match block.id(to, to_kind) {
        Some(Ok(id)) => ties.entry(id).or_default().push((what_kind, tied, place)),
        _ => loose.push(Loose { what: planned.address.to_owned(), reason: AFTER_APPLY.to_owned(), place }),
    }
}

fn resource(block: &Block<'_, '_>, ties: &mut Ties) -> Option<Translated> {
    let planned = block.resource;
    if association(planned.kind).is_some() {
        return None;
    }
    let at = planned.node.at;
    let Some((of, (id, holes))) = kind(planned.kind).zip(block.ids.entry(planned.address)) else {
        let (value, unknown) = Body::default().finish(at);
        let id = ResourceId::new(planned.address);
        return Some(Translated { kind: planned.kind.to_owned(), id, holes: None, value, unknown });
    };
    let tied = ties.remove(id).unwrap_or_default();
    let mut body = Body::default();
    block.copy(&mut body, &["name", "location", "tags"]);
    match of.arm {
        "networkSecurityGroups" => group(block, &mut body),
        "securityRules" => rule(block, &mut body),
        "virtualNetworks" => network(block, &mut body),
        "subnets" => subnet(block, &mut body, tied),
        "virtualNetworkPeerings" => peering(block, &mut body),
        "networkInterfaces" => interface(block, &mut body, tied),
        "publicIPAddresses" => public_ip(block, &mut body),
        "routeTables" => route_table(block, &mut body),
        "routes" => block.copy(&mut body, &["address_prefix", "next_hop_type"]),
        _ => {}
    }
    let (value, unknown) = body.finish(at);
    Some(Translated { kind: of.full(), id: id.clone(), holes: holes.clone(), value, unknown })
}

/// A list of nested blocks, each made by `each`; unknown if the configuration sets it and the plan does not know it.
/// A computed list that nobody sets is unknown in every plan, and means that its elements are resources of their own.
fn nested(block: &Block<'_, '_>, key: &str, each: impl Fn(&Block<'_, '_>, &mut Body)) -> Option<Property> {
    if block.is_unknown(key) {
        return block.is_configured(key).then(|| Property::Unknown(block.at()));
    }
    let make = |block: &Block<'_, '_>| {
        let mut body = Body::default();
        each(block, &mut body);
        body
    };
    let list = block.known(key)?;
    Some(body::list(block.blocks(key).iter().map(make).collect(), list.at))
}

fn group(block: &Block<'_, '_>, body: &mut Body) {
    body.set("securityRules", nested(block, "security_rule", rule));
}

fn rule(block: &Block<'_, '_>, body: &mut Body) {
    block.copy(body, RULE_FIELDS);
    for (key, terraform) in [
        ("sourceApplicationSecurityGroups", "source_application_security_group_ids"),
        ("destinationApplicationSecurityGroups", "destination_application_security_group_ids"),
    ] {
        body.set(key, block.references(terraform, ASG));
    }
}

fn network(block: &Block<'_, '_>, body: &mut Body) {
    let mut space = Body::default();
    space.set("addressPrefixes", block.get("address_space"));
    body.set("addressSpace", Some(space.planned(block.at())));
    block.copy(body, &["flow_timeout_in_minutes"]);
    body.set(
        "subnets",
        nested(block, "subnet", |subnet, body| {
            subnet.copy(body, &["name", "address_prefix", "address_prefixes"]);
            body.set("networkSecurityGroup", subnet.reference("security_group", NSG));
            body.set("routeTable", subnet.reference("route_table_id", ROUTE_TABLE));
        }),
    );
}

fn subnet(block: &Block<'_, '_>, body: &mut Body, tied: Vec<(&'static str, Property, Place)>) {
    block.copy(body, &["address_prefix", "address_prefixes", "private_endpoint_network_policies"]);
    if let Some(node) = block.known("private_endpoint_network_policies_enabled") {
        let state = if node.as_bool() == Some(true) { "Enabled" } else { "Disabled" };
        body.set("privateEndpointNetworkPolicies", Some(body::text(state, node.at)));
    }
    let delegations = block.blocks("delegation").into_iter().flat_map(|one| one.blocks("service_delegation"));
    let services = delegations.filter_map(|one| one.known("name")?.as_str().map(|name| (name, one.at())));
    let services: Vec<Body> = services
        .map(|(name, at)| {
            let mut service = Body::default();
            service.set("serviceName", Some(body::text(name, at)));
            service
        })
        .collect();
    if !services.is_empty() {
        body.set("delegations", Some(body::list(services, block.at())));
    }
    for (kind, tied, _) in tied {
        body.set(if kind == NSG { "networkSecurityGroup" } else { "routeTable" }, Some(tied));
    }
}

fn peering(block: &Block<'_, '_>, body: &mut Body) {
    block.copy(body, &["allow_virtual_network_access", "use_remote_gateways"]);
    body.set("remoteVirtualNetwork", block.reference("remote_virtual_network_id", "azurerm_virtual_network"));
}

fn interface(block: &Block<'_, '_>, body: &mut Body, tied: Vec<(&'static str, Property, Place)>) {
    let (asgs, nsgs): (Vec<_>, Vec<_>) = tied.into_iter().partition(|(kind, ..)| *kind == ASG);
    body.set("networkSecurityGroup", nsgs.into_iter().map(|(_, tied, _)| tied).next());
    let forwarding = ["ip_forwarding_enabled", "enable_ip_forwarding"];
    body.set("enableIPForwarding", forwarding.iter().find_map(|key| block.get(key)));
    // A hardware address is always given out at apply, and says nothing until then.
    body.set("macAddress", block.known("mac_address").map(|node| Property::Known(node.clone(), None)));
    let groups = groups(asgs.into_iter().map(|(_, tied, _)| tied), block.at());
    body.set(
        "ipConfigurations",
        nested(block, "ip_configuration", |configuration, body| {
            configuration.copy(body, &["name", "primary", "private_ip_address_version"]);
            let address = configuration.known("private_ip_address");
            body.set("privateIPAddress", address.map(|node| Property::Known(node.clone(), None)));
            body.set("subnet", configuration.reference("subnet_id", SUBNET));
            body.set("publicIPAddress", configuration.reference("public_ip_address_id", "azurerm_public_ip"));
            body.set("applicationSecurityGroups", groups.clone());
        }),
    );
}

/// The groups that associations give, unknown if one of them is.
fn groups(tied: impl Iterator<Item = Property>, at: Position) -> Option<Property> {
    let mut values = Vec::new();
    for tied in tied {
        match tied {
            Property::Known(value, _) => values.push(value),
            unknown @ Property::Unknown(_) => return Some(unknown),
        }
    }
    (!values.is_empty()).then_some(Property::Known(Node { kind: Kind::Array(values), at }, None))
}

fn public_ip(block: &Block<'_, '_>, body: &mut Body) {
    let mut sku = Body::default();
    sku.set("name", block.get("sku"));
    body.set("sku", Some(sku.planned(block.at())));
    body.set("ipAddress", block.known("ip_address").map(|node| Property::Known(node.clone(), None)));
}

fn route_table(block: &Block<'_, '_>, body: &mut Body) {
    block.copy(body, &["disable_bgp_route_propagation"]);
    if let Some(node) = block.known("bgp_route_propagation_enabled") {
        body.set("disableBgpRoutePropagation", Some(body::flag(node.as_bool() == Some(false), node.at)));
    }
    body.set(
        "routes",
        nested(block, "route", |route, body| route.copy(body, &["name", "address_prefix", "next_hop_type"])),
    );
}

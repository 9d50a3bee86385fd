//! What the server fills in when a resource is written: Azure's defaults, and what it assigns once.
//!
//! What was assigned before is kept. Fields that Azure shows even when they are empty are written empty, so that what is
//! read back is what was stored.

use std::net::{IpAddr, Ipv4Addr};

use palisade_model::ResourceId;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Context, check};
use crate::kinds::{self, Kind};
use crate::world::Document;
use crate::{ControlError, World};

/// Fills in what a body leaves out.
pub(super) fn fill(
    world: &World,
    context: &Context<'_>,
    kind: &Kind,
    id: &ResourceId,
    own: &mut Map<String, Value>,
    stored: Option<&Document>,
) -> Result<(), ControlError> {
    if [kinds::PUBLIC_IP, kinds::LOAD_BALANCER].contains(&kind.name) {
        sku(own);
    }
    if kind.name == kinds::PUBLIC_IP {
        name_of_public_ip(own);
    }
    let Some(properties) = own.get_mut("properties").and_then(Value::as_object_mut) else { return Ok(()) };
    let before = |key: &str| stored.and_then(|stored| stored.properties().get(key)).cloned();
    if kind.properties.iter().any(|field| field.name == "resourceGuid") {
        let guid = before("resourceGuid").unwrap_or_else(|| Uuid::new_v4().to_string().into());
        properties.insert("resourceGuid".to_owned(), guid);
    }
    match kind.name {
        kinds::NSG => {
            let flush = before("flushConnection").unwrap_or(true.into());
            properties.entry("flushConnection").or_insert(flush);
        }
        kinds::RULE => rule(properties),
        kinds::NETWORK => absent(properties, json!({"enableDdosProtection": false})),
        kinds::SUBNET => absent(
            properties,
            json!({
                "delegations": [],
                "privateEndpointNetworkPolicies": "Disabled",
                "privateLinkServiceNetworkPolicies": "Enabled",
            }),
        ),
        kinds::PEERING => absent(
            properties,
            json!({
                "allowVirtualNetworkAccess": true,
                "allowForwardedTraffic": false,
                "allowGatewayTransit": false,
                "useRemoteGateways": false,
                "peerCompleteVnets": true,
            }),
        ),
        kinds::NIC => {
            machine(world, id, properties);
            nic(id, properties, stored);
        }
        kinds::PUBLIC_IP => public_ip(world, context, id, properties, stored)?,
        kinds::LOAD_BALANCER => balancer(properties),
        kinds::NAT_RULE => {
            // Clients that read a rule and write it anew do not know it: they must not open it to everybody.
            if let Some(sources) = before("allowedSourceAddressPrefixes") {
                absent(properties, json!({ "allowedSourceAddressPrefixes": sources }));
            }
            absent(
                properties,
                json!({"enableFloatingIP": false, "enableTcpReset": false, "idleTimeoutInMinutes": 4}),
            );
        }
        kinds::ROUTE_TABLE => absent(properties, json!({"disableBgpRoutePropagation": false})),
        kinds::ROUTE => absent(properties, json!({"hasBgpOverride": false, "nextHopIpAddress": ""})),
        kinds::WATCHER => absent(properties, json!({"runningOperationIds": []})),
        kinds::NETWORK_GROUP => absent(properties, json!({"memberType": "VirtualNetwork"})),
        kinds::VM => {
            let id = before("vmId").unwrap_or_else(|| Uuid::new_v4().to_string().into());
            let created = before("timeCreated").unwrap_or_else(|| crate::time::rfc3339(context.now).into());
            properties.insert("vmId".to_owned(), id);
            properties.insert("timeCreated".to_owned(), created);
        }
        _ => {}
    }
    Ok(())
}

/// Writes members that are not there.
fn absent(properties: &mut Map<String, Value>, defaults: Value) {
    let Value::Object(defaults) = defaults else { return };
    for (key, value) in defaults {
        properties.entry(key).or_insert(value);
    }
}

/// Rules show all plural fields, and a singular one only where the plural is not used.
fn rule(properties: &mut Map<String, Value>) {
    const PAIRS: [(&str, &str); 4] = [
        ("sourcePortRange", "sourcePortRanges"),
        ("destinationPortRange", "destinationPortRanges"),
        ("sourceAddressPrefix", "sourceAddressPrefixes"),
        ("destinationAddressPrefix", "destinationAddressPrefixes"),
    ];
    let is_blank = |value: &Value| value.as_str() == Some("");
    let is_empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
    for (one, many) in PAIRS {
        let list = properties.entry(many).or_insert_with(|| json!([]));
        if (!is_empty(list)) && properties.get(one).is_some_and(is_blank) {
            properties.remove(one);
        }
    }
    for groups in ["sourceApplicationSecurityGroups", "destinationApplicationSecurityGroups"] {
        if properties.get(groups).is_some_and(is_empty) {
            properties.remove(groups);
        } else if properties.contains_key(groups) {
            let one = groups.replace("ApplicationSecurityGroups", "AddressPrefix");
            if properties.get(&one).is_some_and(is_blank) {
                properties.remove(&one);
            }
        }
    }
}

/// A machine of the same group that is a resource says itself which interfaces it has; of any other the interface says it.
fn machine(world: &World, id: &ResourceId, properties: &mut Map<String, Value>) {
    let machine = properties.get("virtualMachine").and_then(|machine| machine["id"].as_str());
    let machine =
        machine.map(ResourceId::new).filter(|machine| kinds::group_of(machine) == kinds::group_of(id));
    if machine.is_some_and(|machine| world.document(&machine).is_some()) {
        properties.remove("virtualMachine");
    }
}

fn nic(id: &ResourceId, properties: &mut Map<String, Value>, stored: Option<&Document>) {
    if properties.get("macAddress").and_then(Value::as_str).is_none_or(str::is_empty) {
        let before = stored.and_then(|stored| stored.properties().get("macAddress")).cloned();
        properties.insert("macAddress".to_owned(), before.unwrap_or_else(|| made_up_mac(id).into()));
    }
    absent(
        properties,
        json!({
            "enableIPForwarding": false,
            "enableAcceleratedNetworking": false,
            "disableTcpStateTracking": false,
            "vnetEncryptionSupported": false,
            "dnsSettings": {"dnsServers": [], "appliedDnsServers": []},
            "hostedWorkloads": [],
            "tapConfigurations": [],
            "nicType": "Standard",
            "auxiliaryMode": "None",
            "auxiliarySku": "None",
        }),
    );
    let configurations = properties.get_mut("ipConfigurations").and_then(Value::as_array_mut);
    let Some(configurations) = configurations else { return };
    let has_primary = configurations.iter().any(|one| one["properties"]["primary"] == true);
    for (index, configuration) in configurations.iter_mut().enumerate() {
        if let Some(properties) = configuration.get_mut("properties").and_then(Value::as_object_mut) {
            absent(
                properties,
                json!({
                    "primary": !has_primary && index == 0,
                    "privateIPAddressVersion": "IPv4",
                    "privateIPAllocationMethod": "Dynamic",
                }),
            );
        }
    }
}

/// Azure shows every list of a load balancer. Frontends are given addresses by who writes them.
fn balancer(properties: &mut Map<String, Value>) {
    absent(
        properties,
        json!({
            "frontendIPConfigurations": [],
            "backendAddressPools": [],
            "loadBalancingRules": [],
            "probes": [],
            "outboundRules": [],
            "inboundNatPools": [],
        }),
    );
    let frontends = properties.get_mut("frontendIPConfigurations").and_then(Value::as_array_mut);
    for frontend in frontends.into_iter().flatten() {
        if let Some(properties) = frontend.get_mut("properties").and_then(Value::as_object_mut) {
            absent(
                properties,
                json!({"privateIPAddressVersion": "IPv4", "privateIPAllocationMethod": "Dynamic"}),
            );
        }
    }
}

/// A hardware address that begins as Azure's do and is the same whenever the id is.
fn made_up_mac(id: &ResourceId) -> String {
    let text = id.as_str().to_ascii_lowercase();
    let bytes = *Uuid::new_v5(&Uuid::NAMESPACE_URL, text.as_bytes()).as_bytes();
    format!("00-0D-3A-{:02X}-{:02X}-{:02X}", bytes[0], bytes[1], bytes[2])
}

fn sku(own: &mut Map<String, Value>) {
    let sku = own.entry("sku").or_insert_with(|| json!({}));
    if let Some(sku) = sku.as_object_mut() {
        absent(sku, json!({"name": "Basic", "tier": "Regional"}));
    }
}

/// The name that Azure makes of a label. Templates read it; whether it can be resolved is a matter of the name servers here.
fn name_of_public_ip(own: &mut Map<String, Value>) {
    let location = own.get("location").and_then(Value::as_str).unwrap_or_default().to_owned();
    let settings = own.get_mut("properties").and_then(|properties| properties.get_mut("dnsSettings"));
    let Some(settings) = settings.and_then(Value::as_object_mut) else { return };
    if let Some(label) = settings.get("domainNameLabel").and_then(Value::as_str) {
        let name = format!("{label}.{location}.cloudapp.azure.com").to_lowercase();
        settings.insert("fqdn".to_owned(), name.into());
    }
}

fn public_ip(
    world: &World,
    context: &Context<'_>,
    id: &ResourceId,
    properties: &mut Map<String, Value>,
    stored: Option<&Document>,
) -> Result<(), ControlError> {
    absent(
        properties,
        json!({
            "publicIPAddressVersion": "IPv4",
            "publicIPAllocationMethod": "Dynamic",
            "idleTimeoutInMinutes": 4,
            "ipTags": [],
        }),
    );
    let is_v4 = check::is_word(&properties["publicIPAddressVersion"], "IPv4");
    if properties.get("ipAddress").and_then(Value::as_str).is_none_or(str::is_empty) {
        let before = stored.and_then(|stored| stored.properties().get("ipAddress")).cloned();
        match before {
            Some(before) => properties.insert("ipAddress".to_owned(), before),
            None if is_v4 => properties
                .insert("ipAddress".to_owned(), free_address(world, context, id)?.to_string().into()),
            // The pool is of IPv4; an IPv6 address is what its owner says.
            None => properties.remove("ipAddress"),
        };
    }
    Ok(())
}

/// The first address of the operator's pool that no public address has.
fn free_address(world: &World, context: &Context<'_>, id: &ResourceId) -> Result<Ipv4Addr, ControlError> {
    let pool = context.options.public_addresses;
    let others = world.of_kind(kinds::PUBLIC_IP).filter(|other| *other != id);
    let held: std::collections::HashSet<IpAddr> = others
        .filter_map(|other| world.document(other)?.properties()["ipAddress"].as_str()?.parse().ok())
        .collect();
    let first = u32::from(pool.first);
    let mut addresses = (0..pool.count).filter_map(|step| first.checked_add(step)).map(Ipv4Addr::from);
    addresses.find(|address| !held.contains(&IpAddr::V4(*address))).ok_or_else(|| {
        let message = format!(
            "All {} public IP addresses from {} are in use; delete one, or give the server a larger pool.",
            pool.count, pool.first
        );
        ControlError::new(409, "PublicIPCountLimitReached", message)
    })
}

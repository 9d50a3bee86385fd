//! A world that is generated: networks with everything that can decide about an interface, spread over hosts.

use std::collections::BTreeSet;
use std::sync::Arc;

use palisade_model::{ResourceId, TagCatalog};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::fleet::{HostCertificate, HostName, HostRecord};
use crate::kinds;
use crate::world::{Change, Document, World};

pub(super) const HOSTS: usize = 3;
const NETWORKS: usize = 3;
const SUBNETS: usize = 2;
const NSGS: usize = 2;
const GROUPS: usize = 2;
const NETWORK: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network";

/// Choices of which an estate is made; every number is taken modulo what there is to choose from.
#[derive(Debug, Clone)]
pub(super) struct Choices {
    pub(super) networks: Vec<NetworkChoices>,
    pub(super) nics: Vec<NicChoices>,
    pub(super) admin: Option<(usize, usize)>,
}

#[derive(Debug, Clone)]
pub(super) struct NetworkChoices {
    pub(super) subnets: Vec<(Option<usize>, bool)>,
    pub(super) rules: Vec<(usize, usize, u16)>,
    pub(super) peer: Option<usize>,
    pub(super) prefix_set: bool,
    pub(super) has_route: bool,
}

#[derive(Debug, Clone)]
pub(super) struct NicChoices {
    pub(super) network: usize,
    pub(super) subnet: usize,
    pub(super) nsg: Option<usize>,
    pub(super) groups: BTreeSet<usize>,
    pub(super) public: Option<bool>,
    pub(super) host: Option<usize>,
    pub(super) forwards: bool,
}

pub(super) fn choices() -> impl Strategy<Value = Choices> {
    let admin = proptest::option::of((0..NETWORKS, 0..NETWORKS));
    let networks = proptest::collection::vec(network(), NETWORKS);
    let nics = proptest::collection::vec(nic(), 1..12);
    (networks, nics, admin).prop_map(|(networks, nics, admin)| Choices { networks, nics, admin })
}

pub(super) fn network() -> impl Strategy<Value = NetworkChoices> {
    let subnet = (proptest::option::of(0..NSGS), any::<bool>());
    let rule = (0..NSGS, 0..8_usize, 1..2_000_u16);
    (
        proptest::collection::vec(subnet, SUBNETS),
        proptest::collection::vec(rule, 0..6),
        proptest::option::of(0..NETWORKS),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(subnets, rules, peer, prefix_set, has_route)| NetworkChoices {
            subnets,
            rules,
            peer,
            prefix_set,
            has_route,
        })
}

pub(super) fn nic() -> impl Strategy<Value = NicChoices> {
    (
        (0..NETWORKS, 0..SUBNETS, proptest::option::of(0..NSGS)),
        proptest::collection::btree_set(0..GROUPS, 0..=GROUPS),
        proptest::option::of(any::<bool>()),
        proptest::option::of(0..HOSTS),
        any::<bool>(),
    )
        .prop_map(|((network, subnet, nsg), groups, public, host, forwards)| NicChoices {
            network,
            subnet,
            nsg,
            groups,
            public,
            host,
            forwards,
        })
}

pub(super) fn host(number: usize) -> HostName {
    format!("host-{number}").parse().expect("a name")
}

/// The world of these choices.
pub(super) fn world(choices: &Choices) -> World {
    let mut world = World::new(Arc::new(catalog()));
    for number in 0..HOSTS {
        register(&mut world, &host(number));
    }
    for (number, network) in choices.networks.iter().enumerate() {
        add_network(&mut world, number, network);
    }
    for (number, nic) in choices.nics.iter().enumerate() {
        add_nic(&mut world, number, nic);
    }
    if let Some((applies, also)) = choices.admin {
        add_admin(&mut world, applies, also);
    }
    world
}

/// Tags of which rules name one, routes name one, default rules name one, and nobody one.
fn catalog() -> TagCatalog {
    let tag = |name: &str, prefixes: &[&str]| {
        let prefixes = prefixes.iter().map(|text| text.parse().expect("a prefix"));
        (name.parse().expect("a name"), prefixes.collect())
    };
    TagCatalog::new([
        tag("Storage.WestUS", &["20.60.0.0/16", "2603:1030::/32"]),
        tag("AzureCloud", &["20.0.0.0/8"]),
        tag("Internet", &["1.0.0.0/8", "20.0.0.0/8"]),
        tag("Sql", &["40.79.0.0/16"]),
    ])
}

pub(super) fn register(world: &mut World, host: &HostName) {
    let record = HostRecord::new(0, HostCertificate { serial: "1".into(), not_after: 1 }).to_value();
    world.apply(&Change::Record { key: host.key().into(), before: None, after: Some(Arc::new(record)) });
}

pub(super) fn id(path: &str) -> ResourceId {
    ResourceId::new(&format!("{NETWORK}/{path}"))
}

/// Puts a resource or child of this path under `Microsoft.Network`.
pub(super) fn put(world: &mut World, path: &str, body: Value) {
    let kind = path.split('/').step_by(2).collect::<Vec<_>>().join("/");
    let kind = kinds::find(&format!("Microsoft.Network/{kind}")).expect("a kind");
    let etag = if path.matches('/').count() == 1 { "W/\"1\"" } else { "" };
    let document = Document::new(id(path), kind, body, etag.into(), 0);
    world.set(&id(path), Some(&Arc::new(document)));
}

fn reference(path: &str) -> Value {
    json!({"id": id(path).as_str()})
}

fn add_network(world: &mut World, n: usize, network: &NetworkChoices) {
    let space = json!({"addressSpace": {"addressPrefixes": [format!("10.{n}.0.0/16")]}, "flowTimeoutInMinutes": 5 + n});
    put(world, &format!("virtualNetworks/v{n}"), json!({"location": "x", "properties": space}));
    for (s, (nsg, has_table)) in network.subnets.iter().enumerate() {
        let mut properties = json!({"addressPrefix": format!("10.{n}.{s}.0/24")});
        if let Some(nsg) = nsg {
            properties["networkSecurityGroup"] = reference(&format!("networkSecurityGroups/n{n}-{nsg}"));
        }
        if *has_table {
            properties["routeTable"] = reference(&format!("routeTables/t{n}"));
        }
        put(world, &format!("virtualNetworks/v{n}/subnets/s{s}"), json!({"properties": properties}));
    }
    if let Some(peer) = network.peer.filter(|peer| *peer != n) {
        let properties = json!({"remoteVirtualNetwork": reference(&format!("virtualNetworks/v{peer}")), "peeringState": "Connected"});
        put(
            world,
            &format!("virtualNetworks/v{n}/virtualNetworkPeerings/p"),
            json!({"properties": properties}),
        );
    }
    put(world, &format!("routeTables/t{n}"), json!({"location": "x", "properties": {}}));
    if network.has_route {
        let route = json!({"addressPrefix": format!("172.{}.0.0/16", 16 + n), "nextHopType": "VirtualAppliance", "nextHopIpAddress": "10.0.0.4"});
        put(world, &format!("routeTables/t{n}/routes/r"), json!({"properties": route}));
        let route = json!({"addressPrefix": "AzureCloud", "nextHopType": "Internet"});
        put(world, &format!("routeTables/t{n}/routes/cloud"), json!({"properties": route}));
    }
    for g in 0..GROUPS {
        put(
            world,
            &format!("applicationSecurityGroups/a{n}-{g}"),
            json!({"location": "x", "properties": {}}),
        );
    }
    if network.prefix_set {
        let set = json!({"addressPrefixes": [format!("192.168.{n}.0/24")]});
        put(
            world,
            &format!("applicationSecurityGroups/a{n}-0/addressPrefixSets/p"),
            json!({"properties": set}),
        );
    }
    for g in 0..NSGS {
        put(world, &format!("networkSecurityGroups/n{n}-{g}"), json!({"location": "x", "properties": {}}));
    }
    for (number, (nsg, shape, port)) in network.rules.iter().enumerate() {
        add_rule(
            world,
            &format!("networkSecurityGroups/n{n}-{nsg}/securityRules/r{number}"),
            n,
            number,
            *shape,
            *port,
        );
    }
}

pub(super) fn add_rule(
    world: &mut World,
    path: &str,
    network: usize,
    number: usize,
    shape: usize,
    port: u16,
) {
    let group = |g: usize| json!([reference(&format!("applicationSecurityGroups/a{network}-{g}"))]);
    let mut rule = json!({
        "protocol": "Tcp", "access": if port.is_multiple_of(2) { "Allow" } else { "Deny" },
        "direction": if shape.is_multiple_of(2) { "Inbound" } else { "Outbound" },
        "priority": 100 + number, "sourcePortRange": "*", "destinationPortRange": port.to_string(),
    });
    match shape {
        0 | 1 => {
            rule["sourceApplicationSecurityGroups"] = group(0);
            rule["destinationApplicationSecurityGroups"] = group(1);
        }
        2 | 3 => {
            rule["sourceAddressPrefix"] = "VirtualNetwork".into();
            rule["destinationApplicationSecurityGroups"] = group(0);
        }
        6 | 7 => {
            rule["sourceAddressPrefix"] = "storage.westUS".into();
            rule["destinationAddressPrefix"] = "Internet".into();
        }
        _ => {
            rule["sourceAddressPrefix"] = "*".into();
            rule["destinationAddressPrefix"] = "10.0.0.0/8".into();
        }
    }
    put(world, path, json!({"properties": rule}));
}

pub(super) fn add_nic(world: &mut World, number: usize, nic: &NicChoices) {
    let (network, subnet) = (nic.network, nic.subnet);
    let groups: Vec<Value> =
        nic.groups.iter().map(|g| reference(&format!("applicationSecurityGroups/a{network}-{g}"))).collect();
    let mut configuration = json!({
        "privateIPAddress": format!("10.{network}.{subnet}.{}", number + 4),
        "subnet": reference(&format!("virtualNetworks/v{network}/subnets/s{subnet}")),
        "applicationSecurityGroups": groups,
    });
    if let Some(is_standard) = nic.public {
        let sku = if is_standard { "Standard" } else { "Basic" };
        put(
            world,
            &format!("publicIPAddresses/i{number}"),
            json!({"location": "x", "sku": {"name": sku}, "properties": {}}),
        );
        configuration["publicIPAddress"] = reference(&format!("publicIPAddresses/i{number}"));
    }
    if let Some(is_listed) = nic.public {
        configuration["loadBalancerInboundNatRules"] = json!([add_endpoint(world, number, is_listed)]);
    }
    let mut properties = json!({
        "enableIPForwarding": nic.forwards,
        "macAddress": format!("00-0D-3A-00-00-{number:02X}"),
        "ipConfigurations": [{"name": "c", "properties": configuration}],
    });
    if let Some(nsg) = nic.nsg {
        properties["networkSecurityGroup"] = reference(&format!("networkSecurityGroups/n{network}-{nsg}"));
    }
    let mut body = json!({"location": "x", "properties": properties});
    if let Some(number) = nic.host {
        body["tags"] = json!({"palisade-host": host(number).as_str()});
    }
    put(world, &format!("networkInterfaces/nic{number}"), body);
}

/// A load balancer of its own address with two rules, of which one is for this interface.
fn add_endpoint(world: &mut World, number: usize, is_listed: bool) -> Value {
    let public = format!("publicIPAddresses/f{number}");
    let address = format!("203.0.113.{number}");
    put(world, &public, json!({"location": "x", "properties": {"ipAddress": address}}));
    let balancer = format!("loadBalancers/l{number}");
    let frontend = json!({"name": "f", "properties": {"publicIPAddress": reference(&public)}});
    put(world, &balancer, json!({"location": "x", "properties": {"frontendIPConfigurations": [frontend]}}));
    for (name, port) in [("r", 50_001), ("other", 50_002)] {
        let mut rule = json!({
            "frontendIPConfiguration": reference(&format!("{balancer}/frontendIPConfigurations/f")),
            "protocol": "Tcp", "frontendPort": port, "backendPort": 3389,
        });
        if is_listed {
            rule["allowedSourceAddressPrefixes"] = json!(["198.51.100.0/24"]);
        }
        put(world, &format!("{balancer}/inboundNatRules/{name}"), json!({"properties": rule}));
    }
    reference(&format!("{balancer}/inboundNatRules/r"))
}

/// Two groups of networks, and a collection that applies to both.
fn add_admin(world: &mut World, applies: usize, also: usize) {
    put(world, "networkManagers/m", json!({"location": "x", "properties": {}}));
    for (group, network) in [("one", applies), ("two", also)] {
        put(world, &format!("networkManagers/m/networkGroups/{group}"), json!({"properties": {}}));
        let member = json!({"resourceId": id(&format!("virtualNetworks/v{network}")).as_str()});
        let path = format!("networkManagers/m/networkGroups/{group}/staticMembers/s");
        put(world, &path, json!({"properties": member}));
    }
    let configuration = "networkManagers/m/securityAdminConfigurations/c";
    put(world, configuration, json!({"properties": {}}));
    let groups = ["one", "two"].map(
        |group| json!({"networkGroupId": id(&format!("networkManagers/m/networkGroups/{group}")).as_str()}),
    );
    put(
        world,
        &format!("{configuration}/ruleCollections/k"),
        json!({"properties": {"appliesToGroups": groups}}),
    );
    let rule = json!({
        "protocol": "Tcp", "access": "Deny", "direction": "Inbound", "priority": 10,
        "destinationPortRanges": ["23"],
        "sources": [{"addressPrefix": "*", "addressPrefixType": "IPPrefix"}],
        "destinations": [{"addressPrefix": "*", "addressPrefixType": "IPPrefix"}],
    });
    put(
        world,
        &format!("{configuration}/ruleCollections/k/rules/r"),
        json!({"kind": "Custom", "properties": rule}),
    );
}

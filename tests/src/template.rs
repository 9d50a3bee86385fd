//! Estates for machines of the lab, as ARM templates with a few rules written in one line each.
//!
//! ```text
//! in  allow tcp from 198.51.100.23/32 to 80
//! out deny  *   to   Internet         to *        direction, access, protocol, the other side, destination ports
//! ```

use palisade_lab::{
    hosts::{Addresses, HOSTS, NETWORK_V4, NETWORK_V6},
    vm::Seat,
};
use serde_json::{Value, json};

/// A template with NICs for these machines of the lab, all of them with these rules at their interfaces.
///
/// # Panics
/// If a rule has not the form above, or the lab has no such machine.
pub fn of_lab(machines: &[&str], rules: &[&str]) -> String {
    let nic = |name: &&str| {
        let host = HOSTS.iter().find(|host| host.name == *name).expect("the lab has the host");
        (host.machine.expect("the host is a machine").nic.to_owned(), host.addresses)
    };
    estate([NETWORK_V4, NETWORK_V6], machines.iter().map(nic), rules)
}

/// A template with NICs for these guests, all of them with these rules at their interfaces.
///
/// # Panics
/// If a rule has not the form above.
pub fn of_bench(network: [&str; 2], seats: &[Seat], rules: &[&str]) -> String {
    estate(network, seats.iter().map(|seat| (seat.nic(), seat.addresses)), rules)
}

fn estate(network: [&str; 2], nics: impl IntoIterator<Item = (String, Addresses)>, rules: &[&str]) -> String {
    let rules: Vec<Value> = rules.iter().enumerate().map(|(index, text)| rule(index, text)).collect();
    let subnet = json!({ "name": "all", "properties": { "addressPrefixes": network } });
    let mut resources = vec![
        resource("networkSecurityGroups", "test-nsg", &json!({ "securityRules": rules })),
        resource(
            "virtualNetworks",
            "test-vnet",
            &json!({ "addressSpace": { "addressPrefixes": network }, "subnets": [subnet] }),
        ),
    ];
    resources.extend(nics.into_iter().map(|(name, addresses)| nic(&name, addresses)));
    json!({
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "resources": resources,
    })
    .to_string()
}

fn resource(kind: &str, name: &str, properties: &Value) -> Value {
    json!({
        "type": format!("Microsoft.Network/{kind}"), "apiVersion": "2024-05-01", "name": name,
        "properties": properties,
    })
}

fn nic(name: &str, addresses: Addresses) -> Value {
    let configuration = |version: &str, address: String| {
        json!({ "name": version, "properties": {
            "primary": version == "IPv4", "privateIPAddressVersion": version,
            "privateIPAllocationMethod": "Static", "privateIPAddress": address,
            "subnet": { "id": "[resourceId('Microsoft.Network/virtualNetworks/subnets', 'test-vnet', 'all')]" },
        } })
    };
    resource(
        "networkInterfaces",
        name,
        &json!({
            "networkSecurityGroup": { "id": "[resourceId('Microsoft.Network/networkSecurityGroups', 'test-nsg')]" },
            "ipConfigurations": [
                configuration("IPv4", addresses.v4.to_string()),
                configuration("IPv6", addresses.v6.to_string()),
            ],
        }),
    )
}

fn rule(index: usize, text: &str) -> Value {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [direction, access, protocol, _, other, _, ports] = words[..] else { panic!("not a rule: {text}") };
    let (direction, source, destination) = match direction {
        "in" => ("Inbound", other, "*"),
        "out" => ("Outbound", "*", other),
        _ => panic!("not a direction: {text}"),
    };
    json!({ "name": format!("rule-{index}"), "properties": {
        "priority": 100 + index, "direction": direction, "access": access, "protocol": protocol,
        "sourceAddressPrefix": source, "sourcePortRange": "*",
        "destinationAddressPrefix": destination, "destinationPortRange": ports,
    } })
}

//! Estates for machines of the lab, as ARM templates with a few rules written in one line each.
//!
//! ```text
//! in  allow tcp from 198.51.100.23/32 to 80
//! out deny  *   to   Internet         to *        direction, access, protocol, the other side, destination ports
//! ```

use palisade_lab::hosts::{HOSTS, NETWORK_V4, NETWORK_V6, SUBNETS};
use serde_json::{Value, json};

/// A template with NICs for these machines of the lab, all of them with these rules at their interfaces.
///
/// # Panics
/// If a rule has not the form above, or the lab has no such machine.
pub fn estate(machines: &[&str], rules: &[&str]) -> String {
    let rules: Vec<Value> = rules.iter().enumerate().map(|(index, text)| rule(index, text)).collect();
    let mut resources = vec![
        json!({
            "type": "Microsoft.Network/networkSecurityGroups", "apiVersion": "2024-05-01", "name": "test-nsg",
            "properties": { "securityRules": rules },
        }),
        virtual_network(),
    ];
    resources.extend(machines.iter().map(|name| nic(name)));
    json!({
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "resources": resources,
    })
    .to_string()
}

fn virtual_network() -> Value {
    let subnets: Vec<Value> = SUBNETS
        .iter()
        .map(|subnet| {
            let prefixes = [format!("{}/24", subnet.gateway.v4), format!("{}/64", subnet.gateway.v6)];
            json!({ "name": subnet.name, "properties": { "addressPrefixes": prefixes.map(network) } })
        })
        .collect();
    json!({
        "type": "Microsoft.Network/virtualNetworks", "apiVersion": "2024-05-01", "name": "test-vnet",
        "properties": { "addressSpace": { "addressPrefixes": [NETWORK_V4, NETWORK_V6] }, "subnets": subnets },
    })
}

/// The network that an address with a length is in.
fn network(text: String) -> String {
    let (address, length) = text.split_once('/').expect("an address with a length");
    let address = address.parse().expect("an address");
    let length = length.parse().expect("a length");
    palisade_net::Prefix::truncated(address, length).expect("the length fits").to_string()
}

fn nic(name: &str) -> Value {
    let host = HOSTS.iter().find(|host| host.name == name).expect("the lab has the host");
    let machine = host.machine.expect("the host is a machine");
    let subnet = format!(
        "[resourceId('Microsoft.Network/virtualNetworks/subnets', 'test-vnet', '{}')]",
        machine.subnet.name
    );
    let configuration = |name: &str, version: &str, address: String, primary: bool| {
        json!({ "name": name, "properties": {
            "primary": primary, "privateIPAddressVersion": version, "privateIPAllocationMethod": "Static",
            "privateIPAddress": address, "subnet": { "id": subnet },
        } })
    };
    json!({
        "type": "Microsoft.Network/networkInterfaces", "apiVersion": "2024-05-01", "name": machine.nic,
        "properties": {
            "networkSecurityGroup": { "id": "[resourceId('Microsoft.Network/networkSecurityGroups', 'test-nsg')]" },
            "ipConfigurations": [
                configuration("v4", "IPv4", host.addresses.v4.to_string(), true),
                configuration("v6", "IPv6", host.addresses.v6.to_string(), false),
            ],
        },
    })
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

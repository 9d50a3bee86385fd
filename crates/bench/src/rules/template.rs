//! A rule set as an ARM template: one NSG at one network interface.
//!
//! It goes the whole way that a user's template goes, so what is compared with the peers is what `palisade agent` would
//! enforce, and Azure's limits hold for it.

use serde_json::{Value, json};

use super::{Rule, RuleSet, machine};
use palisade_net::{Family, Protocol};

/// Name of the network interface.
pub const NIC: &str = "machine-nic";

/// The template.
pub fn template(set: &RuleSet) -> Value {
    let rules: Vec<Value> =
        set.rules.iter().enumerate().map(|(index, rule)| security_rule(index, rule)).collect();
    json!({
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "resources": [
            resource("networkSecurityGroups", "machine-nsg", &json!({ "securityRules": rules })),
            resource("virtualNetworks", "bench-vnet", &json!({
                "addressSpace": { "addressPrefixes": ["192.168.0.0/16", "fd42::/48"] },
                "subnets": [{
                    "name": "machines",
                    "properties": { "addressPrefixes": ["192.168.0.0/24", "fd42::/64"] },
                }],
            })),
            resource("networkInterfaces", NIC, &json!({
                "networkSecurityGroup": {
                    "id": "[resourceId('Microsoft.Network/networkSecurityGroups', 'machine-nsg')]",
                },
                "ipConfigurations": Family::ALL.map(ip_configuration),
            })),
        ],
    })
}

fn resource(kind: &str, name: &str, properties: &Value) -> Value {
    json!({
        "type": format!("Microsoft.Network/{kind}"),
        "apiVersion": "2024-05-01",
        "name": name,
        "location": "westeurope",
        "properties": properties,
    })
}

fn ip_configuration(family: Family) -> Value {
    json!({
        "name": family.to_string(),
        "properties": {
            "primary": family == Family::V4,
            "privateIPAllocationMethod": "Static",
            "privateIPAddress": machine(family),
            "privateIPAddressVersion": family.to_string(),
            "subnet": {
                "id": "[resourceId('Microsoft.Network/virtualNetworks/subnets', 'bench-vnet', 'machines')]",
            },
        },
    })
}

fn security_rule(index: usize, rule: &Rule) -> Value {
    let sources: Vec<String> = rule.sources.iter().map(ToString::to_string).collect();
    json!({
        "name": format!("rule-{index}"),
        "properties": {
            "priority": usize::from(palisade_model::limits::PRIORITY_MIN) + index,
            "direction": "Inbound",
            "access": if rule.allows { "Allow" } else { "Deny" },
            "protocol": if rule.protocol == Protocol::UDP { "Udp" } else { "Tcp" },
            "sourceAddressPrefixes": sources,
            "sourcePortRange": "*",
            "destinationAddressPrefix": "*",
            "destinationPortRange": rule.ports.to_string(),
        },
    })
}

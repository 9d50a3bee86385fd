//! The six default rules of an NSG, as Azure shows them. They are the model's, in ARM's JSON.

use palisade_model::{AddressField, ResourceId, Rule, default_rules};
use palisade_net::Direction;
use serde_json::{Value, json};

/// The path segment of default rules.
pub(crate) const SEGMENT: &str = "defaultSecurityRules";

/// `defaultSecurityRules` of an NSG.
pub(crate) fn rules(nsg: &ResourceId, etag: &str) -> Value {
    let both = [Direction::Inbound, Direction::Outbound];
    both.into_iter().flat_map(default_rules).map(|rule| render(nsg, etag, &rule)).collect()
}

fn render(nsg: &ResourceId, etag: &str, rule: &Rule) -> Value {
    json!({
        "name": rule.name(),
        "id": nsg.child(SEGMENT, rule.name()).as_str(),
        "etag": etag,
        "type": "Microsoft.Network/networkSecurityGroups/defaultSecurityRules",
        "properties": {
            "provisioningState": "Succeeded",
            "description": rule.description(),
            "protocol": "*",
            "sourcePortRange": "*",
            "destinationPortRange": "*",
            "sourceAddressPrefix": addresses(&rule.source().addresses),
            "destinationAddressPrefix": addresses(&rule.destination().addresses),
            "access": shown(rule.access().known()),
            "priority": rule.priority().known().map(palisade_model::Priority::get),
            "direction": shown(rule.direction().known()),
            "sourcePortRanges": [],
            "destinationPortRanges": [],
            "sourceAddressPrefixes": [],
            "destinationAddressPrefixes": [],
        }
    })
}

fn shown<T: std::fmt::Display>(value: Option<T>) -> Option<String> {
    value.map(|value| value.to_string())
}

fn addresses(field: &AddressField) -> String {
    match field {
        AddressField::Tag(tag) => tag.to_string(),
        _ => "*".to_owned(),
    }
}

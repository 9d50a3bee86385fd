//! Effective rules in Azure's JSON, and the dialects in which Azure names a rule.
//!
//! Prefixes are listed in full only where a tag or group stands for them. Reference: `EffectiveNetworkSecurityRule` of the
//! network resource provider; docs/arm.md, "What Network Watcher answers".

use palisade_model::{Access, AddressField, Addresses, EffectiveLayer, EffectiveRule, Layer, Maybe, Ports};
use palisade_net::{AddressSet, Direction, ProtocolMatch};
use serde_json::{Map, Value, json};

use super::own;

/// How a surface of Azure's names a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `securityRules/ssh`, `defaultSecurityRules/DenyAllInBound`: effective rules and IP flow verify.
    Path,
    /// `UserRule_ssh`, `DefaultRule_DenyAllInBound`: diagnostics, security group view and flow logs.
    Log,
}

impl Dialect {
    /// The rule's name; a security admin rule has no prefix in either.
    pub(super) fn name(self, layer: Layer, rule: &EffectiveRule) -> String {
        match (self, layer) {
            (_, Layer::Admin) => rule.name.clone(),
            (Self::Path, _) => rule.path.clone(),
            (Self::Log, _) if rule.is_default() => format!("DefaultRule_{}", rule.name),
            (Self::Log, _) => format!("UserRule_{}", rule.name),
        }
    }
}

/// The rules of a layer in both directions, inbound first, each in the order in which it is asked.
pub(super) fn all(layers: [Option<&EffectiveLayer>; 2], dialect: Dialect) -> Vec<Value> {
    let of = |layer: Option<&EffectiveLayer>, direction| -> Vec<Value> {
        let rules = layer.into_iter().flat_map(|layer| layer.rules.iter().map(|rule| (layer.layer, rule)));
        rules.map(|(place, rule)| one(place, rule, direction, dialect)).collect()
    };
    let [inbound, outbound] = layers;
    let mut found = of(inbound, Direction::Inbound);
    found.extend(of(outbound, Direction::Outbound));
    found
}

/// One rule.
fn one(layer: Layer, rule: &EffectiveRule, direction: Direction, dialect: Dialect) -> Value {
    let mut members = Map::new();
    members.insert("name".to_owned(), dialect.name(layer, rule).into());
    members.insert("protocol".to_owned(), protocol(rule.protocol));
    ports(&mut members, "source", &rule.source_ports);
    ports(&mut members, "destination", &rule.destination_ports);
    side(&mut members, "source", &rule.source_field, &rule.source);
    side(&mut members, "destination", &rule.destination_field, &rule.destination);
    members.insert("access".to_owned(), access(rule.access));
    members.insert("priority".to_owned(), rule.priority.known().map(palisade_model::Priority::get).into());
    members.insert("direction".to_owned(), direction.to_string().into());
    if let Some(own) = own::of_rule(rule) {
        members.insert("palisade".to_owned(), own);
    }
    members.into()
}

fn protocol(protocol: Maybe<ProtocolMatch>) -> Value {
    match protocol {
        Maybe::Known(ProtocolMatch::Any) => "All".into(),
        Maybe::Known(protocol) => protocol.to_string().into(),
        Maybe::Unknown => Value::Null,
    }
}

fn access(access: Maybe<Access>) -> Value {
    access.known().map(|access| access.to_string()).into()
}

fn ports(members: &mut Map<String, Value>, side: &str, ports: &Ports) {
    let may = ports.may();
    let ranges: Vec<String> = may.ranges().iter().map(|(first, last)| format!("{first}-{last}")).collect();
    if let [only] = ranges.as_slice() {
        members.insert(format!("{side}PortRange"), only.as_str().into());
    }
    members.insert(format!("{side}PortRanges"), ranges.into());
}

/// One side's addresses: as they were written, and expanded where a name stands for them.
fn side(members: &mut Map<String, Value>, side: &str, field: &AddressField, set: &Addresses) {
    let (written, expanded) = match field {
        // Azure prints the wildcard like this, for both families.
        AddressField::Any => (vec!["0.0.0.0/0".to_owned(), "0.0.0.0/0".to_owned()], None),
        AddressField::Prefixes(prefixes) => (prefixes.iter().map(ToString::to_string).collect(), None),
        AddressField::Tag(tag) => (vec![tag.to_string()], Some(set.may())),
        AddressField::Mixed(prefixes, tags) => {
            let prefixes = prefixes.iter().map(ToString::to_string);
            (prefixes.chain(tags.iter().map(ToString::to_string)).collect(), Some(set.may()))
        }
        AddressField::Groups(_) | AddressField::Unknown(_) => (listed(set.may()), None),
    };
    let singular = match written.as_slice() {
        [only] => Some(only),
        [first, second] if first == second => Some(first),
        _ => None,
    };
    if let Some(singular) = singular {
        members.insert(format!("{side}AddressPrefix"), singular.as_str().into());
    }
    members.insert(format!("{side}AddressPrefixes"), written.into());
    if let Some(set) = expanded {
        let key =
            if side == "source" { "expandedSourceAddressPrefix" } else { "expandedDestinationAddressPrefix" };
        members.insert(key.to_owned(), listed(set).into());
    }
}

/// A set as prefixes.
pub(super) fn listed(set: &AddressSet) -> Vec<String> {
    set.prefixes().iter().map(ToString::to_string).collect()
}

/// Every tag that a rule of these layers names, with its addresses.
pub(super) fn tag_map(layers: [Option<&EffectiveLayer>; 2]) -> Value {
    let rules = layers.into_iter().flatten().flat_map(|layer| &layer.rules);
    let sides = rules
        .flat_map(|rule| [(&rule.source_field, &rule.source), (&rule.destination_field, &rule.destination)]);
    let mut map = Map::new();
    for (field, set) in sides {
        // Of several tags in one field the addresses are known together only.
        if let AddressField::Tag(tag) = field
            && !map.contains_key(tag.as_str())
        {
            map.insert(tag.to_string(), json!(listed(set.may())));
        }
    }
    map.into()
}

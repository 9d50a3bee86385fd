//! Effective rules as JSON, in the shape of Azure's effectiveNetworkSecurityGroups.
//!
//! Follows a recorded answer of Azure's field by field: `*` is `0.0.0.0/0`, and twice in the list; ports are ranges;
//! tags stand under their names, expanded beside the rule and in `tagMap`. What Azure has no word for, a part that is not
//! known, is said in fields of our own. Groups are expanded too, which Azure does not do.

use palisade_control::watcher::own;
use palisade_model::{
    AddressField, Addresses, EffectiveLayer, EffectivePolicy, EffectiveRule, Layer, Ports, ResourceId,
    TagName,
};
use palisade_net::{Direction, ProtocolMatch};
use serde_json::{Map, Value, json};

use super::shares::{RuleShare, Shares};
use crate::commands::target::Target;

/// Azure's answer: one entry an NSG, its inbound rules before its outbound rules.
pub fn document(policy: &EffectivePolicy, target: Target<'_>, shares: Option<&Shares>) -> Value {
    let mut entries: Vec<Entry<'_>> = Vec::new();
    for direction in Direction::ALL {
        let layers = policy.layers(direction).iter().enumerate();
        for (index, layer) in layers.filter(|(_, layer)| layer.layer != Layer::PublicAddress) {
            let known = entries.iter().position(|entry| entry.layer.layer == layer.layer);
            let at = known.unwrap_or_else(|| {
                entries.push(Entry { layer, rules: Vec::new(), tags: Map::new() });
                entries.len() - 1
            });
            for (number, rule) in layer.rules.iter().enumerate() {
                let share = shares.map(|shares| shares.rule(direction, index, number));
                entries[at].add(rule, direction, share);
            }
        }
    }
    let mut answer =
        json!({ "value": entries.into_iter().map(|entry| entry.json(target)).collect::<Vec<_>>() });
    if let Some(throttle) = target.throttle() {
        answer["palisade"] = json!({ "throttle": own::of_throttle(throttle) });
    }
    answer
}

/// What is said of one NSG.
struct Entry<'a> {
    layer: &'a EffectiveLayer,
    rules: Vec<Value>,
    tags: Map<String, Value>,
}

impl Entry<'_> {
    fn add(&mut self, rule: &EffectiveRule, direction: Direction, share: Option<&RuleShare>) {
        let mut object = rule_json(rule, direction);
        if let Some(share) = share {
            object.insert("explanation".into(), share.json());
        }
        self.rules.push(Value::Object(object));
        let sides = [(&rule.source_field, &rule.source), (&rule.destination_field, &rule.destination)];
        for (written, addresses) in sides {
            // Of a tag among other things, the addresses are not told apart here.
            if let AddressField::Tag(name) = written
                && addresses.is_certain()
            {
                self.tags.insert(tag_key(name), json!(prefixes(addresses)));
            }
        }
    }

    fn json(self, target: Target<'_>) -> Value {
        let source = self.layer.source.as_ref();
        json!({
            "networkSecurityGroup": { "id": source.map(ResourceId::as_str) },
            "association": association(self.layer.layer, target, source),
            "effectiveSecurityRules": self.rules,
            "tagMap": self.tags,
        })
    }
}

/// A computed tag under its own name; any other as it was written.
fn tag_key(name: &TagName) -> String {
    name.computed().map_or_else(|| name.to_string(), |tag| tag.name().to_owned())
}

/// The prefixes that surely belong.
fn prefixes(addresses: &Addresses) -> Vec<String> {
    addresses.must().prefixes().iter().map(ToString::to_string).collect()
}

fn association(place: Layer, target: Target<'_>, source: Option<&ResourceId>) -> Value {
    let Target::Nic(nic) = target else { return json!({}) };
    let primary = nic.ip_configurations().first();
    let subnet = primary.and_then(|primary| primary.subnet()).and_then(|subnet| subnet.known());
    match place {
        Layer::Admin => match source.and_then(own::manager_of) {
            Some(manager) => json!({ "networkManager": { "id": manager.as_str() } }),
            None => json!({ "networkInterface": { "id": nic.id().as_str() } }),
        },
        Layer::Subnet => json!({ "subnet": { "id": subnet.map(ResourceId::as_str) } }),
        Layer::NetworkInterface | Layer::PublicAddress => {
            json!({ "networkInterface": { "id": nic.id().as_str() } })
        }
    }
}

fn rule_json(rule: &EffectiveRule, direction: Direction) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("name".into(), json!(rule.path));
    object.insert("protocol".into(), json!(rule.protocol.known().map(protocol)));
    side_json(&mut object, "source", &rule.source_field, &rule.source, &rule.source_ports);
    side_json(
        &mut object,
        "destination",
        &rule.destination_field,
        &rule.destination,
        &rule.destination_ports,
    );
    object.insert("access".into(), json!(rule.access.known().map(|access| access.to_string())));
    object.insert("priority".into(), json!(rule.priority.known().map(palisade_model::Priority::get)));
    object.insert("direction".into(), json!(direction.to_string()));
    if !rule.certain {
        object.insert("unknown".into(), json!(true));
    }
    if let Some(own) = own::of_rule(rule) {
        object.insert("palisade".into(), own);
    }
    object
}

fn side_json(
    object: &mut Map<String, Value>,
    side: &str,
    written: &AddressField,
    addresses: &Addresses,
    ports: &Ports,
) {
    let capital = format!("{}{}", side[..1].to_ascii_uppercase(), &side[1..]);
    let ranges: Option<Vec<String>> = match ports {
        Ports::Known(set) => {
            Some(set.ranges().iter().map(|(first, last)| format!("{first}-{last}")).collect())
        }
        Ports::Unknown => None,
    };
    let single = |list: &[String]| (list.len() == 1).then(|| list[0].clone());
    if let Some(range) = ranges.as_deref().and_then(single) {
        object.insert(format!("{side}PortRange"), json!(range));
    }
    object.insert(format!("{side}PortRanges"), json!(ranges));
    let mut list = written_prefixes(written);
    if let Some(prefix) = single(&list) {
        object.insert(format!("{side}AddressPrefix"), json!(prefix));
    }
    if matches!(written, AddressField::Any) {
        list.extend(list.clone());
    }
    object.insert(format!("{side}AddressPrefixes"), json!(list));
    if !matches!(written, AddressField::Any | AddressField::Prefixes(_)) {
        object.insert(format!("expanded{capital}AddressPrefix"), json!(prefixes(addresses)));
    }
    if !addresses.is_certain() {
        object.insert(format!("{side}AddressUnknown"), json!(true));
    }
}

/// The field as it was written; `*`, which is both families, as Azure prints it.
pub fn written_prefixes(field: &AddressField) -> Vec<String> {
    match field {
        AddressField::Any => vec!["0.0.0.0/0".into()],
        AddressField::Prefixes(prefixes) => prefixes.iter().map(ToString::to_string).collect(),
        AddressField::Tag(name) => vec![name.to_string()],
        AddressField::Mixed(prefixes, names) => {
            let tags = names.iter().map(ToString::to_string);
            prefixes.iter().map(ToString::to_string).chain(tags).collect()
        }
        AddressField::Groups(groups) => groups.iter().map(ToString::to_string).collect(),
        AddressField::Unknown(_) => Vec::new(),
    }
}

fn protocol(protocol: ProtocolMatch) -> String {
    match protocol {
        ProtocolMatch::Any => "All".to_owned(),
        other => other.to_string(),
    }
}

//! `palisade effective`: the rules that hold at an interface, in the shape of Azure's effectiveNetworkSecurityGroups.

use palisade_model::{
    AddressField, Addresses, EffectiveLayer, EffectivePolicy, EffectiveRule, Layer, Maybe, Ports, Side,
};
use palisade_net::{Direction, ProtocolMatch};
use serde_json::{Map, Value, json};

use super::target::{Target, TargetArgs};
use crate::{
    args::{EstateArgs, FormatArgs},
    commands::estate,
    exit::Exit,
    exit::Failure,
    output,
    output::Format,
};

/// Options of the command.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "JSON has the shape of Azure's effectiveNetworkSecurityGroups. A set that is only partly known has \
                        \"unknown\": true; the prefixes are then those that surely belong."
)]
pub struct Arguments {
    #[command(flatten)]
    estate: EstateArgs,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    format: FormatArgs,
}

/// Prints the effective rules of one interface or NSG.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let loaded = estate::load(&arguments.estate)?;
    let target = match (&arguments.target.nic, &arguments.target.nsg) {
        (Some(nic), _) => Target::nic(&loaded.estate, nic),
        (None, Some(nsg)) => Target::nsg(&loaded.estate, nsg),
        (None, None) => return Err(Failure::input("nothing is named (give --nic or --nsg)")),
    }
    .map_err(|error| Failure::input(error.message))?;
    let policy = target.effective(&loaded.estate, &arguments.target);
    match arguments.format.format {
        Format::Json => output::json(&document(&policy, target))?,
        Format::Table => table(&policy)?,
    }
    Ok(Exit::Clean)
}

/// Azure's answer: one entry an NSG, its inbound rules before its outbound rules.
fn document(policy: &EffectivePolicy, target: Target<'_>) -> Value {
    let mut entries: Vec<(Layer, &EffectiveLayer, Vec<Value>)> = Vec::new();
    for direction in Direction::ALL {
        for layer in policy.layers(direction).iter().filter(|layer| layer.layer != Layer::PublicAddress) {
            let rules = layer.rules.iter().map(|rule| rule_json(rule, direction));
            match entries.iter_mut().find(|(place, ..)| *place == layer.layer) {
                Some((_, _, all)) => all.extend(rules),
                None => entries.push((layer.layer, layer, rules.collect())),
            }
        }
    }
    let value = entries.into_iter().map(|(place, layer, rules)| {
        let id = layer.source.as_ref().map(palisade_model::ResourceId::as_str);
        json!({
            "networkSecurityGroup": { "id": id },
            "association": association(place, target, id),
            "effectiveSecurityRules": rules,
        })
    });
    json!({ "value": value.collect::<Vec<_>>() })
}

fn association(place: Layer, target: Target<'_>, source: Option<&str>) -> Value {
    let Target::Nic(nic) = target else { return json!({}) };
    let primary = nic.ip_configurations().first();
    let subnet = primary.and_then(|primary| primary.subnet()).and_then(|subnet| subnet.known());
    match place {
        Layer::Admin => json!({ "networkManager": { "id": source } }),
        Layer::Subnet => json!({ "subnet": { "id": subnet.map(palisade_model::ResourceId::as_str) } }),
        Layer::NetworkInterface | Layer::PublicAddress => {
            json!({ "networkInterface": { "id": nic.id().as_str() } })
        }
    }
}

fn rule_json(rule: &EffectiveRule, direction: Direction) -> Value {
    let mut object = Map::new();
    object.insert("name".into(), json!(rule.path));
    object.insert("protocol".into(), json!(rule.protocol.known().map(protocol)));
    side_json(&mut object, "source", rule.rule.source(), &rule.source, &rule.source_ports);
    side_json(
        &mut object,
        "destination",
        rule.rule.destination(),
        &rule.destination,
        &rule.destination_ports,
    );
    object.insert("access".into(), json!(rule.access.known().map(|access| access.to_string())));
    object.insert("priority".into(), json!(rule.priority.known().map(palisade_model::Priority::get)));
    object.insert("direction".into(), json!(direction.to_string()));
    if !rule.certain {
        object.insert("unknown".into(), json!(true));
    }
    Value::Object(object)
}

fn side_json(
    object: &mut Map<String, Value>,
    side: &str,
    written: &Side,
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
    let prefixes = written_prefixes(&written.addresses);
    let single = |list: &[String]| (list.len() == 1).then(|| list[0].clone());
    if let Some(range) = ranges.as_deref().and_then(single) {
        object.insert(format!("{side}PortRange"), json!(range));
    }
    object.insert(format!("{side}PortRanges"), json!(ranges));
    if let Some(prefix) = single(&prefixes) {
        object.insert(format!("{side}AddressPrefix"), json!(prefix));
    }
    object.insert(format!("{side}AddressPrefixes"), json!(prefixes));
    if !matches!(written.addresses, AddressField::Any | AddressField::Prefixes(_)) {
        let expanded: Vec<String> = addresses.must().prefixes().iter().map(ToString::to_string).collect();
        object.insert(format!("expanded{capital}AddressPrefix"), json!(expanded));
    }
    if !addresses.is_certain() {
        object.insert(format!("{side}AddressUnknown"), json!(true));
    }
}

/// The field as it was written; `*` as Azure prints it.
fn written_prefixes(field: &AddressField) -> Vec<String> {
    match field {
        AddressField::Any => vec!["0.0.0.0/0".into(), "::/0".into()],
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

fn table(policy: &EffectivePolicy) -> std::io::Result<()> {
    let mut rows = Vec::new();
    for direction in Direction::ALL {
        for layer in policy.layers(direction) {
            let list = layer.name.clone().unwrap_or_else(|| "(public address)".to_owned());
            rows.extend(layer.rules.iter().map(|rule| {
                [
                    direction.to_string(),
                    list.clone(),
                    text(rule.priority.known().map(palisade_model::Priority::get)),
                    rule.rule.name().to_owned(),
                    text(rule.protocol.known()),
                    side_text(&rule.rule.source().addresses, &rule.source, &rule.source_ports),
                    side_text(&rule.rule.destination().addresses, &rule.destination, &rule.destination_ports),
                    text(maybe_access(rule)),
                ]
            }));
        }
    }
    output::table(
        ["DIRECTION", "NSG", "PRIORITY", "RULE", "PROTOCOL", "SOURCE", "DESTINATION", "ACCESS"],
        &rows,
    )
}

fn maybe_access(rule: &EffectiveRule) -> Option<palisade_model::Access> {
    match rule.access {
        Maybe::Known(access) => Some(access),
        Maybe::Unknown => None,
    }
}

fn text(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "?".to_owned(), |value| value.to_string())
}

/// A side in few words: what was written, how many prefixes it stands for, and the ports.
fn side_text(field: &AddressField, addresses: &Addresses, ports: &Ports) -> String {
    let mut words = match field {
        AddressField::Any => "*".to_owned(),
        AddressField::Unknown(reason) => format!("? ({reason})"),
        AddressField::Groups(groups) => {
            groups.iter().map(palisade_model::ResourceId::name).collect::<Vec<_>>().join(",")
        }
        other => written_prefixes(other).join(","),
    };
    if matches!(field, AddressField::Tag(_) | AddressField::Groups(_) | AddressField::Mixed(..)) {
        let count = addresses.must().prefixes().len();
        let more = if addresses.is_certain() { "" } else { "+?" };
        words.push_str(&format!(" [{count}{more}]"));
    }
    match ports {
        Ports::Known(set) if set.is_full() => words,
        Ports::Known(set) => {
            let ranges = set.ranges().iter().map(|&(first, last)| {
                if first == last { first.to_string() } else { format!("{first}-{last}") }
            });
            format!("{words}:{}", ranges.collect::<Vec<_>>().join(","))
        }
        Ports::Unknown => format!("{words}:?"),
    }
}

//! Short ways to write estates: a rule is a list of Azure's field names and values, changed from one that is right.

use std::collections::BTreeMap;

use palisade_model::{
    Code, Estate, Nic, Nsg, Place, Problem, ResourceId, Severity, TagCatalog, TagName,
    spec::{
        At, EstateSpec, IpConfigurationSpec, NicSpec, NsgSpec, Reference, ResourceTags, RuleSpec, SideSpec,
        SubnetSpec, Text, TextList, VirtualNetworkSpec,
    },
};
use palisade_net::AddressSet;

pub fn id(text: &str) -> ResourceId {
    ResourceId::new(text)
}

pub fn to(text: &str) -> Reference {
    At::known(id(text))
}

pub fn place(line: u32) -> Place {
    Place { file: "estate.json".into(), line, pointer: format!("/{line}") }
}

/// A list of texts, written with commas; `?` stands for an unknown one.
pub fn texts(list: &str) -> TextList {
    let items = list.split(',').filter(|item| !item.is_empty());
    At::known(items.map(|item| text(item.trim())).collect::<Vec<Text>>())
}

/// A text; `?` stands for an unknown one.
pub fn text(value: &str) -> Text {
    if value == "?" { At::unknown("parameter \"p\" has no value") } else { At::known(value) }
}

/// Inbound Tcp 80 from anywhere to anywhere, with the given fields changed. `-` takes a field away, and `?` is unknown.
pub fn rule(changes: &[(&str, &str)]) -> RuleSpec {
    let fields = [
        ("protocol", "Tcp"),
        ("access", "Allow"),
        ("priority", "100"),
        ("direction", "Inbound"),
        ("sourceAddressPrefix", "*"),
        ("sourcePortRange", "*"),
        ("destinationAddressPrefix", "*"),
        ("destinationPortRange", "80"),
    ];
    let mut rule = RuleSpec::new("r");
    for (field, value) in fields.iter().chain(changes) {
        set(&mut rule, field, value);
    }
    rule
}

fn set(rule: &mut RuleSpec, field: &str, value: &str) {
    let given = (value != "-").then(|| text(value));
    match field {
        "name" => rule.name = given,
        "description" => rule.description = given,
        "protocol" => rule.protocol = given,
        "access" => rule.access = given,
        "priority" => rule.priority = given,
        "direction" => rule.direction = given,
        "notBefore" => rule.not_before = given,
        "expiresAt" => rule.expires_at = given,
        "mode" => rule.mode = given,
        "certain" => rule.certain = value == "true",
        "line" => rule.place = place(value.parse().expect("a line is a number")),
        side => match side.strip_prefix("source") {
            Some(field) => set_side(&mut rule.source, field, value),
            None => {
                let field = side.strip_prefix("destination").expect("a field of a rule");
                set_side(&mut rule.destination, field, value);
            }
        },
    }
}

fn set_side(side: &mut SideSpec, field: &str, value: &str) {
    let given = value != "-";
    let list = || if value == "?" { At::unknown("the list is not known") } else { texts(value) };
    let groups = || {
        let names = value.split(',').filter(|name| !name.is_empty());
        At::known(names.map(|name| to(&format!("/asgs/{name}"))).collect::<Vec<_>>())
    };
    match field {
        "AddressPrefix" => side.address_prefix = given.then(|| text(value)),
        "AddressPrefixes" => side.address_prefixes = given.then(list),
        "PortRange" => side.port_range = given.then(|| text(value)),
        "PortRanges" => side.port_ranges = given.then(list),
        "ApplicationSecurityGroups" => {
            side.groups = given.then(|| if value == "?" { At::unknown("groups") } else { groups() });
        }
        other => panic!("no field {other} on a side"),
    }
}

/// Resource tags; `?` as a value stands for an unknown one.
pub fn tags(tags: &[(&str, &str)]) -> Option<ResourceTags> {
    let tags = tags.iter().map(|(name, value)| ((*name).to_owned(), text(value)));
    Some(At::known(tags.collect::<BTreeMap<_, _>>()))
}

/// An estate of one NSG, `/nsgs/web`.
pub fn nsg(rules: Vec<RuleSpec>) -> EstateSpec {
    let nsg = NsgSpec { rules, ..NsgSpec::new(id("/nsgs/web")) };
    EstateSpec { nsgs: vec![nsg], ..EstateSpec::default() }
}

/// A network `/vnets/{name}` with one subnet, `s`, that has all of its space.
pub fn network(name: &str, prefixes: &str) -> VirtualNetworkSpec {
    let id = id(&format!("/vnets/{name}"));
    let subnet =
        SubnetSpec { address_prefixes: Some(texts(prefixes)), ..SubnetSpec::new(id.child("subnets", "s")) };
    VirtualNetworkSpec {
        address_prefixes: Some(texts(prefixes)),
        subnets: vec![subnet],
        ..VirtualNetworkSpec::new(id)
    }
}

/// An interface `/nics/{name}` in the subnet `s` of a network. `address` is `-` if the deployment assigns it.
pub fn nic(name: &str, network: &str, address: &str) -> NicSpec {
    let mut configuration = IpConfigurationSpec::new("c", id(&format!("/vnets/{network}/subnets/s")));
    configuration.private_address = (address != "-").then(|| text(address));
    NicSpec { ip_configurations: vec![configuration], ..NicSpec::new(id(&format!("/nics/{name}"))) }
}

/// The estate; panics with the problems if there is none.
pub fn accept(spec: &EstateSpec, tags: TagCatalog) -> Estate {
    let (estate, problems) = Estate::validate(spec, tags);
    estate.unwrap_or_else(|| panic!("{problems:#?}"))
}

pub fn problems(spec: &EstateSpec) -> Vec<Problem> {
    let (estate, problems) = Estate::validate(spec, TagCatalog::default());
    let refused = problems.iter().any(|problem| problem.severity == Severity::Error);
    assert_eq!(estate.is_none(), refused, "an error refuses the input, and nothing else does: {problems:#?}");
    problems
}

/// Codes of the problems, in order.
pub fn codes(spec: &EstateSpec) -> Vec<Code> {
    problems(spec).into_iter().map(|problem| problem.code).collect()
}

/// Codes of the problems of an NSG with this one rule.
pub fn codes_of(changes: &[(&str, &str)]) -> Vec<Code> {
    codes(&nsg(vec![rule(changes)]))
}

pub fn the_nsg<'a>(estate: &'a Estate, id_text: &str) -> &'a Nsg {
    estate.nsg(&id(id_text)).expect("the estate holds the NSG")
}

pub fn the_nic<'a>(estate: &'a Estate, name: &str) -> &'a Nic {
    estate.nics_named(name).first().copied().expect("the estate holds the interface")
}

/// A set of prefixes, written with commas.
pub fn set_of(prefixes: &str) -> AddressSet {
    let prefixes = prefixes.split(',').filter(|prefix| !prefix.is_empty());
    prefixes.map(|prefix| prefix.trim().parse::<palisade_net::Prefix>().expect("a prefix")).collect()
}

/// A tag file's contents.
pub fn catalog(tags: &[(&str, &str)]) -> TagCatalog {
    TagCatalog::new(tags.iter().map(|(name, prefixes)| {
        let prefixes = prefixes.split(',').map(|prefix| prefix.parse().expect("a prefix")).collect();
        (name.parse::<TagName>().expect("a tag's name"), prefixes)
    }))
}

/// `count` rules that differ in name and priority.
pub fn numbered(count: usize) -> Vec<RuleSpec> {
    let numbered = |n: usize| rule(&[("name", &format!("r{n}")), ("priority", &(100 + n).to_string())]);
    (0..count).map(numbered).collect()
}

/// Rules that name `count` source addresses together, 1,000 a rule.
pub fn source_addresses(count: usize) -> Vec<RuleSpec> {
    let mut rules = numbered(count.div_ceil(1_000));
    for (network, rule) in rules.iter_mut().enumerate() {
        let hosts =
            (0..1_000.min(count - network * 1_000)).map(|n| format!("10.{network}.{}.{}", n / 256, n % 256));
        rule.source.address_prefix = None;
        rule.source.address_prefixes = Some(texts(&hosts.collect::<Vec<_>>().join(",")));
    }
    rules
}

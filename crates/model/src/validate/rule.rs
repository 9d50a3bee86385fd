//! Rules, NSGs and security admin collections.

use std::collections::{HashMap, HashSet};

use palisade_net::{Direction, Protocol, ProtocolMatch};

use super::own_tags::OwnTags;
use super::schedule::{RuleTags, Schedule, schedule, window_until};
use super::{shown, side};
use crate::{
    Access, AddressField, Code, Maybe, Mode, Nsg, Place, Ports, Priority, ResourceId, Rule, Side, TagCatalog,
    Window, defaults,
    estate::AdminCollection,
    id::is_valid_name,
    limits,
    problem::Problems,
    spec::{AdminCollectionSpec, AdminRuleSpec, Given, NsgSpec, RuleSpec, Text},
};

/// A rule's text and place, for messages that name it.
pub(super) struct RuleAt<'a> {
    pub(super) id: String,
    pub(super) place: &'a Place,
}

pub(super) fn nsg(spec: &NsgSpec, tags: &TagCatalog, p: &mut Problems) -> Nsg {
    p.about(&spec.id);
    if let Given::Known(name) = &spec.name.value {
        check_name(name, &spec.name.place, p);
    }
    if spec.rules.len() > limits::RULES_PER_NSG_MAX {
        let message = format!(
            "A security group cannot have more than {} security rules. {} has {}.",
            limits::RULES_PER_NSG_MAX,
            spec.id,
            spec.rules.len()
        );
        p.error(Code::SecurityRuleCountLimitReached, &spec.place, message);
    }
    let own = OwnTags::of_nsg(&spec.id, spec.tags.as_ref(), p);
    let rule_tags = RuleTags::new(&own, spec, p);
    let checked = spec.rules.iter().enumerate().map(|(number, rule)| {
        p.about_rule(&spec.id, number);
        (user_rule(&spec.id, rule, &rule_tags, tags, p), &rule.place)
    });
    let rules: Vec<(Rule, &Place)> = checked.collect();
    p.about(&spec.id);
    check_names(spec, p);
    check_conflicts(&rules, p);
    check_address_counts(&rules, spec, p);
    let mut rules: Vec<Rule> = rules.into_iter().map(|(rule, _)| rule).collect();
    if let Some(reason) = &spec.rules_unknown {
        rules.push(unknown_rule(reason));
    }
    let mode = own.mode(p);
    let (flush_connection, open_parts) = flush_connection(spec);
    Nsg {
        id: spec.id.clone(),
        name: shown(&spec.name),
        flush_connection,
        inbound: ordered(&rules, Direction::Inbound),
        outbound: ordered(&rules, Direction::Outbound),
        mode: mode.known().unwrap_or_default(),
        open_parts,
        complete: spec.rules_unknown.is_none(),
        certain: spec.certain && mode.known().is_some(),
    }
}

/// Whether live flows are judged again when the rules change, and what of it only a deployment can tell. Azure's clients
/// leave the property out, or null, where nobody set it.
fn flush_connection(spec: &NsgSpec) -> (bool, Vec<String>) {
    match spec.flush_connection.as_ref().map(|flag| &flag.value) {
        None => (true, Vec::new()),
        Some(Given::Known(flush)) => (*flush, Vec::new()),
        Some(Given::Unknown(reason)) => (true, vec![format!("flushConnection of {}: {reason}", spec.id)]),
    }
}

/// A rule that stands for rules which the input does not tell.
pub(crate) fn unknown_rule(reason: &str) -> Rule {
    let side = || Side { addresses: AddressField::Unknown(reason.to_owned()), ports: Ports::Unknown };
    Rule {
        name: format!("<{reason}>"),
        description: String::new(),
        priority: Maybe::Unknown,
        direction: Maybe::Unknown,
        access: Maybe::Unknown,
        protocol: Maybe::Unknown,
        source: side(),
        destination: side(),
        window: Window::ALWAYS,
        mode: Mode::Enforce,
        certain: false,
    }
}

fn ordered(rules: &[Rule], direction: Direction) -> Vec<Rule> {
    let mut rules: Vec<Rule> = rules.iter().filter(|rule| rule.concerns(direction)).cloned().collect();
    rules.sort_by_key(|rule| rule.priority.known());
    rules.extend(defaults::default_rules(direction));
    rules
}

fn user_rule(
    nsg: &ResourceId,
    spec: &RuleSpec,
    own: &RuleTags<'_>,
    tags: &TagCatalog,
    p: &mut Problems,
) -> Rule {
    let name = spec.name.as_ref().map(shown).unwrap_or_default();
    let at = RuleAt { id: nsg.child("securityRules", &name).to_string(), place: &spec.place };
    match &spec.name {
        Some(Text { value: Given::Known(name), place }) => check_name(name, place, p),
        Some(_) => {}
        None => missing(&at, "Name", p),
    }
    let choices = "Tcp, Udp, Icmp, Esp, Ah, * or 0 to 255";
    // `Any` is the security admin rules' word; NSG rules write `*`.
    let protocol =
        enumerated(&at, "Protocol", spec.protocol.as_ref(), choices, p, |text| protocol(text, "any"));
    let Schedule { window, mode, certain } = schedule(&at, spec, own, p);
    let rule = Rule {
        description: description(&at, spec.description.as_ref(), p),
        priority: priority(&at, spec.priority.as_ref(), limits::PRIORITY_MIN, Priority::of_user, p),
        direction: enumerated(&at, "Direction", spec.direction.as_ref(), "Inbound or Outbound", p, |t| {
            t.parse().ok()
        }),
        access: enumerated(&at, "Access", spec.access.as_ref(), "Allow or Deny", p, |text| {
            access(text).filter(|access| *access != Access::AlwaysAllow)
        }),
        protocol,
        source: side::side(&at, side::Which::Source, &spec.source, tags, p),
        destination: side::side(&at, side::Which::Destination, &spec.destination, tags, p),
        window,
        mode,
        certain: spec.certain && certain,
        name,
    };
    side::check_families(&at, &rule, p);
    warn_of_ports(&at, &rule, p);
    rule
}

pub(super) fn admin_collection(
    spec: &AdminCollectionSpec,
    tags: &TagCatalog,
    p: &mut Problems,
) -> AdminCollection {
    let checked = spec.rules.iter().enumerate().map(|(number, rule)| {
        p.about_rule(&spec.id, number);
        admin_rule(&spec.id, rule, tags, p)
    });
    let mut rules: Vec<Rule> = checked.collect();
    rules.sort_by_key(|rule| rule.priority.known());
    let virtual_networks = match &spec.virtual_networks.value {
        Given::Unknown(reason) => Given::Unknown(reason.clone()),
        Given::Known(networks) => networks
            .iter()
            .map(|network| match &network.value {
                Given::Known(id) => Ok(id.clone()),
                Given::Unknown(reason) => Err(reason.clone()),
            })
            .collect::<Result<_, _>>()
            .map_or_else(Given::Unknown, Given::Known),
    };
    let interface = spec.interface.as_ref().map(|nic| nic.value.clone());
    AdminCollection { id: spec.id.clone(), virtual_networks, interface, own_list: spec.own_list, rules }
}

fn admin_rule(collection: &ResourceId, spec: &AdminRuleSpec, tags: &TagCatalog, p: &mut Problems) -> Rule {
    let name = shown(&spec.name);
    let at = RuleAt { id: collection.child("rules", &name).to_string(), place: &spec.place };
    let choices = "Tcp, Udp, Icmp, Esp, Ah, Any or 0 to 255";
    let (window, certain) = window_until(&at, spec.expires_at.as_ref(), p);
    let rule = Rule {
        description: String::new(),
        priority: priority(&at, spec.priority.as_ref(), limits::ADMIN_PRIORITY_MIN, Priority::of_admin, p),
        direction: enumerated(&at, "Direction", spec.direction.as_ref(), "Inbound or Outbound", p, |t| {
            t.parse().ok()
        }),
        access: enumerated(&at, "Access", spec.access.as_ref(), "Allow, Deny or AlwaysAllow", p, access),
        protocol: enumerated(&at, "Protocol", spec.protocol.as_ref(), choices, p, |text| protocol(text, "*")),
        source: side::admin_side(&at, &spec.sources, &spec.source_port_ranges, tags, p),
        destination: side::admin_side(&at, &spec.destinations, &spec.destination_port_ranges, tags, p),
        window,
        mode: Mode::Enforce,
        certain,
        name,
    };
    warn_of_ports(&at, &rule, p);
    rule
}

fn description(at: &RuleAt<'_>, text: Option<&Text>, p: &mut Problems) -> String {
    let Some(Text { value: Given::Known(description), place }) = text else { return String::new() };
    let (length, max) = (description.chars().count(), limits::DESCRIPTION_LENGTH_MAX);
    if length > max {
        let message =
            format!("description of security rule {} has {length} characters; the limit is {max}", at.id);
        p.error(Code::PalDescriptionTooLong, place, message);
    }
    description.clone()
}

/// A protocol but for `refused`: the word for any protocol that the other kind of rules has. ICMP has one name in both
/// families.
fn protocol(text: &str, refused: &str) -> Option<ProtocolMatch> {
    let is_rules_word = ![refused, "icmpv6"].iter().any(|word| text.eq_ignore_ascii_case(word));
    is_rules_word.then(|| text.parse().ok()).flatten()
}

fn access(text: &str) -> Option<Access> {
    [Access::Allow, Access::Deny, Access::AlwaysAllow]
        .into_iter()
        .find(|a| a.to_string().eq_ignore_ascii_case(text))
}

fn enumerated<T>(
    at: &RuleAt<'_>,
    field: &str,
    text: Option<&Text>,
    choices: &str,
    p: &mut Problems,
    parse: impl Fn(&str) -> Option<T>,
) -> Maybe<T> {
    match text.map(|text| (&text.value, &text.place)) {
        None => missing(at, field, p),
        Some((Given::Unknown(_), _)) => {}
        Some((Given::Known(value), place)) => match parse(value) {
            Some(parsed) => return Maybe::Known(parsed),
            None => {
                let message =
                    format!("{field} \"{value}\" of security rule {} is not one of {choices}", at.id);
                p.error(Code::PalInvalidValue, place, message);
            }
        },
    }
    Maybe::Unknown
}

fn priority(
    at: &RuleAt<'_>,
    text: Option<&Text>,
    min: u16,
    check: impl Fn(i64) -> Option<Priority>,
    p: &mut Problems,
) -> Maybe<Priority> {
    match text.map(|text| (&text.value, &text.place)) {
        None => missing(at, "Priority", p),
        Some((Given::Unknown(_), _)) => {}
        Some((Given::Known(value), place)) => match value.trim().parse().ok().and_then(check) {
            Some(priority) => return Maybe::Known(priority),
            None => {
                let max = limits::PRIORITY_MAX;
                let message = format!(
                    "Security rule {} has invalid Priority. Value provided: {value}. Allowed range {min}-{max}.",
                    at.id
                );
                p.error(Code::SecurityRuleInvalidPriority, place, message);
            }
        },
    }
    Maybe::Unknown
}

pub(super) fn missing(at: &RuleAt<'_>, fields: &str, p: &mut Problems) {
    let message = format!(
        "Required security rule parameters are missing for security rule with Id: {}. Security rule must specify {fields}.",
        at.id
    );
    p.error(Code::SecurityRuleParametersMissing, at.place, message);
}

fn check_name(name: &str, place: &Place, p: &mut Problems) {
    if !is_valid_name(name) {
        let message = format!(
            "Resource name {name} is invalid. The name can be up to 80 characters long. It must begin with a word \
             character, and it must end with a word character or with '_'. The name may contain word characters or \
             '.', '-', '_'."
        );
        p.error(Code::InvalidResourceName, place, message);
    }
}

/// Rules that may not exist, or whose name is not known, are given the benefit of the doubt.
fn check_names(spec: &NsgSpec, p: &mut Problems) {
    let mut seen = HashSet::new();
    for rule in spec.rules.iter().filter(|rule| rule.certain) {
        if let Some(name) = rule.name.as_ref().and_then(|name| name.value.known())
            && !seen.insert(name.to_ascii_lowercase())
        {
            let message =
                format!("Resource {} has two child resources with the same name ({name}).", spec.id);
            p.error(Code::DuplicateResourceName, &rule.place, message);
        }
    }
}

/// Two rules of one direction must not have one priority; a rule that may not exist is given the benefit of the doubt.
fn check_conflicts(rules: &[(Rule, &Place)], p: &mut Problems) {
    let mut taken: HashMap<(Direction, Priority), &str> = HashMap::new();
    for (rule, place) in rules {
        let (Some(direction), Some(priority), true) =
            (rule.direction.known(), rule.priority.known(), rule.certain)
        else {
            continue;
        };
        match taken.get(&(direction, priority)) {
            Some(other) => {
                let message = format!(
                    "Security rule {other} conflicts with rule {}. Rules cannot have the same Priority and Direction. \
                     To learn more, see aka.ms/nsgrules.",
                    rule.name
                );
                p.error(Code::SecurityRuleConflict, place, message);
            }
            None => {
                taken.insert((direction, priority), &rule.name);
            }
        }
    }
}

fn check_address_counts(rules: &[(Rule, &Place)], spec: &NsgSpec, p: &mut Problems) {
    let max = limits::ADDRESSES_PER_NSG_SIDE_MAX;
    for (which, side) in
        [("source", side_of_source as fn(&Rule) -> &Side), ("destination", side_of_destination)]
    {
        let count: usize = rules
            .iter()
            .map(|(rule, _)| match &side(rule).addresses {
                AddressField::Prefixes(prefixes) => prefixes.len(),
                _ => 0,
            })
            .sum();
        if count > max {
            let message = format!("{} has {count} {which} addresses and ranges; the limit is {max}", spec.id);
            p.error(Code::PalAddressLimitReached, &spec.place, message);
        }
    }
}

const fn side_of_source(rule: &Rule) -> &Side {
    &rule.source
}

const fn side_of_destination(rule: &Rule) -> &Side {
    &rule.destination
}

/// Ports of a protocol without ports match less than a reader may think (`docs/semantics.md`, Decisions).
fn warn_of_ports(at: &RuleAt<'_>, rule: &Rule, p: &mut Problems) {
    let restricted = |ports: &Ports| matches!(ports, Ports::Known(set) if !set.is_full());
    let (source, destination) = (restricted(&rule.source.ports), restricted(&rule.destination.ports));
    let meaning = match rule.protocol.known() {
        Some(ProtocolMatch::Icmp | ProtocolMatch::Number(Protocol::ICMP | Protocol::ICMPV6)) if source => {
            "source ports, which ICMP does not have: it matches nothing"
        }
        Some(ProtocolMatch::Icmp | ProtocolMatch::Number(Protocol::ICMP | Protocol::ICMPV6))
            if destination =>
        {
            "destination ports: they are matched against the ICMP type"
        }
        Some(ProtocolMatch::Number(protocol)) if !protocol.has_ports() && (source || destination) => {
            "ports, which its protocol does not have: it matches nothing"
        }
        _ => return,
    };
    let message = format!("security rule {} restricts {meaning} (write *)", at.id);
    p.warning(Code::PalPortsWithoutProtocol, at.place, message);
}

//! One side of a rule: addresses and ports.

use palisade_net::{Family, PortError, PortRange, PortSet, Prefix};

use super::{
    rule::{RuleAt, missing},
    unresolved_tag,
};
use crate::{
    AddressField, Code, Place, Ports, ResourceId, Rule, Side, TagAddresses, TagCatalog, TagName, limits,
    problem::Problems,
    spec::{Given, Reference, SideSpec, Text},
};

/// Which side of a rule a field belongs to; the word begins Azure's field names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Source,
    Destination,
}

impl Which {
    const fn word(self) -> &'static str {
        match self {
            Self::Source => "Source",
            Self::Destination => "Destination",
        }
    }
}

pub(super) fn side(
    at: &RuleAt<'_>,
    which: Which,
    spec: &SideSpec,
    tags: &TagCatalog,
    p: &mut Problems,
) -> Side {
    Side { addresses: addresses(at, which, spec, tags, p), ports: ports(at, which, spec, p) }
}

/// A side of a security admin rule, whose lists may mix prefixes and tags; an empty list means any.
pub(super) fn admin_side(
    at: &RuleAt<'_>,
    addresses: &[Text],
    ports: &[Text],
    tags: &TagCatalog,
    p: &mut Problems,
) -> Side {
    let any =
        addresses.is_empty() || addresses.iter().any(|text| text.value.known().is_some_and(|v| v == "*"));
    let addresses = if any { AddressField::Any } else { mixed(at, addresses, tags, p) };
    let ports = if ports.is_empty() { Ports::Known(PortSet::full()) } else { port_list(at, ports, p) };
    Side { addresses, ports }
}

/// Literal prefixes of both sides of a rule must be of one family.
pub(super) fn check_families(at: &RuleAt<'_>, rule: &Rule, p: &mut Problems) {
    let families = |field: &AddressField| match field {
        AddressField::Prefixes(prefixes) => prefixes.iter().map(|prefix| prefix.family()).collect(),
        _ => Vec::new(),
    };
    let all = [families(&rule.source.addresses), families(&rule.destination.addresses)].concat();
    if all.contains(&Family::V4) && all.contains(&Family::V6) {
        let message = format!(
            "Resource {} contains IP addresses or prefixes that belong to different address families. All IP addresses \
             or prefixes in the resource should belong to the same address family.",
            at.id
        );
        p.error(Code::ResourceCannotContainAddressPrefixesFromDifferentAddressFamilies, at.place, message);
    }
}

/// A value that is not known may be empty, so it stands beside a known one without harm: if both had a value, Azure would
/// refuse the rule. Ports are read the same way.
fn addresses(
    at: &RuleAt<'_>,
    which: Which,
    spec: &SideSpec,
    tags: &TagCatalog,
    p: &mut Problems,
) -> AddressField {
    let single = spec.address_prefix.as_ref().filter(|text| !is_blank(text));
    let list = spec.address_prefixes.as_ref().filter(|list| list.value.known().is_none_or(|l| !l.is_empty()));
    let groups = spec.groups.as_ref().filter(|list| list.value.known().is_none_or(|l| !l.is_empty()));
    let known = (
        single.and_then(|text| Some((text.value.known()?, &text.place))),
        list.and_then(|list| list.value.known()),
        groups.and_then(|groups| Some((groups.value.known()?, &groups.place))),
    );
    let word = which.word();
    match known {
        (Some((value, place)), None, None) => single_address(at, value, place, tags, p),
        (None, Some(list), None) => address_list(at, which, list, p),
        (None, None, Some((groups, place))) => group_list(at, groups, place, p),
        (None, None, None) => {
            let reason = single
                .and_then(|text| reason(&text.value))
                .or_else(|| list.and_then(|list| reason(&list.value)))
                .or_else(|| groups.and_then(|groups| reason(&groups.value)));
            if let Some(reason) = reason {
                return AddressField::Unknown(reason);
            }
            let fields = "{}AddressPrefixes, {}AddressPrefix, or {}ApplicationSecurityGroups";
            missing(at, &fields.replace("{}", word), p);
            AddressField::Any
        }
        _ => {
            let fields = "{}AddressPrefixes, {}AddressPrefix, {}ApplicationSecurityGroups";
            more_than_one(at, &fields.replace("{}", word), p);
            AddressField::Any
        }
    }
}

/// Why a value is not known.
fn reason<T>(value: &Given<T>) -> Option<String> {
    match value {
        Given::Known(_) => None,
        Given::Unknown(reason) => Some(reason.clone()),
    }
}

fn more_than_one(at: &RuleAt<'_>, fields: &str, p: &mut Problems) {
    let message = format!(
        "Security rule with Id {} must specify a non empty value for exactly one of: {fields}.",
        at.id
    );
    p.error(Code::PalExactlyOneValue, at.place, message);
}

fn is_blank(text: &Text) -> bool {
    text.value.known().is_some_and(|value| value.trim().is_empty())
}

fn single_address(
    at: &RuleAt<'_>,
    value: &str,
    place: &Place,
    tags: &TagCatalog,
    p: &mut Problems,
) -> AddressField {
    if value == "*" {
        return AddressField::Any;
    }
    match literal_or_tag(at, value, place, tags, p) {
        Some(Literal::Prefix(prefix)) => AddressField::Prefixes(vec![prefix]),
        Some(Literal::Tag(name)) => AddressField::Tag(name),
        None => AddressField::Any,
    }
}

enum Literal {
    Prefix(Prefix),
    Tag(TagName),
}

/// Reads a prefix or a tag; reports and answers `None` for anything else.
fn literal_or_tag(
    at: &RuleAt<'_>,
    value: &str,
    place: &Place,
    tags: &TagCatalog,
    p: &mut Problems,
) -> Option<Literal> {
    let looks_like_address =
        value.contains(['/', ':']) || value.bytes().next().is_some_and(|b| b.is_ascii_digit());
    let reason = if looks_like_address {
        match value.parse() {
            Ok(prefix) => return Some(Literal::Prefix(prefix)),
            Err(error) => palisade_net::PrefixError::to_string(&error),
        }
    } else {
        match value.parse::<TagName>() {
            Ok(name) => match tags.addresses(&name) {
                TagAddresses::NoSuchTag => format!("the tag file has no tag {name}"),
                found => {
                    if found == TagAddresses::Unresolved {
                        unresolved_tag(value, &at.id, place, p);
                    }
                    return Some(Literal::Tag(name));
                }
            },
            Err(error) => error.to_string(),
        }
    };
    invalid_prefix(at, value, &reason, place, p);
    None
}

fn invalid_prefix(at: &RuleAt<'_>, value: &str, reason: &str, place: &Place, p: &mut Problems) {
    let message =
        format!("Security rule {} has invalid Address prefix. Value provided: {value} ({reason})", at.id);
    p.error(Code::SecurityRuleInvalidAddressPrefix, place, message);
}

fn address_list(at: &RuleAt<'_>, which: Which, list: &[Text], p: &mut Problems) -> AddressField {
    let mut prefixes: Vec<(Prefix, &Place)> = Vec::with_capacity(list.len());
    let mut unknown = None;
    for text in list {
        match &text.value {
            Given::Unknown(reason) => unknown = Some(reason.clone()),
            Given::Known(value) => match value.parse::<Prefix>() {
                Ok(prefix) => prefixes.push((prefix, &text.place)),
                Err(_) if value == "*" || value.parse::<TagName>().is_ok() => {
                    let message = format!(
                        "Security rule parameter {}AddressPrefix for rule with Id {} cannot specify existing \
                         VIRTUALNETWORK, INTERNET, AZURELOADBALANCER, '*' or system tags. Unsupported value used: {value}.",
                        which.word(),
                        at.id
                    );
                    p.error(Code::SecurityRuleParameterContainsUnsupportedValue, &text.place, message);
                }
                Err(error) => invalid_prefix(at, value, &error.to_string(), &text.place, p),
            },
        }
    }
    check_overlaps(at, &mut prefixes, p);
    unknown.map_or_else(
        || AddressField::Prefixes(prefixes.into_iter().map(|(prefix, _)| prefix).collect()),
        AddressField::Unknown,
    )
}

/// After sorting, a prefix can only overlap the widest one before it.
fn check_overlaps(at: &RuleAt<'_>, prefixes: &mut [(Prefix, &Place)], p: &mut Problems) {
    prefixes.sort_by_key(|(prefix, _)| *prefix);
    let mut widest: Option<Prefix> = None;
    for (prefix, place) in prefixes {
        match widest {
            Some(other) if other.overlaps(*prefix) => {
                let message =
                    format!("Security rule {} has overlapping address prefixes {other} and {prefix}", at.id);
                p.error(Code::OverlappingSubnetsNotPermittedInSecurityRule, place, message);
            }
            _ => widest = Some(*prefix),
        }
    }
}

fn group_list(at: &RuleAt<'_>, groups: &[Reference], place: &Place, p: &mut Problems) -> AddressField {
    let max = limits::ASGS_PER_RULE_SIDE_MAX;
    if groups.len() > max {
        let message =
            format!("security rule {} names {} groups on one side; the limit is {max}", at.id, groups.len());
        p.error(Code::PalApplicationSecurityGroupLimitReached, place, message);
    }
    let ids: Result<Vec<ResourceId>, String> = groups
        .iter()
        .map(|group| match &group.value {
            Given::Known(id) => Ok(id.clone()),
            Given::Unknown(reason) => Err(reason.clone()),
        })
        .collect();
    ids.map_or_else(AddressField::Unknown, AddressField::Groups)
}

fn mixed(at: &RuleAt<'_>, list: &[Text], tags: &TagCatalog, p: &mut Problems) -> AddressField {
    let (mut prefixes, mut names) = (Vec::new(), Vec::new());
    for text in list {
        match &text.value {
            Given::Unknown(reason) => return AddressField::Unknown(reason.clone()),
            Given::Known(value) => match literal_or_tag(at, value, &text.place, tags, p) {
                Some(Literal::Prefix(prefix)) => prefixes.push(prefix),
                Some(Literal::Tag(name)) => names.push(name),
                None => {}
            },
        }
    }
    AddressField::Mixed(prefixes, names)
}

fn ports(at: &RuleAt<'_>, which: Which, spec: &SideSpec, p: &mut Problems) -> Ports {
    let single = spec.port_range.as_ref().filter(|text| !is_blank(text));
    let list = spec.port_ranges.as_ref().filter(|list| list.value.known().is_none_or(|l| !l.is_empty()));
    let word = which.word();
    let known =
        (single.filter(|text| text.value.known().is_some()), list.and_then(|list| list.value.known()));
    match known {
        (Some(text), None) => port_list(at, std::slice::from_ref(text), p),
        (None, Some(list)) => port_list(at, list, p),
        (None, None) if single.is_some() || list.is_some() => Ports::Unknown,
        (None, None) => {
            missing(at, &format!("{word}PortRange or {word}PortRanges"), p);
            Ports::Unknown
        }
        (Some(_), Some(_)) => {
            more_than_one(at, &format!("{word}PortRange, {word}PortRanges"), p);
            Ports::Unknown
        }
    }
}

fn port_list(at: &RuleAt<'_>, list: &[Text], p: &mut Problems) -> Ports {
    let mut ranges = Vec::with_capacity(list.len());
    let mut known = true;
    for text in list {
        match &text.value {
            Given::Unknown(_) => known = false,
            Given::Known(value) => match value.parse::<PortRange>() {
                Ok(range) => ranges.push(range),
                Err(error) => invalid_port(at, value, &error, &text.place, p),
            },
        }
    }
    if known { Ports::Known(ranges.into_iter().collect()) } else { Ports::Unknown }
}

fn invalid_port(at: &RuleAt<'_>, value: &str, error: &PortError, place: &Place, p: &mut Problems) {
    let message = format!(
        "Security rule has invalid Port range. Value provided: {value}. Value should be an integer OR integer range \
         with '-' delimiter. Valid range 0-65535. ({}: {error})",
        at.id
    );
    p.error(Code::SecurityRuleInvalidPortRange, place, message);
}

//! Network security groups and their rules, both inside the group and as resources of their own.

use palisade_model::ResourceId;
use palisade_model::spec::{At, Given, NsgSpec, RuleSpec, SideSpec, Text};

use super::{Resource, element_id};
use crate::estate::fields::Reader;
use crate::estate::index::List;
use crate::estate::item::{Item, Look};

/// Why the rules of a group that the input does not hold are not all known.
const ABSENT_GROUP: &str = "the input has rules of this group but not the group itself";

pub(super) fn group(reader: &mut Reader, resource: &Resource<'_>) {
    let (rules, rules_unknown) = inline_rules(reader, resource);
    let id = |(index, rule): (usize, &RuleSpec)| {
        element_id(&resource.id, "securityRules", rule.name.as_ref(), index)
    };
    let ids = rules.iter().enumerate().map(id).collect();
    let spec = NsgSpec {
        id: resource.id.clone(),
        name: resource.name(reader),
        location: reader.text(resource.item, "location"),
        flush_connection: reader.given_flag(resource.item, "flushConnection"),
        rules,
        rules_unknown,
        tags: reader.tags(resource.item),
        certain: resource.uncertain.is_none(),
        place: resource.place(),
    };
    let group = reader.index.keep(List::Nsgs, &mut reader.spec.nsgs, &resource.id, spec);
    reader.index.children(List::Rules, group, ids);
}

/// The rules of the `securityRules` property, and why there may be more.
fn inline_rules(reader: &mut Reader, resource: &Resource<'_>) -> (Vec<RuleSpec>, Option<String>) {
    let Some(list) = resource.item.property("securityRules") else { return (Vec::new(), None) };
    let elements = match list.look() {
        Look::Symbol(_, reason) | Look::Unknown(reason) => return (Vec::new(), Some(reason)),
        _ => match reader.elements(list, "securityRules") {
            Ok(elements) => elements,
            Err(reason) => return (Vec::new(), Some(reason)),
        },
    };
    let mut rules = Vec::with_capacity(elements.len());
    let mut unknown = None;
    for element in elements {
        match whole(reader, element) {
            Ok(()) => {
                let name = reader.name(element);
                rules.push(rule(reader, element, name, true));
            }
            Err(reason) => unknown = Some(reason),
        }
    }
    (rules, unknown)
}

/// Whether a rule is an object with properties of its own, else why nothing can be told of it.
fn whole(reader: &mut Reader, item: Item<'_>) -> Result<(), String> {
    match item.look() {
        Look::Object => {}
        Look::Symbol(_, reason) | Look::Unknown(reason) => return Err(reason),
        _ => return Err(reader.wrong_type(item, "securityRules", "an object")),
    }
    match item.get("properties").map(|properties| (properties, properties.look())) {
        None | Some((_, Look::Object)) => Ok(()),
        Some((_, Look::Symbol(_, reason) | Look::Unknown(reason))) => Err(reason),
        Some((properties, _)) => Err(reader.wrong_type(properties, "properties", "an object")),
    }
}

/// A rule that is a resource of its own.
pub(super) fn child(reader: &mut Reader, resource: &Resource<'_>) {
    let Some(parent) = resource.parent(reader) else { return };
    let group =
        reader.index.find(List::Nsgs, &parent).unwrap_or_else(|| absent_group(reader, resource, parent));
    if let Err(reason) = whole(reader, resource.item) {
        reader.spec.nsgs[group].rules_unknown = Some(reason);
        return;
    }
    let name = resource.name(reader);
    let rule = rule(reader, resource.item, Some(name), resource.uncertain.is_none());
    if resource.repeated {
        reader.spec.nsgs[group].rules_unknown.clone_from(&resource.uncertain);
    }
    let rules = &mut reader.spec.nsgs[group].rules;
    if rule.certain {
        reader.index.put(List::Rules, group, rules, &resource.id, rule);
    } else {
        // A rule that may not exist does not replace one that does: both are possible.
        rules.push(rule);
    }
}

/// A stand-in for a group that the input does not hold.
fn absent_group(reader: &mut Reader, rule: &Resource<'_>, id: ResourceId) -> usize {
    let stub = Resource { id, ..rule.clone() };
    let spec = NsgSpec {
        name: stub.name(reader),
        id: stub.id.clone(),
        location: None,
        flush_connection: None,
        rules: Vec::new(),
        rules_unknown: Some(ABSENT_GROUP.to_owned()),
        tags: None,
        certain: true,
        place: stub.place(),
    };
    reader.index.keep(List::Nsgs, &mut reader.spec.nsgs, &stub.id, spec)
}

/// A rule, wherever it stands.
pub(in crate::estate) fn rule(
    reader: &mut Reader,
    item: Item<'_>,
    name: Option<Text>,
    certain: bool,
) -> RuleSpec {
    RuleSpec {
        name,
        description: reader.text(item, "description"),
        protocol: reader.text(item, "protocol"),
        source: side(reader, item, "source"),
        destination: side(reader, item, "destination"),
        access: reader.text(item, "access"),
        priority: reader.text(item, "priority"),
        direction: reader.text(item, "direction"),
        not_before: reader.text(item, "notBefore"),
        expires_at: reader.text(item, "expiresAt"),
        mode: reader.text(item, "mode"),
        certain,
        place: item.place(),
    }
}

/// One side of a rule. Azure fills the fields that are not used with `[]` or `""`; those are absent, but a field that is
/// empty and alone is kept, so that validation can say what is missing.
fn side(reader: &mut Reader, item: Item<'_>, which: &str) -> SideSpec {
    let mut side = SideSpec {
        address_prefix: reader.text(item, &format!("{which}AddressPrefix")),
        address_prefixes: reader.texts(item, &format!("{which}AddressPrefixes")),
        groups: reader.references(item, &format!("{which}ApplicationSecurityGroups")),
        port_range: reader.text(item, &format!("{which}PortRange")),
        port_ranges: reader.texts(item, &format!("{which}PortRanges")),
    };
    let addresses = [
        is_blank(side.address_prefix.as_ref()),
        is_empty(side.address_prefixes.as_ref()),
        is_empty(side.groups.as_ref()),
    ];
    if addresses.contains(&Some(false)) {
        side.address_prefix.take_if(|_| addresses[0] == Some(true));
        side.address_prefixes.take_if(|_| addresses[1] == Some(true));
        side.groups.take_if(|_| addresses[2] == Some(true));
    }
    let ports = [is_blank(side.port_range.as_ref()), is_empty(side.port_ranges.as_ref())];
    if ports.contains(&Some(false)) {
        side.port_range.take_if(|_| ports[0] == Some(true));
        side.port_ranges.take_if(|_| ports[1] == Some(true));
    }
    side
}

/// Whether a field is there and says nothing; `None` if it is not there.
fn is_blank(text: Option<&Text>) -> Option<bool> {
    text.map(|text| matches!(&text.value, Given::Known(text) if text.is_empty()))
}

fn is_empty<T>(list: Option<&At<Given<Vec<T>>>>) -> Option<bool> {
    list.map(|list| matches!(&list.value, Given::Known(list) if list.is_empty()))
}

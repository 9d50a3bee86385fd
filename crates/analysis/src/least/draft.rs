//! Rules before they have a name and a number, and how they are written in Azure's fields.
//!
//! It must not choose what is let pass. Invariants: two drafts are joined only where the one rule means the two together; a
//! name depends on what the rule is about and not on what tags hold, so that a later run finds it again.

use std::collections::BTreeMap;

use palisade_model::{
    NAME_LENGTH_MAX, ResourceId, TagAddresses, TagCatalog, TagName,
    spec::{At, Reference, RuleSpec, SideSpec, Text, TextList},
};
use palisade_net::{AddressSet, Direction, Family, PortRange, PortSet, Protocol, ProtocolMatch};

use super::{locals::Local, objects::Term};
use crate::words::of_family;

/// A rule that allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Draft {
    pub(crate) direction: Direction,
    pub(crate) protocol: ProtocolMatch,
    /// Ports of the destination, or types.
    pub(crate) ports: PortSet,
    pub(crate) source_ports: PortSet,
    pub(crate) local: Local,
    pub(crate) peer: Term,
    /// The family, if addresses are written out.
    pub(crate) family: Option<Family>,
    /// The tag whose addresses are written out.
    pub(crate) tag: Option<TagName>,
}

impl Draft {
    /// Whether the two differ in ports at most.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        Self { ports: other.ports.clone(), ..self.clone() } == *other
    }
}

/// Joins rules that one rule can say: prefixes with the same ports, and TCP and UDP alike.
pub(crate) fn merge(drafts: Vec<Draft>) -> Vec<Draft> {
    let mut merged: Vec<Draft> = Vec::new();
    for draft in drafts {
        let Term::Prefixes(set) = &draft.peer else {
            merged.push(draft);
            continue;
        };
        let twin = merged.iter_mut().find_map(|other| {
            let is_twin = Draft { peer: other.peer.clone(), ..draft.clone() } == *other;
            match &mut other.peer {
                Term::Prefixes(others) if is_twin => Some(others),
                _ => None,
            }
        });
        match twin {
            Some(others) => *others = others.union(set),
            None => merged.push(draft),
        }
    }
    merge_protocols(merged)
}

/// `*` with ports means TCP and UDP with these ports, and nothing else.
fn merge_protocols(drafts: Vec<Draft>) -> Vec<Draft> {
    let mut merged: Vec<Draft> = Vec::new();
    for draft in drafts {
        let other = match draft.protocol {
            ProtocolMatch::TCP => ProtocolMatch::UDP,
            ProtocolMatch::UDP => ProtocolMatch::TCP,
            _ => ProtocolMatch::Any,
        };
        let twin = Draft { protocol: other, ..draft.clone() };
        let found = merged.iter_mut().find(|known| **known == twin && !known.ports.is_full());
        match found.filter(|_| other != ProtocolMatch::Any) {
            Some(known) => known.protocol = ProtocolMatch::Any,
            None => merged.push(draft),
        }
    }
    merged
}

/// Writes out what tags stand for, the largest last, as long as `room` prefixes are not passed. Answers the tags that stay.
pub(crate) fn expand(
    drafts: Vec<Draft>,
    catalog: &TagCatalog,
    mut room: usize,
) -> (Vec<Draft>, Vec<TagName>) {
    let written: Vec<(Draft, Vec<Draft>)> =
        drafts.into_iter().map(|draft| (draft.clone(), written_out(&draft, catalog))).collect();
    let prefixes = |drafts: &[Draft]| -> usize {
        drafts
            .iter()
            .map(|draft| if let Term::Prefixes(set) = &draft.peer { set.prefixes().len() } else { 0 })
            .sum()
    };
    let mut sizes: Vec<(usize, usize)> =
        written.iter().enumerate().map(|(index, (_, out))| (prefixes(out), index)).collect();
    sizes.sort_unstable();
    let mut fits = vec![false; written.len()];
    for (size, index) in sizes {
        if size <= room {
            room -= size;
            fits[index] = true;
        }
    }
    let (mut expanded, mut kept) = (Vec::new(), Vec::new());
    for ((draft, out), fits) in written.into_iter().zip(fits) {
        match (fits, &draft.peer) {
            (false, Term::Tag(tag)) => {
                kept.push(tag.clone());
                expanded.push(draft);
            }
            _ => expanded.extend(out),
        }
    }
    kept.sort_by_key(|tag| tag.as_str().to_owned());
    kept.dedup();
    (expanded, kept)
}

/// One rule a family; a rule that names no tag is as it was.
fn written_out(draft: &Draft, catalog: &TagCatalog) -> Vec<Draft> {
    let Term::Tag(tag) = &draft.peer else { return vec![draft.clone()] };
    let TagAddresses::Known(set) = catalog.addresses(tag) else { return vec![draft.clone()] };
    let families = Family::ALL.into_iter().filter(|family| draft.family.is_none_or(|own| own == *family));
    let halves = families.map(|family| (family, of_family(&set, family)));
    let rules = halves.filter(|(_, half)| !half.is_empty()).map(|(family, half)| Draft {
        peer: Term::Prefixes(half),
        family: Some(family),
        tag: Some(tag.clone()),
        ..draft.clone()
    });
    rules.collect()
}

/// The rules with names that begin with `prefix`, in the order of their names. They allow; numbers they have none yet.
pub(crate) fn write(drafts: &[Draft], prefix: &str, description: &str) -> Vec<RuleSpec> {
    let mut rules: BTreeMap<String, RuleSpec> = BTreeMap::new();
    for draft in drafts {
        let name = name(draft, prefix);
        let name = (1..).map(|n| if n == 1 { name.clone() } else { format!("{name}-{n}") });
        let free = name.into_iter().find(|name| !rules.contains_key(name)).expect("numbers do not end");
        rules.insert(free.clone(), rule(draft, &free, description));
    }
    rules.into_values().collect()
}

fn rule(draft: &Draft, name: &str, description: &str) -> RuleSpec {
    let local = side(&Term::from(&draft.local), is_any(&draft.local));
    let peer = side(&draft.peer, false);
    let (mut source, mut destination) = match draft.direction {
        Direction::Inbound => (peer, local),
        Direction::Outbound => (local, peer),
    };
    write_ports(&mut source, &draft.source_ports);
    write_ports(&mut destination, &draft.ports);
    let text = |text: String| Some(Text::known(text));
    RuleSpec {
        description: text(description.to_owned()),
        protocol: text(draft.protocol.to_string()),
        source,
        destination,
        access: text("Allow".to_owned()),
        direction: text(draft.direction.to_string()),
        ..RuleSpec::new(name)
    }
}

fn is_any(local: &Local) -> bool {
    *local == Local::Any
}

impl From<&Local> for Term {
    fn from(local: &Local) -> Self {
        match local {
            Local::Any => Self::Prefixes(AddressSet::full()),
            Local::Groups(groups) => Self::Groups(groups.clone()),
            Local::Prefixes(set) => Self::Prefixes(set.clone()),
        }
    }
}

/// One value stands in Azure's singular field, several in the plural one.
fn side(term: &Term, any: bool) -> SideSpec {
    let mut side = SideSpec::default();
    match term {
        _ if any => side.address_prefix = Some(Text::known("*")),
        Term::Tag(tag) => side.address_prefix = Some(Text::known(tag.as_str())),
        Term::Groups(groups) => {
            let references: Vec<Reference> = groups.iter().map(|group| At::known(group.clone())).collect();
            side.groups = Some(At::known(references));
        }
        Term::Prefixes(set) => {
            let texts: Vec<String> = set.prefixes().iter().map(ToString::to_string).collect();
            (side.address_prefix, side.address_prefixes) = one_or_several(texts);
        }
    }
    side
}

fn write_ports(side: &mut SideSpec, ports: &PortSet) {
    (side.port_range, side.port_ranges) = one_or_several(port_texts(ports));
}

fn one_or_several(mut texts: Vec<String>) -> (Option<Text>, Option<TextList>) {
    match texts.len() {
        1 => (texts.pop().map(Text::known), None),
        _ => (None, Some(At::known(texts.into_iter().map(Text::known).collect::<Vec<_>>()))),
    }
}

fn port_texts(ports: &PortSet) -> Vec<String> {
    let ranges = ports.ranges().iter();
    ranges
        .filter_map(|&(first, last)| PortRange::new(first, last).ok())
        .map(|range| range.to_string())
        .collect()
}

/// What a rule is about, as a name that Azure takes.
fn name(draft: &Draft, prefix: &str) -> String {
    let peer = match (&draft.tag, &draft.peer) {
        (Some(tag), _) | (None, Term::Tag(tag)) => tag.to_string(),
        (None, Term::Groups(groups)) => joined(groups),
        (None, Term::Prefixes(_)) => format!("addresses-{}", port_label(&draft.ports)),
    };
    let mut parts = vec![prefix.to_owned(), peer, protocol_label(draft.protocol)];
    if !draft.source_ports.is_full() {
        parts.push(format!("from-{}", port_label(&draft.source_ports)));
    }
    match &draft.local {
        Local::Any => {}
        Local::Groups(groups) => parts.push(format!("for-{}", joined(groups))),
        Local::Prefixes(set) => parts.push(format!("for-{:08x}", digest(&format!("{:?}", set.prefixes())))),
    }
    match draft.family {
        Some(Family::V4) => parts.push("v4".to_owned()),
        Some(Family::V6) => parts.push("v6".to_owned()),
        None => {}
    }
    shortened(&parts.join("-"))
}

/// Characters that a number after the name may need.
const ROOM_FOR_NUMBER: usize = 4;

/// The name, or its beginning and a number that stands for all of it.
fn shortened(name: &str) -> String {
    let max = NAME_LENGTH_MAX - ROOM_FOR_NUMBER;
    if name.len() <= max && name.is_ascii() {
        return name.to_owned();
    }
    let plain: String = name.chars().filter(char::is_ascii).take(max - 9).collect();
    format!("{plain}-{:08x}", digest(name))
}

fn joined(groups: &[ResourceId]) -> String {
    groups
        .iter()
        .map(ResourceId::name)
        .collect::<Vec<_>>()
        .join("+")
        .replace(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_', ".")
}

fn protocol_label(protocol: ProtocolMatch) -> String {
    match protocol {
        ProtocolMatch::Any => "any".to_owned(),
        ProtocolMatch::Icmp => "icmp".to_owned(),
        ProtocolMatch::Number(Protocol(_)) => protocol.to_string().to_ascii_lowercase(),
    }
}

fn port_label(ports: &PortSet) -> String {
    /// Ranges that a name lists.
    const SHOWN: usize = 3;
    let texts = port_texts(ports);
    match texts.as_slice() {
        [all] if all == "*" => "all".to_owned(),
        few if few.len() <= SHOWN => few.join("_"),
        many => format!("{}_{:08x}", many[..SHOWN].join("_"), digest(&many.join(","))),
    }
}

/// FNV-1a: the same on every machine and in every version.
fn digest(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

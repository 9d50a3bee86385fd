//! Rules and flows, told to people and to programs.

use std::{collections::BTreeMap, io};

use palisade_analysis::{Counts, FlowFate, Left, Opened, Proof, Seen};
use palisade_arm::flow;
use palisade_model::{
    ResourceId,
    spec::{At, Given, RuleSpec, SideSpec, Text, TextList},
};
use serde_json::{Value, json};

use crate::{
    commands::{log::moment, said},
    output,
};

/// Flows that are printed before the rest is only counted.
const FLOWS_SHOWN: usize = 20;
/// Values of a field that are printed before the rest is only counted.
const VALUES_SHOWN: usize = 4;

/// What became of logged flows.
pub struct Flows<'a> {
    pub seen: &'a [Seen],
    pub fates: &'a [(usize, FlowFate)],
    pub left: &'a [(usize, Left)],
}

impl Flows<'_> {
    fn counts(&self) -> BTreeMap<FlowFate, Counts> {
        let mut counts = BTreeMap::<FlowFate, Counts>::new();
        self.fates.iter().for_each(|(index, fate)| counts.entry(*fate).or_default().add(&self.seen[*index]));
        counts
    }

    fn left_counts(&self) -> BTreeMap<Left, Counts> {
        let mut counts = BTreeMap::<Left, Counts>::new();
        self.left.iter().for_each(|(index, left)| counts.entry(*left).or_default().add(&self.seen[*index]));
        counts
    }

    /// Flows that are cut, those that were logged most first.
    fn broken(&self) -> Vec<(&Seen, FlowFate)> {
        let broken = self.fates.iter().filter(|(_, fate)| *fate != FlowFate::Kept);
        let mut broken: Vec<_> = broken.map(|(index, fate)| (&self.seen[*index], *fate)).collect();
        broken.sort_by_key(|(seen, _)| (std::cmp::Reverse(seen.records), seen.flow));
        broken
    }

    /// Whether a wanted flow is cut, or may be.
    pub fn is_something_broken(&self) -> bool {
        self.fates.iter().any(|(_, fate)| *fate != FlowFate::Kept)
            || self.left.iter().any(|(_, left)| *left == Left::Unknown)
    }
}

/// A fate in words.
const fn reason(fate: FlowFate) -> &'static str {
    match fate {
        FlowFate::Kept => "stays allowed",
        FlowFate::Forbidden => "its peer is forbidden",
        FlowFate::NoTag => "no tag may stand for its peer",
        FlowFate::Cut => "no rule can tell it apart",
    }
}

/// Why a flow does not count, in words.
const fn left_reason(left: Left) -> &'static str {
    match left {
        Left::Elsewhere => "not behind these NSGs",
        Left::OtherDirection => "inbound",
        Left::NotByRules => "not decided by rules",
        Left::DeniedThen => "denied when logged, and not wanted",
        Left::DeniedNow => "denied by today's rules",
        Left::Unknown => "the estate does not tell whether today's rules allow them",
    }
}

/// Prints what became of flows.
pub fn print_flows(flows: &Flows<'_>) -> io::Result<()> {
    let counted = |counts: &Counts| {
        format!("{} flows, {} records, {} bytes", counts.flows, counts.records, counts.bytes)
    };
    for (fate, counts) in flows.counts() {
        let word = if fate == FlowFate::Kept { "kept" } else { "breaks" };
        output::line(format!("{word}  {}: {}", reason(fate), counted(&counts)))?;
    }
    for (left, counts) in flows.left_counts() {
        output::line(format!("left out  {}: {}", left_reason(left), counted(&counts)))?;
    }
    let broken = flows.broken();
    for (seen, fate) in broken.iter().take(FLOWS_SHOWN) {
        let (flow, place) = (said::flow(&seen.flow), seen.place.name());
        output::line(format!(
            "breaks  {place}  {flow}  {} records, last {}  ({})",
            seen.records,
            moment(seen.last_ms),
            reason(*fate)
        ))?;
    }
    match broken.len().saturating_sub(FLOWS_SHOWN) {
        0 => Ok(()),
        more => output::line(format!("breaks  and {more} flows more")),
    }
}

/// What became of flows, for programs.
pub fn document(flows: &Flows<'_>) -> Value {
    let counted =
        |counts: &Counts| json!({ "flows": counts.flows, "records": counts.records, "bytes": counts.bytes });
    let kept = flows.counts().get(&FlowFate::Kept).copied().unwrap_or_default();
    let broken = flows.broken().into_iter().map(|(seen, fate)| {
        json!({
            "place": seen.place.to_string(),
            "flow": flow::document(&seen.flow),
            "reason": reason(fate),
            "records": seen.records,
            "bytes": seen.bytes,
            "lastSeen": moment(seen.last_ms),
        })
    });
    let left: BTreeMap<&str, Value> =
        flows.left_counts().iter().map(|(left, counts)| (left_reason(*left), counted(counts))).collect();
    json!({ "kept": counted(&kept), "broken": broken.collect::<Vec<_>>(), "leftOut": left })
}

/// What rules let pass, for programs.
pub fn opened(opened: &[Opened]) -> Vec<Value> {
    let one = |opened: &Opened| {
        json!({
            "nsg": opened.nsg.to_string(),
            "rule": opened.rule,
            "places": opened.places.iter().map(ResourceId::name).collect::<Vec<_>>(),
            "volume": opened.volume.total().to_string(),
            "unused": opened.unused().to_string(),
            "usedFlows": opened.used,
            "usedPeers": opened.used_peers,
            "peers": addresses(opened),
            "witness": flow::document(&opened.example),
        })
    };
    opened.iter().map(one).collect()
}

/// What was proven, as a document.
pub fn proof(proof: &Proof) -> Value {
    json!({
        "opensNothing": proof.holds,
        "closed": proof.closed.total().to_string(),
        "allowedBefore": proof.allowed_before.total().to_string(),
    })
}

/// Prints what rules let pass and nobody used.
pub fn print_opened(opened: &[Opened]) -> io::Result<()> {
    for one in opened {
        let (nsg, rule) = (one.nsg.name(), &one.rule);
        let peers = addresses(one);
        output::line(format!(
            "opens  {nsg}/{rule}: {peers} peers, {} of them used by {} flows; {} first packets that no flow used",
            one.used_peers,
            one.used,
            one.unused()
        ))?;
    }
    Ok(())
}

/// How many peers there are, in both families.
fn addresses(opened: &Opened) -> String {
    let v4: u128 = opened.peers.v4().ranges().iter().map(|(first, last)| u128::from(last - first) + 1).sum();
    let v6 = opened
        .peers
        .v6()
        .ranges()
        .iter()
        .fold(0_u128, |sum, (first, last)| sum.saturating_add((last - first).saturating_add(1)));
    v4.saturating_add(v6).to_string()
}

/// The columns of a rule.
pub fn rule_rows(nsg: &ResourceId, rules: &[RuleSpec]) -> Vec<[String; 7]> {
    let row = |rule: &RuleSpec| {
        [
            nsg.name().to_owned(),
            text(&rule.priority),
            text(&rule.name),
            text(&rule.access),
            text(&rule.protocol),
            format!("{} {}", side(&rule.source), ports(&rule.source)).trim_end_matches(" *").to_owned(),
            format!("{} {}", side(&rule.destination), ports(&rule.destination)),
        ]
    };
    rules.iter().map(row).collect()
}

/// Rules, for programs.
pub fn rules(rules: &[RuleSpec]) -> Vec<Value> {
    let one = |rule: &RuleSpec| {
        json!({
            "name": text(&rule.name),
            "priority": text(&rule.priority).parse::<u16>().ok(),
            "direction": text(&rule.direction),
            "access": text(&rule.access),
            "protocol": text(&rule.protocol),
            "source": side(&rule.source),
            "sourcePorts": ports(&rule.source),
            "destination": side(&rule.destination),
            "destinationPorts": ports(&rule.destination),
        })
    };
    rules.iter().map(one).collect()
}

fn text(text: &Option<Text>) -> String {
    text.as_ref().and_then(|text| text.value.known()).cloned().unwrap_or_default()
}

fn side(side: &SideSpec) -> String {
    match (&side.groups, &side.address_prefixes) {
        (Some(At { value: Given::Known(groups), .. }), _) => {
            let names = groups.iter().filter_map(|group| group.value.known()).map(|id| id.name().to_owned());
            few(&names.collect::<Vec<_>>())
        }
        (_, Some(list)) => few(&texts(list)),
        _ => text(&side.address_prefix),
    }
}

fn ports(side: &SideSpec) -> String {
    side.port_ranges.as_ref().map_or_else(|| text(&side.port_range), |list| texts(list).join(","))
}

fn texts(list: &TextList) -> Vec<String> {
    let known = list.value.known().into_iter().flatten();
    known.filter_map(|text| text.value.known()).cloned().collect()
}

fn few(words: &[String]) -> String {
    match words.len() {
        many if many > VALUES_SHOWN => {
            format!("{} and {} more", words[..VALUES_SHOWN].join(","), many - VALUES_SHOWN)
        }
        _ => words.join(","),
    }
}

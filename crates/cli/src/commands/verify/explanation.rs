//! Why a flow fares as it does, in words and as JSON: `--explain`.
//!
//! What each rule's fields say is in JSON under the names of Network Watcher's diagnostics ([`document`]).

mod document;

use palisade_analysis::explain::{
    Asked, Consulted, Hop, Journey, Place, Remedy, Standing, Step, explain, explain_alone, remedies,
};
use palisade_classify::Verdict;
use palisade_model::{EffectiveLayer, EffectivePolicy, EffectiveRule, Estate, Layer, NextHop, Truth};
use palisade_net::{Direction, Flow, Prefix};

use crate::commands::target::Target;

/// Why, and what would have to change.
#[derive(Debug)]
pub struct Explanation {
    journey: Journey,
    /// Whether the network surely takes the flow elsewhere, or nowhere.
    lost: bool,
    remedies: Vec<Remedy>,
}

impl Explanation {
    /// That of a flow at an interface, or of what an NSG alone says.
    pub fn of(estate: &Estate, target: Target<'_>, policy: &EffectivePolicy, flow: &Flow, now: u32) -> Self {
        let journey = match target {
            Target::Nic(nic) => explain(estate, nic, flow, now),
            Target::Nsg(nsg) => explain_alone(nsg.id(), policy.clone(), flow, now),
        };
        let (lost, remedies) = (journey.is_lost(estate), remedies(&journey, now));
        Self { journey, lost, remedies }
    }

    /// As lines of text.
    pub fn lines(&self) -> Vec<String> {
        if self.journey.link_control {
            return vec!["  no rule governs it: the link needs it".to_owned()];
        }
        let mut lines = Vec::new();
        for (number, hop) in self.journey.hops.iter().enumerate() {
            if number == 1 {
                lines.extend(self.route_line());
            }
            lines.push(format!("  {}: {}", place_words(hop), hop.verdict));
            if hop.lists.is_empty() {
                lines.push("    no rule list stands here".to_owned());
            }
            hop.lists.iter().for_each(|list| list_lines(hop, list, &mut lines));
        }
        if self.journey.hops.len() == 1 {
            lines.extend(self.route_line());
        }
        self.remedy_lines(&mut lines);
        lines
    }

    fn route_line(&self) -> Option<String> {
        let words: Vec<String> = self.journey.next.iter().map(hop_words).collect();
        let lost = if self.lost { ", and so does not arrive: no route" } else { "" };
        (!words.is_empty()).then(|| format!("  network: {}{lost}", words.join(" or ")))
    }

    fn remedy_lines(&self, lines: &mut Vec<String>) {
        for (number, remedy) in self.remedies.iter().enumerate() {
            let first = format!("  to be {}, it would take", said(remedy));
            let begin = if number == 0 { first } else { "  or".to_owned() };
            let steps: Vec<String> =
                remedy.steps.iter().map(|(hop, step)| self.step_words(*hop, step)).collect();
            match &steps[..] {
                [one] => lines.push(format!("{begin} {one}")),
                many => {
                    lines.push(format!("{begin} all of"));
                    lines.extend(many.iter().map(|step| format!("    {step}")));
                }
            }
        }
        let verdict = self.journey.verdict;
        if self.remedies.is_empty() && verdict == Verdict::Unknown {
            lines.push(
                "  what is open above has to be known first (give the missing files or parameters)"
                    .to_owned(),
            );
        }
        if self.lost {
            lines.push("  no rule changes the route: that takes a peering or another route table".to_owned());
        }
    }

    fn step_words(&self, hop: usize, step: &Step) -> String {
        let hop = &self.journey.hops[hop];
        match step {
            Step::Add { layer, priority, access, before } => {
                let layer = layer_of(hop, *layer);
                format!(
                    "a rule in {}: {} {access} at priority {priority}, before {}",
                    layer_words(layer),
                    rule_words(&hop.flow),
                    layer.rules[*before].path,
                )
            }
            Step::Remove { layer, rule } => {
                let layer = layer_of(hop, *layer);
                format!("{} out of {}", layer.rules[*rule].path, layer_words(layer))
            }
            Step::Attach { .. } => {
                format!("an NSG at {} with a rule: {} Allow", place_name(hop), rule_words(&hop.flow))
            }
        }
    }
}

/// A list of a hop.
fn layer_of(hop: &Hop, index: usize) -> &EffectiveLayer {
    &hop.policy.layers(hop.flow.direction())[index]
}

const fn said(remedy: &Remedy) -> &'static str {
    match remedy.becomes {
        palisade_model::Access::Deny => "denied",
        _ => "allowed",
    }
}

fn place_name(hop: &Hop) -> &str {
    match &hop.place {
        Place::Interface(id) | Place::Alone(id) => id.name(),
    }
}

fn place_words(hop: &Hop) -> String {
    match (&hop.place, hop.flow.direction()) {
        (Place::Interface(id), Direction::Outbound) => format!("out of {}", id.name()),
        (Place::Interface(id), Direction::Inbound) => format!("into {}", id.name()),
        (Place::Alone(id), direction) => format!("{} alone, {direction}", id.name()),
    }
}

fn hop_words(hop: &NextHop) -> String {
    match hop {
        NextHop::Network(id) => format!("to virtual network {}", id.name()),
        NextHop::Internet => "to the Internet".to_owned(),
        NextHop::Gateway => "to a gateway".to_owned(),
        NextHop::Appliance => "to an appliance".to_owned(),
        NextHop::Nowhere => "dropped by a route".to_owned(),
        NextHop::Unknown => "not known".to_owned(),
    }
}

fn layer_words(layer: &EffectiveLayer) -> String {
    match (layer.layer, &layer.name) {
        (Layer::PublicAddress, _) => "the public address, which no NSG has opened".to_owned(),
        (place, Some(name)) => format!("{name} ({place})"),
        (place, None) => format!("an unknown list ({place})"),
    }
}

fn list_lines(hop: &Hop, list: &Consulted, lines: &mut Vec<String>) {
    let layer = &hop.policy.layers(hop.flow.direction())[list.layer];
    let standing = match list.standing {
        Standing::Asked => "",
        Standing::InAudit => ", in audit and only counted",
        Standing::Settled => ", which is not asked any more",
        Standing::Perhaps => ", which may not be there",
    };
    let service =
        list.service.map(|service| format!(", only rules that name the platform's {service:?} service"));
    lines.push(format!(
        "    {}: {}{standing}{}",
        layer_words(layer),
        list.verdict,
        service.unwrap_or_default(),
    ));
    for asked in &list.rules {
        let rule = &layer.rules[asked.rule];
        let priority =
            rule.priority.known().map_or_else(|| "?".to_owned(), |priority| priority.get().to_string());
        lines.push(format!("      {priority:>5}  {}  {}", rule.path, match_words(asked, rule)));
    }
}

/// Whether a rule applies, and what speaks against it.
fn match_words(asked: &Asked, rule: &EffectiveRule) -> String {
    let mut reasons: Vec<String> = Vec::new();
    let conditions = [
        (asked.in_window, "outside its window"),
        (!asked.in_audit, "in audit"),
        (asked.certain, "it may not exist"),
    ];
    reasons.extend(conditions.iter().filter(|(holds, _)| !holds).map(|(_, words)| (*words).to_owned()));
    for (wanted, begin) in [(Truth::No, "other"), (Truth::Maybe, "unknown")] {
        let found = fields(asked).into_iter().filter(|(_, _, truth)| *truth == wanted);
        let names: Vec<&str> = found.map(|(_, words, _)| words).collect();
        if !names.is_empty() {
            reasons.push(format!("{begin} {}", names.join(", ")));
        }
    }
    let access = rule.access.known().map_or_else(|| "?".to_owned(), |access| access.to_string());
    match asked.applies() {
        Truth::Yes => format!("matches: {access}"),
        Truth::Maybe => format!("may match ({}): {access}", reasons.join("; ")),
        Truth::No => format!("does not ({})", reasons.join("; ")),
    }
}

/// Fields by the name in JSON and in words.
const fn fields(asked: &Asked) -> [(&'static str, &'static str, Truth); 5] {
    let fields = asked.fields;
    [
        ("protocolMatched", "protocol", fields.protocol),
        ("sourceMatched", "source", fields.source),
        ("sourcePortMatched", "source port", fields.source_port),
        ("destinationMatched", "destination", fields.destination),
        ("destinationPortMatched", "destination port", fields.destination_port),
    ]
}

/// A rule about one flow, as its fields; any source port, as people write rules.
fn rule_words(flow: &Flow) -> String {
    let port = match flow.protocol() {
        protocol if protocol.has_ports() => format!(" port {}", flow.destination_port()),
        protocol if protocol.is_icmp() => format!(" type {}", flow.destination_port()),
        _ => String::new(),
    };
    format!(
        "{} {} from {} to {}{port}",
        flow.direction(),
        flow.protocol(),
        Prefix::host(flow.source()),
        Prefix::host(flow.destination()),
    )
}

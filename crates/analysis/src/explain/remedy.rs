//! What would have to change for a packet to pass, or not to.
//!
//! Of every list that stops it, one step: a rule before the one that denies, at a priority that is free, about this packet only;
//! or where no priority is, rules away. To stop a packet one step is enough. Every proposal is made on copies of the
//! policies, and the oracle has to agree before it is returned.

use palisade_classify::{Verdict, oracle};
use palisade_model::{
    Access, AddressField, Addresses, EffectiveLayer, EffectivePolicy, EffectiveRule, Layer, Maybe, Mode,
    Ports, Priority, Window, limits,
};
use palisade_net::{Direction, Flow, Prefix, ProtocolMatch};

use super::{
    journey::{Hop, Journey, verdict_of},
    list::{Consulted, Standing, alone, rule_of},
};

/// Changes that together turn the answer round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remedy {
    /// What the packet meets afterwards.
    pub becomes: Access,
    /// The changes, in the order of the packet.
    pub steps: Vec<(usize, Step)>,
}

/// One change at a hop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A rule about this packet in a list.
    Add {
        /// The list.
        layer: usize,
        /// Its priority, which no rule has.
        priority: u16,
        /// What it does.
        access: Access,
        /// The rule that it stands before, by index.
        before: usize,
    },
    /// A rule of a list less.
    Remove {
        /// The list.
        layer: usize,
        /// The rule, by index.
        rule: usize,
    },
    /// An NSG that allows the packet, where there is none and a public address waits for one.
    Attach {
        /// The place of the public address in the policy.
        layer: usize,
    },
}

/// The fewest changes of rules that turn a known answer round, then others that are as few; none if the answer is not known, or
/// if no rule governs the packet.
pub fn remedies(journey: &Journey, now: u32) -> Vec<Remedy> {
    if journey.link_control {
        return Vec::new();
    }
    match journey.verdict {
        Verdict::Unknown => Vec::new(),
        Verdict::Deny => to_allow(journey, now),
        Verdict::Allow => to_deny(journey, now),
    }
}

/// A step for each list that denies: rules to add, and rules to remove where that suffices.
fn to_allow(journey: &Journey, now: u32) -> Vec<Remedy> {
    let denying = |removes: bool| -> Option<Vec<(usize, Step)>> {
        let mut steps = Vec::new();
        let closed = journey.hops.iter().enumerate().filter(|(_, hop)| hop.verdict == Verdict::Deny);
        for (number, hop) in closed {
            for list in hop.lists.iter().filter(|list| stops(list)) {
                let needed = open(hop, list, removes, now)?;
                steps.extend(needed.into_iter().map(|step| (number, step)));
            }
        }
        Some(steps)
    };
    let mut found: Vec<Remedy> = Vec::new();
    for steps in [denying(false), denying(true)].into_iter().flatten() {
        let remedy = Remedy { becomes: Access::Allow, steps };
        if holds(journey, &remedy, now) {
            let remedy = reduced(journey, remedy, now);
            found.extend((!found.contains(&remedy)).then_some(remedy));
        }
    }
    found
}

/// A remedy without the steps that it does not need: with one rule gone another may speak for the packet.
fn reduced(journey: &Journey, mut remedy: Remedy, now: u32) -> Remedy {
    let mut at = 0;
    while at < remedy.steps.len() {
        let mut fewer = remedy.clone();
        fewer.steps.remove(at);
        if holds(journey, &fewer, now) {
            remedy = fewer;
        } else {
            at += 1;
        }
    }
    remedy
}

/// One step is enough: at each hop a rule before the one that lets the packet pass last, or that rule away.
fn to_deny(journey: &Journey, now: u32) -> Vec<Remedy> {
    let mut found = Vec::new();
    for (number, hop) in journey.hops.iter().enumerate() {
        let says = |list: &&Consulted| {
            list.verdict == Verdict::Allow
                && list.rule.is_some()
                && matches!(list.standing, Standing::Asked | Standing::Settled)
        };
        for list in hop.lists.iter().filter(says) {
            let rule = list.rule.expect("it was looked for");
            let layer = &hop.policy.layers(hop.flow.direction())[list.layer];
            let add = free_priority(layer, rule).map(|priority| Step::Add {
                layer: list.layer,
                priority,
                access: Access::Deny,
                before: rule,
            });
            let remove =
                (!layer.rules[rule].is_default()).then_some(Step::Remove { layer: list.layer, rule });
            for step in [remove, add].into_iter().flatten() {
                let remedy = Remedy { becomes: Access::Deny, steps: vec![(number, step)] };
                if holds(journey, &remedy, now) {
                    found.push(remedy);
                }
            }
        }
    }
    found
}

/// Whether a list stops the packet, or would if it were asked.
fn stops(list: &Consulted) -> bool {
    list.verdict == Verdict::Deny && list.standing != Standing::InAudit
}

/// The steps that make a list let the packet pass: one, unless no number is free and several rules deny.
fn open(hop: &Hop, list: &Consulted, removes: bool, now: u32) -> Option<Vec<Step>> {
    let at = list.layer;
    let mut layer = hop.policy.layers(hop.flow.direction())[at].clone();
    if layer.layer == Layer::PublicAddress {
        return Some(vec![Step::Attach { layer: at }]);
    }
    let mut numbers: Vec<usize> = (0..layer.rules.len()).collect();
    let mut steps = Vec::new();
    loop {
        let said = alone(&hop.policy, &layer, &hop.flow, now);
        match said.verdict {
            Verdict::Allow => return Some(steps),
            Verdict::Deny => {}
            Verdict::Unknown => return None,
        }
        let rule = rule_of(&said)?;
        let is_default = layer.rules[rule].is_default();
        let free = free_priority(&layer, rule).filter(|_| is_default || !removes);
        if let Some(priority) = free {
            let before = numbers[rule];
            steps.push(Step::Add { layer: at, priority, access: Access::Allow, before });
            return Some(steps);
        }
        if is_default {
            return None;
        }
        steps.push(Step::Remove { layer: at, rule: numbers.remove(rule) });
        layer.rules.remove(rule);
    }
}

/// The highest number below that of a rule that no rule of the list has; where the list's own rules end before it, ten
/// more than the last of them, as people number.
fn free_priority(layer: &EffectiveLayer, rule: usize) -> Option<u16> {
    const STEP: u16 = 10;
    let least = if layer.layer == Layer::Admin { limits::ADMIN_PRIORITY_MIN } else { limits::PRIORITY_MIN };
    let own = layer.rules[rule].priority.known()?.get();
    let taken: Vec<u16> =
        layer.rules.iter().filter_map(|rule| rule.priority.known()).map(Priority::get).collect();
    if own > limits::PRIORITY_MAX {
        let last = taken.iter().copied().filter(|number| *number <= limits::PRIORITY_MAX).max();
        let next = last.map_or(least, |last| last.saturating_add(STEP) / STEP * STEP);
        if next <= limits::PRIORITY_MAX {
            return Some(next);
        }
    }
    (least..own.min(limits::PRIORITY_MAX + 1)).rev().find(|number| !taken.contains(number))
}

/// Whether the oracle gives the wanted answer, once the steps are made.
fn holds(journey: &Journey, remedy: &Remedy, now: u32) -> bool {
    match (remedy.becomes, remedy.verdict(journey, now)) {
        (Access::Deny, verdict) => verdict == Verdict::Deny,
        (_, verdict) => verdict == Verdict::Allow,
    }
}

impl Remedy {
    /// What the oracle says of the packet at all hops, once the steps are made.
    pub fn verdict(&self, journey: &Journey, now: u32) -> Verdict {
        let verdicts = journey.hops.iter().enumerate().map(|(number, hop)| {
            let mut policy = hop.policy.clone();
            let mut steps: Vec<&Step> =
                self.steps.iter().filter(|(at, _)| *at == number).map(|(_, step)| step).collect();
            // From the last rule to the first, so that indexes still mean what they did.
            steps.sort_by_key(|step| std::cmp::Reverse(step.index()));
            steps.into_iter().for_each(|step| step.make(&mut policy, &hop.flow));
            oracle::decide_by_rules(&policy, &hop.flow, now).verdict
        });
        verdict_of(&verdicts.collect::<Vec<_>>())
    }
}

impl Step {
    /// Where in its list it is made.
    const fn index(&self) -> usize {
        match *self {
            Self::Add { before, .. } => before,
            Self::Remove { rule, .. } => rule,
            Self::Attach { .. } => 0,
        }
    }

    /// Makes the change in a policy.
    fn make(&self, policy: &mut EffectivePolicy, flow: &Flow) {
        let layers = match flow.direction() {
            Direction::Inbound => &mut policy.inbound,
            Direction::Outbound => &mut policy.outbound,
        };
        match *self {
            Self::Add { layer, access, before, .. } => {
                layers[layer].rules.insert(before, exactly(flow, access));
            }
            Self::Remove { layer, rule } => {
                layers[layer].rules.remove(rule);
            }
            Self::Attach { layer } => {
                layers[layer].layer = Layer::NetworkInterface;
                layers[layer].rules.insert(0, exactly(flow, Access::Allow));
            }
        }
    }
}

/// A rule about one packet and nothing else; the port that it comes from is left open, as people write rules.
fn exactly(flow: &Flow, access: Access) -> EffectiveRule {
    let host = |address| Prefix::host(address);
    let side = |prefix: Prefix| Addresses::exactly([prefix].into_iter().collect());
    let (source, destination) = (host(flow.source()), host(flow.destination()));
    let has_port = flow.protocol().has_ports() || flow.protocol().is_icmp();
    let port = (flow.destination_port(), flow.destination_port());
    let ports = if has_port { [port].into_iter().collect() } else { palisade_net::PortSet::full() };
    EffectiveRule {
        name: "proposed".to_owned(),
        path: "securityRules/proposed".to_owned(),
        priority: Maybe::Unknown,
        access: Maybe::Known(access),
        protocol: Maybe::Known(ProtocolMatch::Number(flow.protocol())),
        source: side(source),
        source_field: AddressField::Prefixes(vec![source]),
        source_ports: Ports::Known(palisade_net::PortSet::full()),
        destination: side(destination),
        destination_field: AddressField::Prefixes(vec![destination]),
        destination_ports: Ports::Known(ports),
        window: Window::ALWAYS,
        mode: Mode::Enforce,
        certain: true,
        collection: None,
        own_list: None,
        services: Vec::new(),
    }
}

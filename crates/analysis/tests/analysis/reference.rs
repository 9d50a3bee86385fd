//! What each rule says to each packet, asked of the oracle one rule and one packet at a time, and first match over that.
//!
//! It shares nothing with what it is compared with but the oracle's word on a single rule.

use palisade_analysis::{Bounds, PerFamily, Volume};
use palisade_classify::{Verdict, oracle};
use palisade_model::{
    Access, EffectiveLayer, EffectivePolicy, EffectiveRule, Layer, Maybe, Mode, PlatformService, Truth,
};
use palisade_net::{Direction, Flow};

use crate::small::{NOW, Weighted, family, packets};

/// What may decide a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Decider {
    Rule(usize),
    Exempt,
    Silence,
}

/// One list, asked about every packet.
pub struct Reference<'a> {
    pub rules: &'a [EffectiveRule],
    pub packets: Vec<Weighted>,
    /// For each rule what it says to each packet.
    pub truth: Vec<Vec<Truth>>,
    /// Whether the list exempts a packet to the platform.
    pub exempt: Vec<bool>,
    /// What the list does where nothing matches.
    pub silence: Option<Access>,
}

impl<'a> Reference<'a> {
    pub fn of(policy: &'a EffectivePolicy, direction: Direction, layer: usize) -> Self {
        let layer = &policy.layers(direction)[layer];
        let packets = packets(direction);
        let truth = |rule| packets.iter().map(|packet| truth(rule, &packet.flow)).collect();
        let is_nsg = matches!(layer.layer, Layer::Subnet | Layer::NetworkInterface);
        let (service, addresses) = &policy.services[0];
        let exempt = packets.iter().map(|Weighted { flow, .. }| {
            is_nsg
                && direction == Direction::Outbound
                && addresses.contains(flow.destination())
                && service.protocols().contains(&flow.protocol())
                && service.ports().contains(flow.destination_port())
        });
        let silence = (layer.layer != Layer::Admin).then_some(Access::Deny);
        let exempt = exempt.collect();
        Self { rules: &layer.rules, truth: layer.rules.iter().map(truth).collect(), exempt, packets, silence }
    }

    /// The rules that are asked about a packet, in order.
    fn asked(&self, packet: usize) -> impl Iterator<Item = usize> + '_ {
        let named = move |rule: &usize| {
            !self.exempt[packet] || self.rules[*rule].services.contains(&PlatformService::Dns)
        };
        (0..self.rules.len()).filter(named)
    }

    /// All that may decide a packet if `left_out` is not there; the last one does if nothing open turns out to match.
    pub fn deciders(&self, packet: usize, left_out: Option<usize>) -> Vec<Decider> {
        let mut found = Vec::new();
        for rule in self.asked(packet).filter(|rule| Some(*rule) != left_out) {
            match self.truth[rule][packet] {
                Truth::No => {}
                Truth::Maybe => found.push(Decider::Rule(rule)),
                Truth::Yes => {
                    found.push(Decider::Rule(rule));
                    return found;
                }
            }
        }
        found.push(if self.exempt[packet] { Decider::Exempt } else { Decider::Silence });
        found
    }

    /// What a decider does; `None` inside if the list is silent, and `None` if it is not known.
    pub fn access(&self, decider: Decider) -> Option<Option<Access>> {
        match decider {
            Decider::Rule(rule) => self.rules[rule].access.known().map(Some),
            Decider::Exempt => Some(Some(Access::Allow)),
            Decider::Silence => Some(self.silence),
        }
    }

    /// How many packets something holds for.
    pub fn count(&self, holds: impl Fn(usize) -> bool) -> PerFamily<Volume> {
        let mut sum = PerFamily::default();
        for (_, packet) in self.packets.iter().enumerate().filter(|(number, _)| holds(*number)) {
            *sum.of_mut(family(packet)) += packet.weight;
        }
        sum
    }

    /// Between which bounds the number of packets is.
    pub fn bounds(&self, least: impl Fn(usize) -> bool, most: impl Fn(usize) -> bool) -> PerFamily<Bounds> {
        let (least, most) = (self.count(least), self.count(most));
        PerFamily {
            v4: Bounds { least: least.v4, most: most.v4 },
            v6: Bounds { least: least.v6, most: most.v6 },
        }
    }

    /// Whether something holds for a packet.
    pub fn any(&self, holds: impl Fn(usize) -> bool) -> bool {
        (0..self.packets.len()).any(holds)
    }
}

/// What one rule says to one packet: it alone, as a security admin rule that denies.
pub fn truth(rule: &EffectiveRule, flow: &Flow) -> Truth {
    if rule.mode == Mode::Audit {
        return Truth::No;
    }
    let rule = EffectiveRule { access: Maybe::Known(Access::Deny), ..rule.clone() };
    let layer = EffectiveLayer {
        layer: Layer::Admin,
        source: None,
        name: None,
        rules: vec![rule],
        mode: Mode::Enforce,
        flush: true,
        certain: true,
    };
    let policy =
        EffectivePolicy { inbound: vec![layer.clone()], outbound: vec![layer], services: Vec::new() };
    match oracle::decide_by_rules(&policy, flow, NOW).verdict {
        Verdict::Deny => Truth::Yes,
        Verdict::Unknown => Truth::Maybe,
        Verdict::Allow => Truth::No,
    }
}

//! What new rules do, asked of the engine: nothing is opened, so much is closed, and what is left open.
//!
//! It must not know how the rules were chosen.

use std::{collections::BTreeSet, net::IpAddr};

use palisade_classify::{Hit, Verdict};
use palisade_model::{EffectivePolicy, Estate, Nic, ResourceId};
use palisade_net::{AddressSet, Direction, Flow};

use super::{
    Interfaces,
    estate::{addresses_of, alone, list_of},
};
use crate::{
    AnalysisError, Class, EstateDiff, Limits, PerFamily, Query, Region, Volume, diff, diff_estates, reach,
};

/// Two estates compared: what the rules opened and closed.
#[derive(Debug, Clone)]
pub struct Proof {
    /// The comparison; no packet that is denied before and allowed after is in it if the proof holds.
    pub diff: EstateDiff,
    /// Packets that are let pass before and not after, of all classes of interfaces, both directions.
    pub closed: PerFamily<Volume>,
    /// Packets that are let pass before, of the same classes.
    pub allowed_before: PerFamily<Volume>,
    /// Whether nothing is let pass that was not.
    pub holds: bool,
}

/// Compares two estates.
pub(crate) fn prove(
    before: &Estate,
    after: &Estate,
    now: u32,
    limits: Limits,
) -> Result<Proof, AnalysisError> {
    let diff = diff_estates(before, after, now, limits)?;
    let mut closed = PerFamily::<Volume>::default();
    let mut allowed_before = PerFamily::<Volume>::default();
    let mut holds = true;
    for (class, direction) in ways(&diff) {
        for change in &class.diff(direction).changes {
            match (change.before.verdict, change.after.verdict) {
                (Verdict::Allow, _) => add(&mut closed, &change.volume),
                (_, Verdict::Allow) => holds = false,
                _ => {}
            }
        }
        for reached in reach(&class.before, direction, &Query::default(), now, &[], limits)? {
            if reached.side.verdict == Verdict::Allow {
                add(&mut allowed_before, &reached.volume);
            }
        }
    }
    Ok(Proof { diff, closed, allowed_before, holds })
}

fn ways(diff: &EstateDiff) -> impl Iterator<Item = (&Class, Direction)> {
    diff.classes.iter().flat_map(|class| Direction::ALL.map(|direction| (class, direction)))
}

fn add(sum: &mut PerFamily<Volume>, volume: &PerFamily<Volume>) {
    sum.v4 += volume.v4;
    sum.v6 += volume.v6;
}

/// What a rule lets pass, and how much of it was used.
#[derive(Debug, Clone)]
pub struct Opened {
    /// Interfaces at which the rule does so; empty for an NSG that stands at none.
    pub places: Vec<ResourceId>,
    /// The NSG of the rule.
    pub nsg: ResourceId,
    /// The rule's name.
    pub rule: String,
    /// Packets that it lets pass and that nothing else would.
    pub volume: PerFamily<Volume>,
    /// All of them.
    pub region: Region,
    /// One of them.
    pub example: Flow,
    /// Peers that it is about.
    pub peers: AddressSet,
    /// Distinct logged flows that need it.
    pub used: u64,
    /// Distinct peers of them.
    pub used_peers: u64,
}

impl Opened {
    /// Packets that no logged flow used. A flow is one packet: its first.
    pub fn unused(&self) -> Volume {
        let whole = self.volume.total();
        let used = Volume::from(u128::from(self.used));
        if used > whole { Volume::ZERO } else { whole - used }
    }
}

/// What the rules of an NSG let pass beyond those of the same NSG without them, at each class of interfaces.
pub(crate) struct Allowed<'a> {
    /// The estate without the rules.
    pub(crate) bare: &'a Estate,
    /// The estate with them.
    pub(crate) after: &'a Estate,
    /// Flows to be kept, with their places.
    pub(crate) wanted: Vec<(&'a ResourceId, Flow)>,
    pub(crate) now: u32,
    pub(crate) limits: Limits,
}

/// One list before and after, with where it stands.
struct Pair {
    bare: EffectivePolicy,
    after: EffectivePolicy,
    places: Vec<ResourceId>,
    machine: Vec<IpAddr>,
}

impl Allowed<'_> {
    /// By rule, in the order of the list, for each class of interfaces at which the list is the same.
    pub(crate) fn by_rule(
        &self,
        nsg: &ResourceId,
        direction: Direction,
    ) -> Result<Vec<Opened>, AnalysisError> {
        let mut opened = Vec::new();
        for pair in self.pairs(nsg, direction) {
            let changes =
                diff(&pair.bare, &pair.after, direction, self.now, &pair.machine, self.limits)?.changes;
            let allowed = changes.into_iter().filter(|change| change.after.verdict == Verdict::Allow);
            for change in allowed {
                let Hit::Rule { rule, .. } = change.after.hit else { continue };
                let named = &pair.after.layers(direction)[0].rules[rule];
                let peers = match direction {
                    Direction::Inbound => named.source.may().clone(),
                    Direction::Outbound => named.destination.may().clone(),
                };
                let used = self.users(nsg, &pair, direction, rule);
                opened.push(Opened {
                    places: pair.places.clone(),
                    nsg: nsg.clone(),
                    rule: named.name.clone(),
                    volume: change.volume,
                    region: change.region,
                    example: change.example,
                    peers,
                    used: used.len() as u64,
                    used_peers: used.iter().map(Flow::remote).collect::<BTreeSet<_>>().len() as u64,
                });
            }
        }
        Ok(opened)
    }

    /// The flows that one rule lets pass.
    fn users(&self, nsg: &ResourceId, pair: &Pair, direction: Direction, rule: usize) -> BTreeSet<Flow> {
        let hit = Hit::Rule { layer: 0, rule };
        let here = self.wanted.iter().filter(|(place, flow)| {
            flow.direction() == direction && (*place == nsg || pair.places.contains(place))
        });
        let used = here.filter(|(_, flow)| {
            palisade_classify::oracle::decide_by_rules(&pair.after, flow, self.now).hit == hit
        });
        used.map(|(_, flow)| *flow).collect()
    }

    fn pairs(&self, nsg: &ResourceId, direction: Direction) -> Vec<Pair> {
        let [bare, after] = [self.bare, self.after].map(|estate| Interfaces::of(estate, &BTreeSet::new()));
        let mut pairs: Vec<Pair> = Vec::new();
        for nic in self.after.nics() {
            if let Some(pair) = pair(nic, [&bare, &after], nsg, direction) {
                match pairs.iter_mut().find(|known| known.after == pair.after && known.bare == pair.bare) {
                    Some(known) => known.places.extend(pair.places),
                    None => pairs.push(pair),
                }
            }
        }
        if pairs.is_empty()
            && let (Some(before), Some(with)) = (self.bare.nsg(nsg), self.after.nsg(nsg))
        {
            let (bare, after) =
                (self.bare.effective_alone(before, None), self.after.effective_alone(with, None));
            pairs.push(Pair { bare, after, places: Vec::new(), machine: Vec::new() });
        }
        pairs
    }
}

fn pair(nic: &Nic, sides: [&Interfaces; 2], nsg: &ResourceId, direction: Direction) -> Option<Pair> {
    let one = |interfaces: &Interfaces| {
        let policy = interfaces.policy(nic.id())?;
        Some(alone(policy, list_of(policy, nsg, direction)?, direction))
    };
    let [bare, after] = sides.map(one);
    Some(Pair { bare: bare?, after: after?, places: vec![nic.id().clone()], machine: addresses_of(nic) })
}

//! What one policy says to some packets: every rule that decides any of them, how many, one of them, and all of them.
//!
//! The question behind exposure, intents and proofs. It is asked in the words of a rule, and means what a rule of these words
//! would match. It must not know where policies come from.

use std::net::IpAddr;

use palisade_classify::{Hit, Verdict};
use palisade_model::{
    Access, AddressField, Addresses, EffectivePolicy, EffectiveRule, Maybe, Mode, Ports, Window,
};
use palisade_net::{AddressSet, Direction, Flow, PortSet, ProtocolMatch};

use crate::{
    AnalysisError, Limits, PerFamily, Region, Side, Volume,
    diagram::Diagram,
    entry::Lists,
    gather::{Gathered, Parts},
    grid::{Grid, Taken},
    verdict::{self, Verdicts},
    walk::Walk,
};

/// Packets to ask about: those that a rule of these fields would match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Protocols.
    pub protocol: ProtocolMatch,
    /// Who sends the first packet.
    pub source: AddressSet,
    /// Ports that it is sent from; unless full, only packets with ports are asked about.
    pub source_ports: PortSet,
    /// Who receives it.
    pub destination: AddressSet,
    /// Ports that receive it, or types where the protocol is ICMP; unless full, only packets that have them are asked about.
    pub destination_ports: PortSet,
}

/// All packets.
impl Default for Query {
    fn default() -> Self {
        Self {
            protocol: ProtocolMatch::Any,
            source: AddressSet::full(),
            source_ports: PortSet::full(),
            destination: AddressSet::full(),
            destination_ports: PortSet::full(),
        }
    }
}

impl Query {
    /// The rule of these fields. Nothing asks what it does.
    pub(crate) fn rule(&self) -> EffectiveRule {
        EffectiveRule {
            name: String::new(),
            path: String::new(),
            priority: Maybe::Unknown,
            access: Maybe::Known(Access::Allow),
            protocol: Maybe::Known(self.protocol),
            source: Addresses::exactly(self.source.clone()),
            source_field: AddressField::Any,
            source_ports: Ports::Known(self.source_ports.clone()),
            destination: Addresses::exactly(self.destination.clone()),
            destination_field: AddressField::Any,
            destination_ports: Ports::Known(self.destination_ports.clone()),
            window: Window::ALWAYS,
            mode: Mode::Enforce,
            certain: true,
            collection: None,
            own_list: None,
            services: Vec::new(),
        }
    }
}

/// Packets with one verdict, from one thing that decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// The verdict, and what decides.
    pub side: Side,
    /// How many packets there are.
    pub volume: PerFamily<Volume>,
    /// One of them.
    pub example: Flow,
    /// All of them.
    pub region: Region,
}

/// What a policy says at `now`, in seconds since 1970, to the packets of one direction `within` a query, by what decides. No
/// two answers share a packet, and together they are all packets of the query. Examples prefer the addresses of `machine` for
/// its own side.
///
/// # Errors
/// [`AnalysisError`].
pub fn reach(
    policy: &EffectivePolicy,
    direction: Direction,
    within: &Query,
    now: u32,
    machine: &[IpAddr],
    limits: Limits,
) -> Result<Vec<Reached>, AnalysisError> {
    reach_where(policy, direction, within, (now, machine, limits), |_| true)
}

/// The same, of the verdicts that are wanted only.
pub(crate) fn reach_where(
    policy: &EffectivePolicy,
    direction: Direction,
    within: &Query,
    (now, machine, limits): (u32, &[IpAddr], Limits),
    is_wanted: impl Fn(Verdict) -> bool,
) -> Result<Vec<Reached>, AnalysisError> {
    let rule = within.rule();
    let mut lists = Lists::default();
    lists.add_all(policy, direction, now);
    lists.keep_meeting(&rule);
    let asked = lists.add_query(&rule);
    let mut found = Gathered::default();
    let is_in = |space| lists.is_in(asked, space);
    for grid in Grid::all(&lists, direction, machine, None, is_in) {
        let Some(query) = grid.place(asked) else { continue };
        let within = grid.must(query);
        let mut walk = Walk::of(&grid, |cut| (cut != query).then_some(Taken::AsIs));
        walk.meet(&within);
        let verdicts = Verdicts::of((&lists, &grid), 0..lists.layers.len());
        let ignore = |walk: &Walk<'_>, row: &[u64], level: usize| {
            verdicts.sure(walk, row, level).is_some_and(|verdict| !is_wanted(verdict))
        };
        let diagram = Diagram::of(walk, within, ignore, true, &limits)?;
        let mut parts = Parts::default();
        diagram.parts(|part| {
            let answer = verdict::answer((&lists, &grid), &lists.layers, 0, part.list);
            let side = Side::from(answer);
            if is_wanted(side.verdict) {
                parts.add(side, part);
            }
        });
        found.take((&grid, &diagram), parts, &limits, |side: Side, example| {
            side.confirm(policy, example, now)
        })?;
    }
    let answers = found.finish().map(|(side, group)| Reached {
        side,
        volume: group.volume,
        example: group.example,
        region: group.region,
    });
    Ok(answers.collect())
}

impl Reached {
    /// The index of the layer and the rule that decide; `None` where no rule does.
    pub const fn rule(&self) -> Option<(usize, usize)> {
        match self.side.hit {
            Hit::Rule { layer, rule } => Some((layer, rule)),
            Hit::Exempt { .. } | Hit::Nothing => None,
        }
    }
}

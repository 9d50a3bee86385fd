//! Judges flows before and after a change, each cell once.
//!
//! A worker remembers the cells that it met last. What it does not remember is asked of the compiled engine, so that it has no
//! opinion of its own. It must not group for people.

use std::{collections::HashMap, hash::BuildHasherDefault, ops::Range};

use palisade_classify::{Decision, Engine};
use palisade_model::EffectivePolicy;
use palisade_net::{Direction, Flow};

use super::{Count, WhatIf, cells::Cells};
use crate::observed::{AddressBits, Context, Folding, Key, Sum as _, Table};

/// The rules before and after at some places.
#[derive(Debug)]
pub(super) struct Class {
    before: Engine,
    /// `None` if they are the same; the outer `None` if the place is gone.
    after: Option<Option<Engine>>,
    inbound: Cells,
    outbound: Cells,
}

/// What both say of a flow; after is `None` where the place is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Pair {
    pub(super) before: Decision,
    pub(super) after: Option<Decision>,
}

impl Pair {
    /// Whether the verdict is another one.
    pub(super) fn differs(&self) -> bool {
        self.after.is_some_and(|after| after.verdict != self.before.verdict)
    }
}

impl Class {
    pub(super) fn new(
        before: EffectivePolicy,
        after: Option<EffectivePolicy>,
    ) -> Result<Self, palisade_classify::table::CompileError> {
        let policies: Vec<&EffectivePolicy> = [&before].into_iter().chain(&after).collect();
        let [inbound, outbound] = Direction::ALL.map(|direction| Cells::of(&policies, direction));
        let after = match after {
            None => None,
            Some(same) if same == before => Some(None),
            Some(after) => Some(Some(Engine::new(after)?)),
        };
        Ok(Self { before: Engine::new(before)?, after, inbound, outbound })
    }

    pub(super) fn is_of(&self, before: &EffectivePolicy, after: Option<&EffectivePolicy>) -> bool {
        self.before() == before && self.after() == after
    }

    pub(super) const fn before(&self) -> &EffectivePolicy {
        self.before.policy()
    }

    pub(super) fn after(&self) -> Option<&EffectivePolicy> {
        self.after.as_ref().map(|after| after.as_ref().unwrap_or(&self.before).policy())
    }

    const fn cells(&self, direction: Direction) -> &Cells {
        match direction {
            Direction::Inbound => &self.inbound,
            Direction::Outbound => &self.outbound,
        }
    }

    fn pair(&self, flow: &Flow, tells_types: bool, now: u32) -> Pair {
        let ask = |engine: &Engine| decide(engine, flow, tells_types, now);
        let before = ask(&self.before);
        let after = self.after.as_ref().map(|after| after.as_ref().map_or(before, ask));
        Pair { before, after }
    }
}

/// What an engine says of a flow. Where the type of an ICMP message is not known, it is what all types have in common.
fn decide(engine: &Engine, flow: &Flow, tells_types: bool, now: u32) -> Decision {
    if tells_types || !flow.protocol().is_icmp() {
        return engine.decide(flow, now);
    }
    let of_type = |kind: u8| {
        let (source, destination) = ((flow.source(), 0), (flow.destination(), kind.into()));
        let flow = Flow::new(flow.direction(), flow.protocol(), source, destination);
        engine.decide(&flow.expect("its addresses are of one family"), now)
    };
    let first = of_type(0);
    let mut others = (1..=u8::MAX).map(of_type);
    if others.all(|other| other.verdict == first.verdict) { first } else { Decision::UNDETERMINED }
}

/// Flows of one context with the same answers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group {
    pub(super) context: Context,
    pub(super) pair: Pair,
    pub(super) count: Count,
}

/// What a worker found; see [`WhatIf::judge`].
#[derive(Debug, Default)]
pub struct Judged {
    pub(super) groups: Vec<Group>,
    numbers: HashMap<(u32, Pair), u32, BuildHasherDefault<Folding>>,
    /// Flows whose verdict changes: by group, protocol and port, and the address of the other side, which is the key's source.
    pub(super) v4: Table<u32, Count>,
    /// The same of IPv6.
    pub(super) v6: Table<u128, Count>,
}

/// A cell that was met.
#[derive(Debug, Clone, Copy)]
struct Met {
    cell: u64,
    context: u32,
    group: u32,
}

/// Cells that are remembered. Flows of one place and service come one after the other, and what is small stays in the cache.
const MET: usize = 1 << 14;
/// A context that no flow has.
const NONE: u32 = u32::MAX;

/// One pass over flows.
struct Worker<'a> {
    what_if: &'a WhatIf<'a>,
    met: Vec<Met>,
    judged: Judged,
}

impl WhatIf<'_> {
    /// Judges some of the flows, by their index. Parts may be judged at the same time, on as many threads as there are.
    pub fn judge(&self, flows: Range<usize>) -> Judged {
        let mut worker = Worker { what_if: self, met: Vec::new(), judged: Judged::default() };
        let (v4, v6) = (&self.observed.v4, &self.observed.v6);
        let split = v4.keys.len();
        let first = flows.start.min(split)..flows.end.min(split);
        worker.pass(v4, (first, 0), Cells::v4, |judged| &mut judged.v4);
        let second = flows.start.max(split) - split..flows.end.max(split) - split;
        worker.pass(v6, (second, split), Cells::v6, |judged| &mut judged.v6);
        worker.judged
    }
}

/// The key of the other side of a flow.
fn peer<A: AddressBits>(key: &Key<A>, group: u32, direction: Direction) -> Key<A> {
    let remote = match direction {
        Direction::Inbound => key.source,
        Direction::Outbound => key.destination,
    };
    Key::new((remote, remote), (0, key.destination_port), key.protocol, group)
}

impl Worker<'_> {
    /// Judges flows of one family; `offset` is the index of the table's first one.
    fn pass<A: AddressBits>(
        &mut self,
        table: &Table<A>,
        (flows, offset): (Range<usize>, usize),
        cell: impl Fn(&Cells, &Key<A>) -> Option<u64>,
        changed: impl Fn(&mut Judged) -> &mut Table<A, Count>,
    ) {
        if flows.is_empty() {
            return;
        }
        let observed = self.what_if.observed;
        // Cells are numbered for each family anew.
        self.met = vec![Met { cell: 0, context: NONE, group: 0 }; MET];
        for (key, tally, index) in flows.map(|at| (&table.keys[at], &table.tallies[at], at + offset)) {
            let context = observed.contexts[key.context as usize];
            let class = &self.what_if.classes[self.what_if.class_of[context.place]];
            let number = match cell(class.cells(context.direction), key) {
                None => self.judge(class, key, index),
                Some(cell) => self.remember(cell, key, |this| this.judge(class, key, index)),
            };
            let count = Count::of(index, tally, self.what_if.is_denied[context.saying]);
            let group = &mut self.judged.groups[number as usize];
            group.count.add(&count);
            if group.pair.differs() {
                changed(&mut self.judged).add(peer(key, number, context.direction), &count);
            }
        }
    }

    /// The group of a cell, which `find` finds if it is not remembered.
    fn remember<A>(&mut self, cell: u64, key: &Key<A>, find: impl FnOnce(&mut Self) -> u32) -> u32 {
        let spread = (cell ^ u64::from(key.context).rotate_right(24)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let place = (spread >> 32) as usize % MET;
        let met = self.met[place];
        if met.cell == cell && met.context == key.context {
            return met.group;
        }
        let group = find(self);
        self.met[place] = Met { cell, context: key.context, group };
        group
    }

    fn judge<A: AddressBits>(&mut self, class: &Class, key: &Key<A>, index: usize) -> u32 {
        let observed = self.what_if.observed;
        let context = observed.contexts[key.context as usize];
        let tells_types = observed.sayings()[context.saying].by.format.tells_types();
        let pair = class.pair(&key.flow(&observed.contexts), tells_types, self.what_if.now);
        self.judged.number(key.context, Group { context, pair, count: Count::none(index) })
    }
}

impl Judged {
    fn number(&mut self, context: u32, group: Group) -> u32 {
        let next = u32::try_from(self.groups.len()).expect("groups are fewer than flows");
        *self.numbers.entry((context, group.pair)).or_insert_with(|| {
            self.groups.push(group);
            next
        })
    }

    /// Adds what another worker found of other flows of the same logs.
    pub(super) fn merge(&mut self, other: &Self) {
        let mut renumbered = vec![0; other.groups.len()];
        for (&(context, _), &number) in &other.numbers {
            let group = other.groups[number as usize];
            let own = self.number(context, Group { count: Count::none(group.count.witness), ..group });
            self.groups[own as usize].count.add(&group.count);
            renumbered[number as usize] = own;
        }
        for (key, count) in other.v4.keys.iter().zip(&other.v4.tallies) {
            self.v4.add(Key { context: renumbered[key.context as usize], ..*key }, count);
        }
        for (key, count) in other.v6.keys.iter().zip(&other.v6.tallies) {
            self.v6.add(Key { context: renumbered[key.context as usize], ..*key }, count);
        }
    }
}

//! Judges flows before and after a change.
//!
//! A worker remembers the answer for flows that meet the same rules ([`super::meet`]). What it does not remember is asked of the
//! compiled engine, so that it has no opinion of its own. It must not group for people.

use std::ops::Range;

use palisade_classify::{Decision, Engine};
use palisade_model::EffectivePolicy;
use palisade_net::{Direction, Flow};

use super::{
    Count, WhatIf,
    asking::Asking,
    cuts::Leading,
    lists::{Lists, Matching, Sides},
    meet::{Meeting, Meetings},
};
use crate::{
    observed::{AddressBits, Context, Key, Sum as _, Table, Tally},
    rows::FastMap,
};

/// The rules before and after at some places.
#[derive(Debug)]
pub(super) struct Class {
    before: Engine,
    /// `None` if they are the same; the outer `None` if the place is gone.
    after: Option<Option<Engine>>,
    inbound: Lists,
    outbound: Lists,
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
        let [inbound, outbound] = Direction::ALL.map(|direction| Lists::of(&policies, direction));
        let after = match after {
            None => None,
            Some(same) if same == before => Some(None),
            Some(after) => Some(Some(Engine::new(after)?)),
        };
        Ok(Self { before: Engine::new(before)?, after, inbound, outbound })
    }

    pub(super) const fn before(&self) -> &EffectivePolicy {
        self.before.policy()
    }

    pub(super) fn after(&self) -> Option<&EffectivePolicy> {
        self.after.as_ref().map(|after| after.as_ref().unwrap_or(&self.before).policy())
    }

    /// The rules before, and after if there are any.
    pub(super) fn policies(&self) -> Vec<&EffectivePolicy> {
        [self.before()].into_iter().chain(self.after()).collect()
    }

    pub(super) const fn lists(&self, direction: Direction) -> &Lists {
        match direction {
            Direction::Inbound => &self.inbound,
            Direction::Outbound => &self.outbound,
        }
    }

    pub(super) fn pair(&self, flow: &Flow, tells_types: bool, now: u32) -> Pair {
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
    numbers: FastMap<(u32, Pair), u32>,
    /// Flows whose verdict changes: by group, protocol and port, and the address of the other side, which is the key's source.
    pub(super) v4: Table<u32, Count>,
    /// The same of IPv6.
    pub(super) v6: Table<u128, Count>,
}

/// What a worker knows of the flows of a class and direction.
#[derive(Debug, Default)]
struct Memory {
    meetings: Meetings,
    /// By protocol and port, or all types.
    services: FastMap<(u8, Option<u32>), usize>,
    serving: Vec<Matching>,
    /// By meeting.
    known: Vec<Known>,
}

/// What is known of a meeting.
#[derive(Debug, Clone, Copy)]
struct Known {
    pair: Option<Pair>,
    /// The context of which it was asked last, and the group there.
    group: (u32, u32),
}

/// A context that no flow has.
const NONE: u32 = u32::MAX;

/// One pass over flows.
struct Worker<'a> {
    what_if: &'a WhatIf<'a>,
    /// By class and direction.
    memories: Vec<Memory>,
    judged: Judged,
}

impl WhatIf<'_> {
    /// Judges some of the flows, by their index. Parts may be judged at the same time, on as many threads as there are.
    pub fn judge(&self, flows: Range<usize>) -> Judged {
        let mut memories = Vec::new();
        memories.resize_with(2 * self.classes.len(), Memory::default);
        let mut worker = Worker { what_if: self, memories, judged: Judged::default() };
        let (v4, v6) = (&self.observed.v4, &self.observed.v6);
        let split = v4.keys.len();
        let first = flows.start.min(split)..flows.end.min(split);
        worker.pass((v4, 0), first, |lists| &lists.v4, |judged| &mut judged.v4);
        let second = flows.start.max(split) - split..flows.end.max(split) - split;
        worker.pass((v6, split), second, |lists| &lists.v6, |judged| &mut judged.v6);
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

/// Flows of one context, protocol and destination port, one after the other in a table, whose first has an index.
struct Stretch<'t, A> {
    keys: &'t [Key<A>],
    tallies: &'t [Tally],
    index: usize,
}

impl Worker<'_> {
    /// Judges flows of one family; `offset` is the index of the table's first one.
    fn pass<A: AddressBits + Leading>(
        &mut self,
        (table, offset): (&Table<A>, usize),
        flows: Range<usize>,
        sides: impl Fn(&Lists) -> &Sides<A>,
        changed: impl Fn(&mut Judged) -> &mut Table<A, Count>,
    ) {
        let service = |key: &Key<A>| (key.context, key.protocol, key.destination_port);
        let keys = &table.keys[flows.clone()];
        let mut at = flows.start;
        for stretch in keys.chunk_by(|one, other| service(one) == service(other)) {
            let tallies = &table.tallies[at..at + stretch.len()];
            self.stretch(&Stretch { keys: stretch, tallies, index: at + offset }, &sides, &changed);
            at += stretch.len();
        }
    }

    fn stretch<A: AddressBits + Leading>(
        &mut self,
        stretch: &Stretch<'_, A>,
        sides: impl Fn(&Lists) -> &Sides<A>,
        changed: impl Fn(&mut Judged) -> &mut Table<A, Count>,
    ) {
        let (what_if, first) = (self.what_if, &stretch.keys[0]);
        let asking = Asking::new(what_if, first);
        let direction = asking.context.direction;
        let lists = asking.class.lists(direction);
        let Memory { meetings, services, serving, known } = &mut self.memories[asking.memory];
        let (service, all_types) = (asking.service(lists), asking.all_types());
        let service = *services.entry(service).or_insert_with(|| {
            serving.push(asking.serving(lists));
            serving.len() - 1
        });
        let (root, both) = (meetings.root(all_types), (direction, first.protocol));
        let mut meeting = Meeting::new((lists, sides(lists)), &serving[service], both, root);
        let is_denied = what_if.is_denied[asking.context.saying];
        let mut at = 0;
        while let Some(key) = stretch.keys.get(at) {
            let is_alike = |next: &Key<A>| {
                (next.source, next.destination) == (key.source, key.destination)
                    && meeting.is_alike(next.source_port, key.source_port)
                    && !asking.is_alone(next)
            };
            let alike = match asking.is_alone(key) {
                true => 1,
                false => 1 + stretch.keys[at + 1..].iter().take_while(|next| is_alike(next)).count(),
            };
            let count = Count::of_all(stretch.index + at, &stretch.tallies[at..at + alike], is_denied);
            let group = match asking.is_alone(key) {
                true => self.judged.number(key.context, asking.group(asking.pair(key), count.witness)),
                false => {
                    let met = meeting.of(key, meetings) as usize;
                    known.resize(meetings.len().max(known.len()), Known { pair: None, group: (NONE, 0) });
                    let known = &mut known[met];
                    if known.group.0 != key.context {
                        let pair = *known.pair.get_or_insert_with(|| asking.pair(key));
                        let group = asking.group(pair, count.witness);
                        known.group = (key.context, self.judged.number(key.context, group));
                    }
                    known.group.1
                }
            };
            let found = &mut self.judged.groups[group as usize];
            found.count.add(&count);
            if found.pair.differs() {
                changed(&mut self.judged).add(peer(key, group, direction), &count);
            }
            at += alike;
        }
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

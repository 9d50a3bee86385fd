//! The sweep: takes flows that are over out of the table, and tells of them and of those that go on. What the kernel program told of
//! as it closed is not told again.
//!
//! A flow that is over is already a miss for every packet, so the sweep is not in a hurry, and no packet waits for it: it
//! takes no lock. Whoever ends a flow first wins a compare-and-swap on its `last_seen`; after that nobody else touches
//! it until its tag is free. A sweep that died leaves such claimed flows; the next one finishes them. One process sweeps
//! at a time: the pin directory's lock sees to it.

use std::{
    collections::{BTreeSet, HashMap},
    mem::offset_of,
    sync::atomic::Ordering,
};

use palisade_abi::{
    arena::NicUsage,
    flow::{FLOW_CLAIMED, Flow, FlowState, SWEEP_GRACE_TICKS},
};

use crate::{
    error::Error,
    flows::{FlowEntry, FlowTable, Way},
    memory::{mapping::Mapping, published::Published, regions::Regions},
};

/// What a sweep found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sweep {
    /// Flows that stay.
    pub live: u64,
    /// Flows that were removed.
    pub ended: u64,
}

/// Why a flow was taken out of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ending {
    /// No packet came for as long as its state allows.
    Over,
    /// Its NIC left the host, or another has its slot.
    NicLeft,
    /// Somebody cleared the table.
    Cleared,
}

/// What a sweep tells of one flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowRecord {
    /// The flow, with what it counted until now.
    pub flow: FlowEntry,
    /// Why it ended; `None` if it goes on.
    pub ending: Option<Ending>,
}

/// What a sweep reports beside the ends of flows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Report {
    /// Nothing.
    #[default]
    Ends,
    /// Flows that go on, too.
    EndsAndContinuations,
}

/// Which flows end.
#[derive(Debug)]
pub(crate) enum Scope<'s> {
    /// Those that are over.
    Over,
    /// Those of some slots, whether they are over or not. No packet may belong to them.
    Slots(&'s BTreeSet<u32>),
    /// All.
    All,
}

/// A sweep at one moment.
#[derive(Debug)]
pub(crate) struct Sweeper<'m> {
    pub memory: &'m Mapping,
    pub regions: &'m Regions,
    pub published: Option<&'m Published>,
    /// Kernel tick of now.
    pub now: u64,
    pub report: Report,
}

impl Sweeper<'_> {
    /// Sweeps. `wait_for_packets` returns when no packet that is now under way is at work any more.
    pub(crate) fn run(
        &self,
        scope: &Scope<'_>,
        wait_for_packets: impl FnOnce() -> Result<(), Error>,
        sink: &mut dyn FnMut(FlowRecord),
    ) -> Result<Sweep, Error> {
        let since = self.slots_in_force();
        let (mut sweep, mut claimed) = (Sweep::default(), Vec::new());
        for (way, tag, flow) in FlowTable::new(self.memory, self.regions).flows() {
            if flow.last_seen == FLOW_CLAIMED {
                claimed.push((way, tag, flow.created));
                continue;
            }
            match self.ending(scope, &flow, &since) {
                Some(ending) if self.claim(way, flow.last_seen) => {
                    sweep.ended += 1;
                    self.end(way, Some(flow.last_seen), ending, sink);
                }
                _ => {
                    sweep.live += 1;
                    if self.report == Report::EndsAndContinuations
                        && let Some(flow) = untold(&flow)
                    {
                        sink(FlowRecord { flow, ending: None });
                    }
                }
            }
        }
        if !claimed.is_empty() {
            wait_for_packets()?;
            sweep.ended += self.finish(&claimed, sink);
        }
        Ok(sweep)
    }

    /// Ends what a sweep that died had claimed. The kernel program claims flows too, for an instant, to give their places
    /// away; what is still claimed after every packet of that time is done was claimed by nobody who lives.
    fn finish(&self, claimed: &[(Way, u32, u64)], sink: &mut dyn FnMut(FlowRecord)) -> u64 {
        let table = FlowTable::new(self.memory, self.regions);
        let left = claimed.iter().filter(|(way, tag, created)| {
            table.read(*way).is_some_and(|(now, flow)| {
                now == *tag && flow.created == *created && flow.last_seen == FLOW_CLAIMED
            })
        });
        left.map(|(way, _, _)| self.end(*way, None, Ending::Over, sink)).count() as u64
    }

    /// The generation since which each slot in force belongs to its NIC.
    fn slots_in_force(&self) -> HashMap<u32, u64> {
        self.published.iter().flat_map(|published| &published.nics).map(|nic| (nic.slot, nic.since)).collect()
    }

    fn ending(&self, scope: &Scope<'_>, flow: &Flow, since: &HashMap<u32, u64>) -> Option<Ending> {
        let slot = flow.key.slot;
        match scope {
            Scope::All => Some(Ending::Cleared),
            Scope::Slots(slots) => slots.contains(&slot).then_some(Ending::NicLeft),
            Scope::Over if since.get(&slot).is_none_or(|since| flow.generation < *since) => {
                Some(Ending::NicLeft)
            }
            Scope::Over => {
                let end = flow.last_seen.saturating_add(u64::from(flow.timeout) + SWEEP_GRACE_TICKS);
                (end < self.now).then_some(Ending::Over)
            }
        }
    }

    /// Takes a flow if no packet has prolonged it since it was looked at.
    fn claim(&self, way: Way, seen: u64) -> bool {
        let last_seen = self.memory.wide(way.flow + offset_of!(Flow, last_seen) as u32);
        last_seen.compare_exchange(seen, FLOW_CLAIMED, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Frees the place of a claimed flow, and tells of it.
    fn end(&self, way: Way, seen: Option<u64>, ending: Ending, sink: &mut dyn FnMut(FlowRecord)) {
        // A packet that is still at work on a cleared flow changes its state from what it saw: it must not count the end
        // of the handshake once more.
        let state = self.memory.word(way.flow + offset_of!(Flow, state) as u32);
        let state = state.swap(FlowState::Closed as u32, Ordering::AcqRel);
        let flow: Flow = self.memory.load(way.flow);
        self.release_usage(flow.key.slot, state);
        self.memory.word(way.tag).store(0, Ordering::Release);
        // When a flow was seen last that another sweep claimed is not known any more.
        let last_seen = seen.unwrap_or(self.now);
        if let Some(flow) = untold(&Flow { last_seen, state, ..flow }) {
            sink(FlowRecord { flow, ending: Some(ending) });
        }
    }

    /// Counts a flow out of its slot. Never below zero: a sweep that dies at the wrong instant counts twice.
    fn release_usage(&self, slot: u32, state: u32) {
        let Some(usage) = self.regions.usage(slot) else { return };
        let release = |field: usize| {
            let word = self.memory.word(usage + field as u32);
            let _ = word.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |count| count.checked_sub(1));
        };
        release(offset_of!(NicUsage, flows));
        if [FlowState::SynSent as u32, FlowState::SynReceived as u32].contains(&state) {
            release(offset_of!(NicUsage, half_open));
        }
    }
}

/// A flow that there is something to tell of: not one whose end was told as it closed.
fn untold(flow: &Flow) -> Option<FlowEntry> {
    FlowEntry::of(flow).filter(|flow| !flow.end_told)
}

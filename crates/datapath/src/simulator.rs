//! A datapath that is only memory: for tests of what stands above.
//!
//! It checks what the kernel's would check, keeps what it is given, and judges no packet.

use std::collections::{BTreeMap, BTreeSet};

use palisade_abi::event::EventKind;
use palisade_classify::blob::BlobView;

use crate::{
    counters::{RuleCounts, SlotCounters},
    error::Error,
    events::Event,
    plane::{Attachment, NicState, Plane, Watch},
    policy::{self, NicKind, NicPolicy},
    sweep::{FlowRecord, Report, Sweep},
};

/// The datapath of a host that does not exist.
#[derive(Debug, Default)]
pub struct Simulator {
    generation: u64,
    nics: Vec<(NicPolicy, u64)>,
    attached: BTreeMap<u32, NicKind>,
    missing: BTreeSet<u32>,
    anchor: u64,
    kinds: Vec<EventKind>,
    events: Vec<Event>,
    records: Vec<FlowRecord>,
}

impl Simulator {
    /// Nothing published, nothing attached.
    pub fn new() -> Self {
        Self::default()
    }

    /// The policy in force.
    pub fn policy(&self) -> impl Iterator<Item = &NicPolicy> {
        self.nics.iter().map(|(nic, _)| nic)
    }

    /// Lets an interface vanish, as when its VM stops; attaching to it fails from now on.
    pub fn remove_interface(&mut self, ifindex: u32) {
        self.attached.remove(&ifindex);
        self.missing.insert(ifindex);
    }

    /// What windows of rules are judged by.
    pub const fn anchor(&self) -> u64 {
        self.anchor
    }

    /// Kinds of events that were chosen.
    pub fn event_kinds(&self) -> &[EventKind] {
        &self.kinds
    }

    /// Lets the kernel tell something; it is read if its kind was chosen.
    pub fn tell(&mut self, event: Event) {
        if self.kinds.contains(&event.kind) {
            self.events.push(event);
        }
    }

    /// Lets the next sweep find a flow.
    pub fn leave_to_sweep(&mut self, record: FlowRecord) {
        self.records.push(record);
    }
}

impl Watch for Simulator {
    fn generation(&self) -> u64 {
        self.generation
    }

    fn nics(&self) -> Vec<NicState> {
        let state = |(nic, generation): &(NicPolicy, u64)| NicState {
            ifindex: nic.ifindex,
            slot: nic.slot,
            kind: nic.kind,
            audit: nic.audit,
            generation: *generation,
        };
        self.nics.iter().map(state).collect()
    }

    fn attached(&self) -> Result<Vec<Attachment>, Error> {
        Ok(self
            .attached
            .iter()
            .map(|(ifindex, kind)| Attachment { ifindex: *ifindex, kind: *kind })
            .collect())
    }

    fn counters(&self, _slot: u32) -> Result<SlotCounters, Error> {
        Ok(SlotCounters::default())
    }

    fn rule_counters(&self) -> Vec<RuleCounts> {
        Vec::new()
    }
}

impl Plane for Simulator {
    fn publish(&mut self, nics: &[NicPolicy]) -> Result<u64, Error> {
        policy::check(nics, u32::MAX)?;
        for nic in nics {
            for (_, _, layer, policy) in nic.layers() {
                BlobView::parse(&policy.blob).map_err(|source| Error::Blob {
                    slot: nic.slot,
                    layer,
                    source,
                })?;
            }
        }
        self.generation += 1;
        let old = std::mem::take(&mut self.nics);
        for nic in nics {
            let same = old.iter().find(|(old, _)| old == nic);
            self.nics.push((nic.clone(), same.map_or(self.generation, |(_, generation)| *generation)));
        }
        Ok(self.generation)
    }

    fn attach(&mut self, ifindex: u32, kind: NicKind) -> Result<(), Error> {
        if self.missing.contains(&ifindex) {
            let source = std::io::Error::from_raw_os_error(libc::ENODEV);
            return Err(Error::System { action: format!("attach to interface {ifindex}"), source });
        }
        self.attached.insert(ifindex, kind);
        Ok(())
    }

    fn detach(&mut self, ifindex: u32) -> Result<(), Error> {
        self.attached.remove(&ifindex);
        Ok(())
    }

    fn sweep(&mut self, report: Report, sink: &mut dyn FnMut(FlowRecord)) -> Result<Sweep, Error> {
        let records = std::mem::take(&mut self.records);
        let ended = records.iter().filter(|record| record.ending.is_some()).count() as u64;
        let sweep = Sweep { ended, live: records.len() as u64 - ended };
        let told = |record: &FlowRecord| record.ending.is_some() || report == Report::EndsAndContinuations;
        records.into_iter().filter(told).for_each(sink);
        Ok(sweep)
    }

    fn drain_events(&mut self, limit: usize, sink: &mut dyn FnMut(Event)) -> usize {
        let events = self.events.drain(..limit.min(self.events.len()));
        events.map(sink).count()
    }

    fn set_events(&mut self, kinds: &[EventKind]) {
        self.kinds = kinds.to_vec();
    }

    fn set_anchor(&mut self, anchor: u64) {
        self.anchor = anchor;
    }

    fn take_retired(&mut self) -> Vec<RuleCounts> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::policy::LayerPolicy;

    fn nic(ifindex: u32, slot: u32) -> NicPolicy {
        NicPolicy::new(ifindex, slot)
    }

    #[test]
    fn it_keeps_what_it_is_given_and_refuses_what_the_kernel_would() {
        let mut plane = Simulator::new();
        assert_eq!(plane.publish(&[nic(5, 1), nic(6, 2)]).expect("it is sound"), 1);
        assert_eq!(plane.publish(&[nic(5, 1)]).expect("it is sound"), 2);
        let state = NicState { ifindex: 5, slot: 1, kind: NicKind::Direct, audit: false, generation: 1 };
        assert_eq!(plane.nics(), [state]);
        let mut damaged = nic(6, 2);
        damaged.inbound[0] = Some(LayerPolicy::new("damaged", Arc::from([0; 300])));
        for refused in [vec![nic(5, 1), damaged], vec![nic(5, 1), nic(5, 2)], vec![nic(5, 0)]] {
            plane.publish(&refused).expect_err("it is not sound");
            assert_eq!((plane.generation(), plane.policy().count()), (2, 1));
        }
    }

    #[test]
    fn interfaces_come_and_go() {
        let mut plane = Simulator::new();
        plane.attach(5, NicKind::Direct).expect("it is there");
        plane.attach(5, NicKind::Direct).expect("it is attached already");
        let attached = [Attachment { ifindex: 5, kind: NicKind::Direct }];
        assert_eq!(plane.attached().expect("it is memory"), attached);
        plane.remove_interface(5);
        assert_eq!(plane.attached().expect("it is memory"), []);
        plane.attach(5, NicKind::Direct).expect_err("it is gone");
        plane.detach(5).expect("detaching is no error");
    }
}

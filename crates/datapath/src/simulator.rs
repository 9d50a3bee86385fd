//! A datapath that is only memory: for tests of what stands above.
//!
//! It checks what the kernel's would check, keeps what it is given, and judges no packet.

use std::collections::{BTreeMap, BTreeSet};

use palisade_classify::blob::BlobView;

use crate::{
    error::Error,
    plane::{Plane, Watch},
    policy::{Attachment, NicKind, NicPolicy, NicState, SlotCounters, Sweep},
};

/// The datapath of a host that does not exist.
#[derive(Debug, Default)]
pub struct Simulator {
    generation: u64,
    nics: Vec<(NicPolicy, u64)>,
    attached: BTreeMap<u32, NicKind>,
    missing: BTreeSet<u32>,
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
}

impl Plane for Simulator {
    fn publish(&mut self, nics: &[NicPolicy]) -> Result<u64, Error> {
        crate::policy::check(nics, u32::MAX)?;
        for nic in nics {
            for (layer, blob) in nic.blobs() {
                BlobView::parse(blob).map_err(|source| Error::Blob { slot: nic.slot, layer, source })?;
            }
        }
        self.generation += 1;
        let old = std::mem::take(&mut self.nics);
        for nic in nics {
            let same = old.iter().find(|(old, _)| {
                old.slot == nic.slot && old.inbound == nic.inbound && old.outbound == nic.outbound
            });
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

    fn sweep(&mut self) -> Result<Sweep, Error> {
        Ok(Sweep::default())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use palisade_abi::verdict::LAYERS;

    use super::*;

    fn nic(ifindex: u32, slot: u32) -> NicPolicy {
        let none = [const { None }; LAYERS];
        NicPolicy { ifindex, slot, kind: NicKind::Direct, inbound: none.clone(), outbound: none }
    }

    #[test]
    fn it_keeps_what_it_is_given_and_refuses_what_the_kernel_would() {
        let mut plane = Simulator::new();
        assert_eq!(plane.publish(&[nic(5, 1), nic(6, 2)]).expect("it is sound"), 1);
        assert_eq!(plane.publish(&[nic(5, 1)]).expect("it is sound"), 2);
        assert_eq!(plane.nics(), [NicState { ifindex: 5, slot: 1, kind: NicKind::Direct, generation: 1 }]);
        let mut damaged = nic(6, 2);
        damaged.inbound[0] = Some(Arc::from([0; 300]));
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

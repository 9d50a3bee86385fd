//! What is written down of a host, and what its numbers are called.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use palisade_datapath::{NicState, Plane};

use super::Agent;
use crate::events::NicNames;
use crate::identity::NicId;
use crate::interfaces::matching::Matches;
use crate::load::Loaded;
use crate::plan::Observed;
use crate::slots::Slots;
use crate::state::{AcceptedEstate, ClosedInterface, NicRecord, State};

impl<P: Plane> Agent<P> {
    /// What will be written down of a host in this shape.
    pub(super) fn expected(&self, matches: Matches, slots: &Slots, observed: &Observed) -> State {
        let name = |ifindex: &u32| observed.interfaces.get(ifindex).cloned().unwrap_or_default();
        let mut nics = BTreeMap::new();
        let mut closed = BTreeMap::new();
        let mut close = |ifindex: u32, why: &str| {
            closed.insert(name(&ifindex), ClosedInterface { ifindex, why: why.to_owned() });
        };
        for (id, at) in &matches.assigned {
            match self.record(id, at.ifindex, slots[id], name(&at.ifindex)) {
                Some(record) => drop(nics.insert(id.clone(), record)),
                None => {
                    close(at.ifindex, "its machine started while the estate is refused (repair the estate)");
                }
            }
        }
        for at in &matches.contested {
            close(at.ifindex, "it is not certain which NIC it belongs to");
        }
        let assigned: BTreeSet<u32> = matches.attachments().iter().map(|at| at.ifindex).collect();
        for attachment in &observed.attached {
            let ifindex = attachment.ifindex;
            if observed.interfaces.contains_key(&ifindex) && !assigned.contains(&ifindex) {
                close(
                    ifindex,
                    "its NIC is no longer in the estate (delete the interface, or remove the instance)",
                );
            }
        }
        State { nics, closed, elsewhere: matches.elsewhere, problems: matches.problems, ..self.state.clone() }
    }

    /// What is known of a NIC that is here; `None` if it has no policy.
    fn record(&self, id: &NicId, ifindex: u32, slot: u32, interface: String) -> Option<NicRecord> {
        let Some(compiled) = &self.compiled else {
            return self.state.nics.get(id).filter(|known| known.ifindex == ifindex).cloned();
        };
        let nic = compiled.nics.get(id)?;
        Some(NicRecord {
            name: nic.identity.name.clone(),
            interface,
            ifindex,
            slot,
            subnet_nsg: nic.subnet_nsg.clone(),
            nic_nsg: nic.nic_nsg.clone(),
            audit: nic.audit.clone(),
            guards_off: nic.guards_off.clone(),
        })
    }

    /// Notes what the numbers of the policy in force are called, if that is the one that was compiled.
    pub(super) fn note_names(&mut self) {
        let Some(compiled) = self.compiled.as_ref().filter(|_| self.digest_in_force().is_some()) else {
            return;
        };
        let in_force: BTreeMap<u32, NicState> =
            self.plane.nics().into_iter().map(|nic| (nic.slot, nic)).collect();
        for (id, record) in &self.state.nics {
            let found = in_force.get(&record.slot).zip(compiled.nics.get(id));
            let Some((nic, compiled)) = found else { continue };
            let (name, interface) = (record.name.clone(), record.interface.clone());
            let rules = Arc::clone(&compiled.names);
            self.book.note(nic.slot, nic.generation, NicNames { id: id.clone(), name, interface, rules });
        }
    }
}

/// What is written down of an estate that was accepted.
pub(super) fn accepted(loaded: Loaded, now: u64) -> AcceptedEstate {
    let Loaded { files, digest, warnings, .. } = loaded;
    AcceptedEstate { loaded: now, files, digest, warnings }
}

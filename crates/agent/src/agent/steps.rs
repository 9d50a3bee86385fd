//! The steps of the plan: taking them, and what became of them.

use std::collections::BTreeMap;

use palisade_datapath::{Attachment, Limits, NicPolicy, Plane};

use super::Agent;
use crate::compile::Compiled;
use crate::error::in_full;
use crate::event::Event;
use crate::identity::NicId;
use crate::interfaces::matching::Matches;
use crate::plan::{Op, PolicyDigest};
use crate::slots::Slots;
use crate::state::{Failure, Published};

/// Why an interface is left open though it is a NIC's.
const NOTHING_IN_FORCE: &str = "no policy was ever in force on this host, and without one it would be cut off (see why the \
                                estate is not in force)";

/// What became of a list of steps.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub unpublished: Option<Failure>,
    pub unenforced: BTreeMap<String, String>,
}

impl Outcome {
    fn note(&mut self, op: &Op, error: &str, now: u64) {
        match op {
            Op::Attach { interface, .. } => drop(self.unenforced.insert(interface.clone(), error.to_owned())),
            Op::Publish { .. } => self.unpublished = Some(Failure { time: now, message: error.to_owned() }),
            // Its interface is gone; what is left of it is looked at again at the next start.
            Op::Forget { .. } => {}
        }
    }
}

impl<P: Plane> Agent<P> {
    /// What publishing will lead to. It is written down before, so that an agent that dies in between knows it.
    pub(super) fn intended(&self, op: &Op) -> Option<Published> {
        let Op::Publish { nics } = op else { return None };
        Some(Published { generation: self.plane.generation() + 1, digest: PolicyDigest::of(nics) })
    }

    /// Takes the steps. One that fails does not keep the others from being taken: each makes the host more closed. Only
    /// a host where nothing was ever enforced has no machine cut off for the lack of a policy.
    pub(super) fn execute(&mut self, ops: Vec<Op>, nothing_attached: bool, now: u64) -> Outcome {
        let mut outcome = Outcome::default();
        for op in ops {
            let result = match &op {
                Op::Attach { interface, .. } if nothing_attached && self.plane.generation() == 0 => {
                    outcome.unenforced.insert(interface.clone(), NOTHING_IN_FORCE.to_owned());
                    continue;
                }
                Op::Attach { at, .. } => self.plane.attach(at.ifindex, at.kind).map(|()| None),
                Op::Publish { nics } => {
                    self.plane.publish(nics).map(|generation| Some((generation, nics.len())))
                }
                Op::Forget { ifindex } => self.plane.detach(*ifindex).map(|()| None),
            };
            match result {
                Ok(None) => self.events.push(Event::Done(op)),
                Ok(Some((generation, interfaces))) => {
                    self.events.push(Event::InForce { generation, interfaces });
                }
                Err(error) => {
                    let error = in_full(&error);
                    outcome.note(&op, &error, now);
                    self.events.push(Event::Failed { op, error });
                }
            }
        }
        outcome
    }
}

/// The policy of the NICs that are here.
pub(super) fn policy(
    compiled: &Compiled,
    matches: &Matches,
    slots: &Slots,
    limits: Limits,
) -> Vec<NicPolicy> {
    let one = |(id, at): (&NicId, &Attachment)| {
        let template = compiled.nics.get(id)?.policy.clone();
        Some(NicPolicy { ifindex: at.ifindex, slot: slots[id], kind: at.kind, limits, ..template })
    };
    matches.assigned.iter().filter_map(one).collect()
}

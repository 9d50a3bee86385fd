//! One agent: what it accepted, what it did, and the one function that makes the kernel agree.
//!
//! It does no waiting and reads no clock: [`crate::run()`] tells it when to look and what time it is. Generic over the
//! datapath, so that tests run it against one that is only memory.
//!
//! Invariants: a refused estate changes nothing; the numbers of NICs are on disk before the kernel learns them; no
//! interface is attached before a policy was in force on this host.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use palisade_datapath::{Attachment, NicPolicy, NicState, Plane};
use palisade_net::Direction;

use crate::clock::{Anchor, Reading, Step};
use crate::compile::{self, Compiled, Windows};
use crate::error::{AgentError, in_full};
use crate::event::Event;
use crate::events::{NameBook, NicNames};
use crate::identity::NicId;
use crate::instance::{Instance, InstanceLock};
use crate::interfaces::Inventory;
use crate::interfaces::matching::{MatchProblem, Matches, match_nics};
use crate::load::{self, EstateSources, LoadError, Loaded};
use crate::plan::{Desired, Observed, Op, PolicyDigest, plan};
use crate::slots::{self, Slots};
use crate::state::{
    AcceptedEstate, ClosedInterface, Failure, NicRecord, Published, Refusal, STATE_VERSION, State,
};

/// Why an interface is left open though it is a NIC's.
const NOTHING_IN_FORCE: &str = "no policy was ever in force on this host, and without one it would be cut off (see why the estate is not in force)";

/// The agent of one instance.
#[derive(Debug)]
pub struct Agent<P> {
    instance: Instance,
    sources: EstateSources,
    plane: P,
    /// The estate that was accepted last, since this agent started.
    compiled: Option<Compiled>,
    /// The anchor that the kernel judges windows by, since this agent started; `None` until the wall clock is known.
    anchor: Option<Anchor>,
    /// Whether the wall clock was found never to have been set.
    is_clock_unset: bool,
    state: State,
    /// Whether that is on disk. The disk may be full; what was decided still counts, and is written when it can be.
    is_written: bool,
    /// What the kernel's numbers are called.
    book: NameBook,
    /// Events since they were last taken.
    events: Vec<Event>,
    _lock: InstanceLock,
}

impl<P: Plane> Agent<P> {
    /// Takes over an instance: its state, and what `open` finds in the kernel. `now` is in seconds since 1970.
    ///
    /// # Errors
    /// If another agent has the instance, or the datapath refuses.
    pub fn start(
        instance: Instance,
        sources: EstateSources,
        now: u64,
        open: impl FnOnce(&Instance) -> Result<P, AgentError>,
    ) -> Result<Self, AgentError> {
        let lock = instance.lock()?;
        let plane = open(&instance)?;
        // What another datapath was told says nothing about this one.
        let before =
            State::read(&instance)?.filter(|state| state.pin_dir == instance.pin_dir).unwrap_or_default();
        let (pid, pin_dir) = (std::process::id(), instance.pin_dir.clone());
        let state = State { version: STATE_VERSION, pid, started: now, pin_dir, ..before };
        state.write(&instance)?;
        let generation = plane.generation();
        let events = if generation > 0 { vec![Event::Adopted { generation }] } else { Vec::new() };
        Ok(Self {
            instance,
            sources,
            plane,
            compiled: None,
            anchor: None,
            is_clock_unset: false,
            state,
            is_written: true,
            book: NameBook::default(),
            events,
            _lock: lock,
        })
    }

    /// Reads the estate again. A refused one changes nothing but the account of it.
    ///
    /// # Errors
    /// If the account cannot be written.
    pub fn load(&mut self, now: u64) -> Result<(), AgentError> {
        let outcome = load::estate(&self.sources).and_then(|loaded| {
            match compile::compile(&loaded.estate, self.windows()) {
                Ok(compiled) => Ok((loaded, compiled)),
                Err(problems) => Err(LoadError { problems, digest: loaded.digest }),
            }
        });
        let mut state = self.state.clone();
        match outcome {
            Ok((loaded, compiled)) => {
                self.events
                    .push(Event::Accepted { nics: compiled.nics.len(), warnings: loaded.warnings.len() });
                state.refused = None;
                state.identities = compiled.nics.values().map(|nic| nic.identity.clone()).collect();
                state.windows_closed = compiled.windows_closed;
                state.estate = Some(accepted(loaded, now));
                self.compiled = Some(compiled);
            }
            Err(error) => {
                state.refused = Some(Refusal {
                    time: now,
                    message: error.to_string(),
                    digest: error.digest.clone(),
                    problems: error.problems.clone(),
                });
                self.events.push(Event::Refused(error));
            }
        }
        self.write(state)
    }

    /// Makes the kernel agree with the estate and these interfaces. True if it now does.
    ///
    /// # Errors
    /// If the datapath cannot be read, or the state not be written. Steps that fail are events, and are tried again.
    pub fn sync(&mut self, host: &Inventory, now: u64) -> Result<bool, AgentError> {
        let matches = match_nics(&self.state.identities, host);
        let attached = self.plane.attached()?;
        let in_force: BTreeSet<u32> = self.plane.nics().iter().map(|nic| nic.slot).collect();
        let slots = slots::assign(matches.assigned.keys(), &self.state.slots(), &in_force);

        let observed = Observed {
            interfaces: host.links.iter().map(|link| (link.index, link.name.clone())).collect(),
            remembered: self
                .plane
                .nics()
                .iter()
                .map(|nic| nic.ifindex)
                .chain(self.state.interfaces())
                .collect(),
            in_force: self.digest_in_force(),
            attached,
        };
        let desired = Desired {
            policy: self.compiled.as_ref().map(|compiled| policy(compiled, &matches, &slots)),
            attach: matches.attachments(),
        };
        self.report_new(&matches.problems);
        let mut ops = plan(desired, &observed);
        let intended = ops.iter().find_map(|op| self.intended(op)).or_else(|| self.state.published.clone());
        let state = self.expected(matches, &slots, &observed);
        let written = self.write(State { published: intended, ..state });
        if written.is_err() {
            // What closes an interface does not wait for a disk that may be full; a policy does.
            ops.retain(|op| !matches!(op, Op::Publish { .. }));
        }
        let outcome = self.execute(ops, now);
        self.note_names();
        written.and(self.conclude(outcome))
    }

    /// Notes what the numbers of the policy in force are called, if that is the one that was compiled.
    fn note_names(&mut self) {
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

    /// Writes down what became of the steps; true if all is as it should be.
    fn conclude(&mut self, outcome: Outcome) -> Result<bool, AgentError> {
        let Outcome { unenforced, unpublished } = outcome;
        let is_done = unenforced.is_empty() && unpublished.is_none();
        let accepted = self.state.estate.as_ref().filter(|_| is_done && self.compiled.is_some());
        let enforced = accepted.map(|estate| estate.digest.clone()).or_else(|| self.state.enforced.clone());
        let mut closed = self.state.closed.clone();
        closed.retain(|interface, _| !unenforced.contains_key(interface));
        self.write(State { enforced, closed, unenforced, unpublished, ..self.state.clone() })?;
        Ok(is_done)
    }

    /// Follows the wall clock. True if the estate must be read again, because windows were closed that can be judged now.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn follow_clock(&mut self, reading: &Reading) -> Result<bool, AgentError> {
        let is_unset = reading.judge(self.anchor) == Step::Unset;
        if is_unset && !self.is_clock_unset {
            self.events.push(Event::ClockUnset { wall_s: reading.wall_s });
        }
        self.is_clock_unset = is_unset;
        let Step::Follow(anchor) = reading.judge(self.anchor) else { return Ok(false) };
        let before = self.anchor.replace(anchor);
        self.events.extend(before.map(|from| Event::ClockStepped { from, to: anchor }));
        Ok(before.is_none() && self.compiled.as_ref().is_some_and(|compiled| compiled.windows_closed))
    }

    /// How windows are taken now.
    const fn windows(&self) -> Windows {
        if self.anchor.is_some() { Windows::Judged } else { Windows::Closed }
    }

    /// Ends flows that are over.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn sweep(&mut self) -> Result<(), AgentError> {
        self.plane.sweep()?;
        Ok(())
    }

    /// What happened since this was last asked.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// What is written down.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// The files and folders of the estate.
    pub const fn sources(&self) -> &EstateSources {
        &self.sources
    }

    /// What the kernel's numbers are called.
    pub const fn book(&self) -> &NameBook {
        &self.book
    }

    /// The datapath; the agent ends.
    pub fn into_plane(self) -> P {
        self.plane
    }

    /// The datapath, to be read.
    pub const fn plane(&self) -> &P {
        &self.plane
    }

    /// The digest of the policy in force, if it is the one that was written down.
    fn digest_in_force(&self) -> Option<PolicyDigest> {
        let published = self.state.published.as_ref()?;
        (published.generation == self.plane.generation()).then(|| published.digest.clone())
    }

    /// Reports the problems that were not there before.
    fn report_new(&mut self, problems: &[MatchProblem]) {
        let new = problems.iter().filter(|problem| !self.state.problems.contains(problem));
        self.events.extend(new.cloned().map(Event::Problem));
    }

    /// What publishing will lead to. It is written down before, so that an agent that dies in between knows it.
    fn intended(&self, op: &Op) -> Option<Published> {
        let Op::Publish { nics } = op else { return None };
        Some(Published { generation: self.plane.generation() + 1, digest: PolicyDigest::of(nics) })
    }

    /// What will be written down of a host in this shape.
    fn expected(&self, matches: Matches, slots: &Slots, observed: &Observed) -> State {
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
            guards_off: nic.guards_off.iter().map(|word| (*word).to_owned()).collect(),
        })
    }

    /// Takes the steps. One that fails does not keep the others from being taken: each makes the host more closed. Only
    /// where no policy ever was in force is no machine cut off for the lack of one.
    fn execute(&mut self, ops: Vec<Op>, now: u64) -> Outcome {
        let mut outcome = Outcome::default();
        for op in ops {
            let result = match &op {
                Op::Attach { interface, .. } if self.plane.generation() == 0 => {
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

    /// Keeps the state, on disk too if that has another.
    fn write(&mut self, state: State) -> Result<(), AgentError> {
        self.is_written &= state == self.state;
        self.state = state;
        if !self.is_written {
            self.state.write(&self.instance)?;
            self.is_written = true;
        }
        Ok(())
    }
}

/// What became of a list of steps.
#[derive(Debug, Default)]
struct Outcome {
    unpublished: Option<Failure>,
    unenforced: BTreeMap<String, String>,
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

/// The policy of the NICs that are here.
fn policy(compiled: &Compiled, matches: &Matches, slots: &Slots) -> Vec<NicPolicy> {
    let one = |(id, at): (&NicId, &Attachment)| {
        let nic = compiled.nics.get(id)?;
        Some(NicPolicy {
            ifindex: at.ifindex,
            slot: slots[id],
            kind: at.kind,
            inbound: nic.blobs.bytes(Direction::Inbound),
            outbound: nic.blobs.bytes(Direction::Outbound),
        })
    };
    matches.assigned.iter().filter_map(one).collect()
}

fn accepted(loaded: Loaded, now: u64) -> AcceptedEstate {
    let Loaded { files, digest, warnings, .. } = loaded;
    AcceptedEstate { loaded: now, files, digest, warnings }
}

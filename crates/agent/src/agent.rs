//! One agent: what it accepted, what it did, and the one function that makes the kernel agree.
//!
//! It does no waiting and reads no clock: [`crate::run()`] tells it when to look and what time it is. Generic over the
//! datapath, so that tests run it against one that is only memory.
//!
//! Invariants: a refused estate changes nothing; the numbers of NICs are written down before the kernel learns them
//! (see [`crate::state`] for what that outlives); no interface is attached before a policy was in force on this host.

mod account;
mod endpoints;
pub mod flows;
mod steps;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use palisade_datapath::{Limits, Plane};

use crate::clock::{Anchor, Reading, Step};
use crate::compile::{self, Compiled, Windows};
use crate::error::AgentError;
use crate::event::Event;
use crate::events::NameBook;
use crate::instance::{Instance, InstanceLock};
use crate::interfaces::Inventory;
use crate::interfaces::matching::{MatchProblem, match_nics};
use crate::load::{self, Input, LoadError};
use crate::plan::{Desired, Observed, Op, PolicyDigest, plan};
use crate::slots;
use crate::state::{Refusal, STATE_VERSION, ServerState, State};
use steps::Outcome;

/// The agent of one instance.
#[derive(Debug)]
pub struct Agent<P> {
    instance: Instance,
    input: Input,
    /// How much of the host one NIC may take.
    limits: Limits,
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
        input: impl Into<Input>,
        limits: Limits,
        now: u64,
        open: impl FnOnce(&Instance) -> Result<P, AgentError>,
    ) -> Result<Self, AgentError> {
        let lock = instance.lock()?;
        let plane = open(&instance)?;
        // What another datapath was told says nothing about this one.
        let before =
            State::read(&instance)?.filter(|state| state.pin_dir == instance.pin_dir).unwrap_or_default();
        let (pid, pin_dir) = (std::process::id(), instance.pin_dir.clone());
        let state = State { version: STATE_VERSION, pid, started: now, pin_dir, server: None, ..before };
        state.write(&instance)?;
        let generation = plane.generation();
        let events = if generation > 0 { vec![Event::Adopted { generation }] } else { Vec::new() };
        Ok(Self {
            instance,
            input: input.into(),
            limits,
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
        let outcome = load::read(&self.input).and_then(|loaded| {
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
                state.estate = Some(account::accepted(loaded, now));
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
            policy: self
                .compiled
                .as_ref()
                .map(|compiled| steps::policy(compiled, &matches, &slots, self.limits)),
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
        let outcome = self.execute(ops, observed.attached.is_empty(), now);
        self.note_names();
        written.and(self.conclude(outcome))
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
        self.plane.set_anchor(anchor.0);
        self.events.extend(before.map(|from| Event::ClockStepped { from, to: anchor }));
        Ok(before.is_none() && self.compiled.as_ref().is_some_and(|compiled| compiled.windows_closed))
    }

    /// How windows are taken now.
    const fn windows(&self) -> Windows {
        if self.anchor.is_some() { Windows::Judged } else { Windows::Closed }
    }

    /// What happened since this was last asked.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// What is written down.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Where the estate comes from.
    pub const fn input(&self) -> &Input {
        &self.input
    }

    /// Takes the estate from here from now on: at the next [`Self::load`].
    pub fn set_input(&mut self, input: Input) {
        self.input = input;
    }

    /// The estate that was accepted last, since this agent started.
    pub const fn compiled(&self) -> Option<&Compiled> {
        self.compiled.as_ref()
    }

    /// Writes down how the agent stands to its server.
    ///
    /// # Errors
    /// If the state cannot be written.
    pub fn note_server(&mut self, server: ServerState) -> Result<(), AgentError> {
        self.write(State { server: Some(server), ..self.state.clone() })
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

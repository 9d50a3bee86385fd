//! The agent's side of a server: what arrived becomes what the agent enforces, and what it enforces is reported.
//!
//! It does no waiting: [`crate::run()`] tells it when the connection has news, when the estate was read and when the kernel
//! was made to agree. Invariants: what is reported as in force is in force; what is on disk was accepted.

#[cfg(test)]
mod tests;

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use palisade_datapath::Plane;
use palisade_sync::Hash;

use crate::agent::Agent;
use crate::error::{AgentError, Context, in_full};
use crate::event::Event;
use crate::instance::{self, InstanceLock};
use crate::interfaces::{self, Inventory};
use crate::load::Input;
use crate::machines::{self, Machine, Places};
use crate::records::{Outbox, SPOOL_BYTES, Spool};
use crate::remote::journal::Journal;
use crate::remote::report::{self, Policies};
use crate::remote::{Contact, Link, News, RemoteError, ServerOptions, Snapshot, Standing, Vault, inventory};
use crate::state::ServerState;

/// How often machines are looked for though no interface changed: a hypervisor may start after its interface was made.
/// Looking at every process costs more than all else here.
const MACHINES_LOOK_S: u64 = 30;

/// What the agent has of a server.
#[derive(Debug)]
pub(crate) struct Follower {
    options: ServerOptions,
    vault: Vault,
    journal: Journal,
    /// Flow records that the server does not have yet.
    outbox: Arc<Outbox>,
    /// `None` until the agent has looked at its host once.
    link: Option<Link>,
    /// What arrived last.
    newest: Option<Snapshot>,
    /// What was accepted last.
    accepted: Option<Snapshot>,
    /// What the kernel enforces whole.
    applied: Option<Snapshot>,
    /// Of what was accepted last.
    policies: Policies,
    contact: ServerState,
    /// The machines, when they were last looked for.
    seen: Option<Seen>,
    /// Why the last look failed, if nothing else says so.
    trouble: String,
    /// Why the documents could not be written down, if that was told.
    unwritten: Option<String>,
    /// Two agents would cut off what the other appends.
    _lock: InstanceLock,
}

/// The machines of a host, and when and beside which interfaces they were found.
#[derive(Debug)]
struct Seen {
    links: Vec<interfaces::Link>,
    machines: Vec<Machine>,
    at: u64,
}

/// What was heard.
#[derive(Debug)]
pub(crate) struct Heard {
    /// Whether the estate must be read again.
    pub(crate) is_estate_new: bool,
    /// What an operator wants to read.
    pub(crate) events: Vec<Event>,
}

impl Follower {
    /// Takes the directory, and finds what is there. Nothing is connected yet.
    pub(crate) fn open(options: ServerOptions, now: u64) -> Result<Self, AgentError> {
        let lock = instance::lock(&options.data_dir)?;
        let vault = Vault::open(&options.data_dir)?;
        let journal = Journal::open(&vault.journal())?;
        let flows = vault.flows();
        let spool = Spool::open(&flows, SPOOL_BYTES);
        let spool = spool.context(|| format!("open the spool of flow records {}", flows.display()))?;
        let contact = ServerState {
            address: options.server.to_string(),
            host: options.host.clone(),
            since: now,
            ..ServerState::default()
        };
        Ok(Self {
            newest: journal.kept().cloned(),
            options,
            vault,
            journal,
            outbox: Arc::new(Outbox::new(spool)),
            link: None,
            accepted: None,
            applied: None,
            policies: Policies::default(),
            contact,
            seen: None,
            trouble: String::new(),
            unwritten: None,
            _lock: lock,
        })
    }

    /// Where flow records for the server go.
    pub(crate) fn outbox(&self) -> Arc<Outbox> {
        Arc::clone(&self.outbox)
    }

    /// The newest documents; `None` if there never were any.
    pub(crate) fn input(&self) -> Option<Input> {
        let documents = self.newest.as_ref()?.documents.clone();
        Some(Input::Documents { documents, service_tags: self.options.service_tags.clone() })
    }

    /// Takes in what is new at the connection; `None` if nothing is.
    pub(crate) fn hear<P: Plane>(&mut self, agent: &mut Agent<P>, now: u64) -> Option<Heard> {
        let News { arrived, contact, troubles } = self.link.as_ref()?.take();
        if arrived.is_none() && contact.is_none() && troubles.is_empty() {
            return None;
        }
        let mut events: Vec<_> = troubles.into_iter().map(|error| Event::Trouble { error }).collect();
        events.extend(contact.and_then(|contact| self.turn(contact, now)));
        let is_estate_new = arrived.is_some_and(|snapshot| {
            events.extend(self.take(snapshot, agent));
            agent.state().refused.is_some()
                || self.newest_hash() != self.accepted.as_ref().map(|known| known.hash)
        });
        Some(Heard { is_estate_new, events })
    }

    /// Takes a state that arrived; the event if it is not the same under a new number.
    fn take<P: Plane>(&mut self, snapshot: Snapshot, agent: &mut Agent<P>) -> Option<Event> {
        let is_new = self.newest_hash() != Some(snapshot.hash);
        let event = Event::Arrived { revision: snapshot.revision, documents: snapshot.documents.len() };
        // What was said of the same documents holds for them under the new number.
        for known in [&mut self.accepted, &mut self.applied].into_iter().flatten() {
            if known.hash == snapshot.hash {
                known.revision = snapshot.revision;
            }
        }
        self.newest = Some(snapshot);
        if let Some(input) = self.input() {
            agent.set_input(input);
        }
        is_new.then_some(event)
    }

    fn newest_hash(&self) -> Option<Hash> {
        self.newest.as_ref().map(|known| known.hash)
    }

    /// Notes whether there is a connection; the event if that is news.
    fn turn(&mut self, contact: Contact, now: u64) -> Option<Event> {
        let before = (self.contact.connected, self.contact.error.take());
        let server = self.contact.address.clone();
        let event = match contact {
            Contact::Connected { host } => {
                self.contact.connected = true;
                self.contact.host.clone_from(&host);
                Event::Connected { server, host }
            }
            Contact::Lost { why } => {
                self.contact.connected = false;
                self.contact.error = Some(why.clone());
                Event::Disconnected { why }
            }
        };
        if self.contact.connected != before.0 {
            self.contact.since = now;
        }
        // Every attempt fails alike; one line says it.
        ((self.contact.connected, &self.contact.error) != (before.0, &before.1)).then_some(event)
    }

    /// Takes in that the estate was read.
    pub(crate) fn loaded<P: Plane>(&mut self, agent: &Agent<P>) {
        if let Some(compiled) = agent.compiled().filter(|_| agent.state().refused.is_none()) {
            self.accepted.clone_from(&self.newest);
            self.policies = report::policies(compiled);
        }
    }

    /// Takes in that the host was looked at. No change of policy waits for this: it looks at every process.
    pub(crate) fn looked(&mut self, host: &Inventory, now: u64) {
        let is_old = |seen: &Seen| seen.links != host.links || seen.at + MACHINES_LOOK_S <= now;
        if self.seen.as_ref().is_none_or(is_old) {
            let machines = machines::find(&Places::default(), &host.links);
            self.seen = Some(Seen { links: host.links.clone(), machines, at: now });
        }
    }

    /// Takes in how the kernel was made to agree: reports it, and keeps what was accepted.
    pub(crate) fn synced<P: Plane>(
        &mut self,
        agent: &mut Agent<P>,
        outcome: &Result<bool, AgentError>,
        host: &Inventory,
    ) -> Result<Vec<Event>, AgentError> {
        match outcome {
            Ok(true) if self.accepted.is_some() => {
                self.applied.clone_from(&self.accepted);
                self.trouble.clear();
            }
            Ok(true) => self.trouble.clear(),
            Ok(false) => {
                "not every interface has its policy (see the NICs)".clone_into(&mut self.trouble);
            }
            Err(error) => self.trouble = in_full(error),
        }
        let kept = self.accepted.as_ref().map_or(Ok(()), |accepted| self.journal.keep(accepted));
        self.stand(agent, host)?;
        let settled = kept.and_then(|()| self.journal.settle());
        let revision = |snapshot: &Option<Snapshot>| snapshot.as_ref().map_or(0, |known| known.revision);
        let (revision, seen) = (revision(&self.applied), revision(&self.newest));
        agent.note_server(ServerState { revision, seen, ..self.contact.clone() })?;
        Ok(self.note_written(settled))
    }

    /// Says how the agent stands; the first time, the connection is begun with it.
    fn stand<P: Plane>(&mut self, agent: &Agent<P>, host: &Inventory) -> Result<(), AgentError> {
        let seen = self.newest.as_ref().map_or(0, |newest| newest.revision);
        let report = report::of(agent.state(), self.applied.as_ref(), &self.policies, seen, &self.trouble);
        // Before the first state there is nothing to report: nothing was asked for.
        let report = (seen > 0).then_some(report);
        let machines = self.seen.as_ref().map(|seen| seen.machines.as_slice()).unwrap_or_default();
        let inventory = inventory::of(host, machines);
        let standing = Standing { inventory, report, accepted: self.accepted.clone() };
        match &self.link {
            Some(link) => link.stand(standing),
            None => {
                let (options, vault, outbox) = (self.options.clone(), self.vault.clone(), self.outbox());
                self.link = Some(Link::start(options, vault, outbox, standing)?);
            }
        }
        Ok(())
    }

    /// What there is to say of writing the documents down: once for each new reason.
    fn note_written(&mut self, outcome: Result<(), RemoteError>) -> Vec<Event> {
        let why = outcome.err().map(|error| in_full(&error));
        let is_new = why != self.unwritten;
        self.unwritten.clone_from(&why);
        why.filter(|_| is_new).map(|error| Event::Trouble { error }).into_iter().collect()
    }

    /// What to wait for.
    pub(crate) fn wait_for(&self) -> Option<BorrowedFd<'_>> {
        self.link.as_ref().map(AsFd::as_fd)
    }
}

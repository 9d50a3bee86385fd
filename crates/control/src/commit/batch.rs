//! Actions that are committed together.
//!
//! A batch is a transaction in the making: what its actions changed, what the audit log says of them, and what each caller is
//! answered once it is durable. It never holds a part of an action.

use std::collections::BTreeSet;

use palisade_model::ResourceId;
use palisade_store::{OPERATIONS_MAX, Op, Transaction};

use super::encode::{self, Key, text};
use super::operations::{Kept, Operations};
use super::sequence::{self, Sequence};
use super::{Request, Shared};
use crate::audit::{Body, Entry, Event, Who};
use crate::fleet::HostName;
use crate::gate::Passed;
use crate::plan::{self, Context, Draft, Planned};
use crate::world::Change;
use crate::{Caller, ControlError, Outcome, Override, World, fleet, kinds, time};

/// Entries that a batch writes besides its changes: the sequence, the audit log, operations and those that go for them.
const OVERHEAD: usize = 6;
/// Most bytes of a batch of several actions; etcd takes 1.5 MB in one request.
const BYTES_MAX: usize = 900_000;

/// Actions that were planned, and what they become.
pub(super) struct Batch {
    pub(super) id: String,
    pub(super) changes: Vec<Change>,
    pub(super) sequence: Sequence,
    pub(super) operations: Operations,
    pub(super) answers: Vec<(Request, Result<Outcome, ControlError>)>,
    entries: Vec<Entry>,
    /// Entries of the store that the changes are in.
    keys: BTreeSet<Key>,
    /// Hosts that any of it concerns.
    pub(super) hosts: BTreeSet<HostName>,
    /// A group that was marked and must be emptied.
    pub(super) unfinished: Option<ResourceId>,
}

impl Batch {
    /// An empty batch after `sequence`.
    pub(super) fn new(sequence: &Sequence) -> Self {
        let id = uuid::Uuid::new_v4().simple().to_string();
        Self {
            sequence: sequence.next(&id),
            id,
            changes: Vec::new(),
            operations: Operations::default(),
            answers: Vec::new(),
            entries: Vec::new(),
            keys: BTreeSet::new(),
            hosts: BTreeSet::new(),
            unfinished: None,
        }
    }

    /// Plans an action into the batch; gives it back if the batch has no room for it.
    pub(super) fn add(&mut self, draft: &mut World, shared: &Shared, request: Request) -> Option<Request> {
        let now = time::unix_seconds((shared.options.clock)());
        let context = Context { options: &shared.options, now, address: &request.caller.address };
        let mut own = Draft::new(draft);
        let planned = match plan::plan(&mut own, &context, &request.action) {
            Ok(planned) => planned,
            Err(error) => {
                self.answers.push((request, Err(error)));
                return None;
            }
        };
        let passed = match judge(&mut own, shared, &request.caller, &planned, now) {
            Ok(passed) => passed,
            Err(error) => {
                own.roll_back(0);
                self.answers.push((request, Err(error)));
                return None;
            }
        };
        let keys = encode::keys(own.changes());
        let needed = keys.len() + OVERHEAD;
        if needed > OPERATIONS_MAX {
            own.roll_back(0);
            let message = format!(
                "the request changes {needed} parts of the store, more than {OPERATIONS_MAX}; split it"
            );
            self.answers.push((request, Err(ControlError::new(413, "RequestContentTooLarge", message))));
            return None;
        }
        let further = keys.iter().filter(|key| !self.keys.contains(key)).count();
        if self.keys.len() + further + OVERHEAD > OPERATIONS_MAX {
            own.roll_back(0);
            return Some(request);
        }
        let changes = own.into_changes();
        let warnings = passed.warnings.iter().chain(&planned.warnings).cloned().collect();
        let outcome = self.outcome(draft, shared, &changes, &planned, warnings);
        self.log(&request.caller, now, &planned, passed, !changes.is_empty());
        self.take(changes, keys);
        self.unfinished = planned.unfinished;
        self.answers.push((request, Ok(outcome)));
        None
    }

    /// Has changes that no caller asked for, if they are all that it has.
    pub(super) fn of_changes(sequence: &Sequence, changes: Vec<Change>) -> Self {
        let mut batch = Self::new(sequence);
        let keys = encode::keys(&changes);
        batch.take(changes, keys);
        batch
    }

    fn take(&mut self, changes: Vec<Change>, keys: BTreeSet<Key>) {
        self.changes.extend(changes);
        self.keys.extend(keys);
    }

    fn outcome(
        &mut self,
        draft: &World,
        shared: &Shared,
        changes: &[Change],
        planned: &Planned,
        warnings: Vec<ControlError>,
    ) -> Outcome {
        let ids: Vec<ResourceId> = changes.iter().filter_map(Change::id).cloned().collect();
        let hosts = {
            let before = shared.world.read().unwrap_or_else(std::sync::PoisonError::into_inner);
            fleet::concerned(&before, draft, &ids)
        };
        self.hosts.extend(hosts.iter().cloned());
        let about = kinds::locate(&ResourceId::new(&planned.target)).ok().map(|target| target.top);
        Outcome {
            effect: planned.effect,
            revision: draft.revision(),
            operation: self.operations.add(&self.id, hosts, about),
            resource: planned.resource.clone(),
            warnings,
        }
    }

    /// Tells the audit log what was done; of what changed nothing only if that was asked for.
    fn log(&mut self, caller: &Caller, now: u64, planned: &Planned, passed: Passed, changed: bool) {
        if !changed && planned.note.is_none() {
            return;
        }
        let body =
            |value: &Option<serde_json::Value>| value.as_ref().map(|value| Body::of(&planned.target, value));
        self.entries.push(self.sequence.audit.append(Event {
            time: time::rfc3339(now),
            caller: Who { oid: caller.principal.clone(), name: caller.name.clone() },
            address: caller.address.clone(),
            correlation: caller.correlation.clone(),
            verb: planned.verb.clone(),
            target: planned.target.clone(),
            before: body(&planned.before),
            after: body(&planned.after),
            outcome: planned.note.clone().unwrap_or_else(|| format!("{:?}", planned.effect)),
            broken: passed.broken,
            reason: passed.reason,
        }));
    }

    /// Whether nothing is to be written.
    pub(super) const fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.entries.is_empty()
    }

    /// Whether the batch is of several actions and should be of fewer.
    pub(super) fn is_too_large(&self, transaction: &Transaction) -> bool {
        let bytes: usize = transaction.ops.iter().map(size).sum();
        self.answers.len() > 1 && bytes > BYTES_MAX
    }

    /// The transaction, against the world whose sequence was written at `revision`.
    pub(super) fn transaction(
        &self,
        draft: &World,
        kept: &Kept,
        revision: palisade_store::Revision,
    ) -> Transaction {
        let mut ops = encode::ops(draft, &self.keys);
        ops.push(Op::Put(sequence::KEY.to_owned(), text(&self.sequence)));
        if let Some(first) = self.entries.first() {
            ops.push(Op::Put(format!("audit/{:020}", first.seq), text(&self.entries)));
        }
        if !self.operations.is_empty() {
            ops.extend(kept.ops(&self.id, &self.operations));
        }
        Transaction { guards: vec![sequence::guard(revision)], ops }
    }

    /// Takes the changes back from the planner's world; the requests in their order.
    pub(super) fn undo(self, draft: &mut World) -> Vec<Request> {
        for change in self.changes.iter().rev() {
            draft.undo(change);
        }
        self.answers.into_iter().map(|(request, _)| request).collect()
    }
}

/// What the intents say to what was planned.
fn judge(
    draft: &mut Draft<'_>,
    shared: &Shared,
    caller: &Caller,
    planned: &Planned,
    now: u64,
) -> Result<Passed, ControlError> {
    let emergency = emergency(draft.world(), planned);
    let leave = emergency.as_ref().or(caller.overriding.as_ref());
    let passed = match &planned.unfinished {
        Some(group) => shared.gate.judge_without(draft, group, leave, now),
        None => shared.gate.judge(draft, 0, leave, now),
    };
    match (passed, emergency) {
        // What cannot even be proven does not leave a machine that is taken at large.
        (Err(error), Some(leave)) => {
            Ok(Passed { warnings: vec![error], reason: Some(leave.reason), ..Passed::default() })
        }
        (passed, _) => passed,
    }
}

/// A machine that is taken is isolated whatever intents say; what that breaks is told all the same.
fn emergency(world: &World, planned: &Planned) -> Option<Override> {
    let target = kinds::locate(&ResourceId::new(&planned.target)).ok()?;
    let of = || world.of_kind(kinds::INTENTS).cloned().collect();
    let is_one = target.kind.is(kinds::QUARANTINE) && planned.after.is_some();
    let reason = || planned.after.as_ref()?["properties"]["reason"].as_str();
    is_one.then(|| Override { reason: format!("quarantine: {}", reason().unwrap_or_default()), of: of() })
}

fn size(op: &Op) -> usize {
    match op {
        Op::Put(key, value) => key.len() + value.len(),
        Op::Delete(key) => key.len(),
    }
}

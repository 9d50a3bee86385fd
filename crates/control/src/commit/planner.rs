//! The task that plans and commits.
//!
//! It owns the world that runs ahead. Whatever it commits, or another server has committed, it takes into the world that
//! readers see, in the order of revisions, and tells the listeners. While the store is away it refuses writes at once and
//! tries to find it again; readers keep what they have.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use palisade_model::ResourceId;
use palisade_store::{Commit, Revision, Store, StoreError, Watch};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_stream::StreamExt;

use super::batch::Batch;
use super::difference::difference;
use super::fate::{Fate, RETRY, commit};
use super::load::{self, Floors, Foreign};
use super::operations::Kept;
use super::sequence::Sequence;
use super::{Request, Shared};
use crate::fleet::{self, HostName};
use crate::plan::{self, Draft};
use crate::world::Change;
use crate::{Committed, ControlError, World};

/// Actions that are taken from the queue at once.
const BATCH_MAX: usize = 256;
/// How long the watch may take to tell of a commit that is known to have been made.
const WATCH_MAX: Duration = Duration::from_secs(5);
/// How often an idle store is asked whether it is there.
const HEARTBEAT: Duration = Duration::from_secs(5);
pub(super) struct Planner {
    store: Arc<dyn Store>,
    shared: Arc<Shared>,
    requests: mpsc::Receiver<Request>,
    draft: World,
    sequence: Sequence,
    kept: Kept,
    floors: Floors,
    /// `None` while the store is away.
    watch: Option<Watch>,
    /// Groups that are marked and must be emptied, whoever marked them.
    unfinished: VecDeque<ResourceId>,
}

impl Planner {
    /// Loads the world.
    pub(super) async fn open(
        store: Arc<dyn Store>,
        shared: Arc<Shared>,
        requests: mpsc::Receiver<Request>,
    ) -> Result<Self, StoreError> {
        let mut planner = Self {
            store,
            shared,
            requests,
            draft: World::default(),
            sequence: Sequence::default(),
            kept: Kept::default(),
            floors: Floors::default(),
            watch: None,
            unfinished: VecDeque::new(),
        };
        planner.load().await?;
        Ok(planner)
    }

    /// Serves until nobody can ask any more.
    pub(super) async fn run(mut self) {
        loop {
            self.finish_groups().await;
            if self.watch.is_none() && !self.recover().await {
                return;
            }
            let Some(watch) = self.watch.as_mut() else { continue };
            tokio::select! {
                biased;
                commit = watch.next() => self.told(commit),
                request = self.requests.recv() => match request {
                    Some(request) => self.serve(request).await,
                    None => return,
                },
                () = sleep(HEARTBEAT) => self.beat().await,
            }
        }
    }

    /// Reads everything anew, and lets readers and listeners see what is another.
    async fn load(&mut self) -> Result<(), StoreError> {
        let tags = Arc::new(self.shared.options.tags.clone());
        let loaded = load::load(&*self.store, tags).await?;
        let mut watch = self.store.watch("", loaded.floors.first()).await?;
        let last = loaded.floors.last();
        self.draft = loaded.world;
        self.sequence = loaded.sequence;
        self.kept = loaded.kept;
        self.floors = loaded.floors;
        let mut told = self.floors.first();
        while told < last {
            let commit = timeout(WATCH_MAX, watch.next()).await;
            let commit = commit
                .ok()
                .flatten()
                .unwrap_or_else(|| Err(StoreError::Unavailable("the watch is silent".into())))?;
            told = commit.revision;
            let foreign = load::read(&self.draft, &self.floors, &commit)?;
            self.take(&commit, foreign);
        }
        self.watch = Some(watch);
        self.publish(loaded.operations);
        self.unfinished = going(&self.draft);
        self.alive();
        Ok(())
    }

    /// Lets readers see the planner's world.
    fn publish(&self, operations: Vec<(String, Revision, super::operations::Operations)>) {
        // Who sees a revision finds the operations that began with it.
        for (batch, revision, operations) in operations {
            operations.track(&self.shared.board, &batch, revision);
        }
        let mut world = self.shared.world.write().unwrap_or_else(PoisonError::into_inner);
        let committed = difference(&world, &self.draft);
        *world = self.draft.clone();
        drop(world);
        // Nobody listening is no error.
        drop(self.shared.changes.send(Arc::new(committed)));
    }

    /// Plans and commits a request and whatever else has queued up.
    async fn serve(&mut self, first: Request) {
        let mut queue = VecDeque::from([first]);
        while queue.len() < BATCH_MAX
            && let Ok(request) = self.requests.try_recv()
        {
            queue.push_back(request);
        }
        let mut room = BATCH_MAX;
        while !queue.is_empty() {
            room = self.step(&mut queue, room).await;
        }
    }

    /// Commits as much of the queue as one transaction holds; how many actions the next may have.
    async fn step(&mut self, queue: &mut VecDeque<Request>, room: usize) -> usize {
        let mut batch = Batch::new(&self.sequence);
        while batch.answers.len() < room
            && batch.unfinished.is_none()
            && let Some(request) = queue.pop_front()
        {
            if let Some(request) = batch.add(&mut self.draft, &self.shared, request) {
                queue.push_front(request);
                break;
            }
        }
        if batch.is_empty() {
            answer(batch, self.draft.revision());
            return BATCH_MAX;
        }
        let transaction = batch.transaction(&self.draft, &self.kept, self.draft.revision());
        if batch.is_too_large(&transaction) {
            let half = batch.answers.len() / 2;
            put_back(queue, batch.undo(&mut self.draft));
            return half;
        }
        match commit(&*self.store, transaction).await {
            Fate::Committed(revision) => self.committed(batch, revision).await,
            Fate::Overtaken => self.overtaken(queue, batch).await,
            Fate::Failed(error) => {
                // What is too large for the store says nothing of how the store is.
                if !matches!(error, StoreError::TooLarge { .. }) {
                    self.ailing(&error);
                }
                refuse(batch.undo(&mut self.draft), &error);
            }
        }
        BATCH_MAX
    }

    /// A batch is durable: everyone may know.
    async fn committed(&mut self, mut batch: Batch, revision: Revision) {
        let callers = batch.answers.iter().map(|(request, _)| request.caller.name.clone()).collect();
        let operations = std::mem::take(&mut batch.operations);
        if !operations.is_empty() {
            self.kept.committed(&batch.id);
        }
        self.sequence = batch.sequence.clone();
        self.draft.advance(revision);
        operations.track(&self.shared.board, &batch.id, revision);
        self.show(&batch.changes, revision, std::mem::take(&mut batch.hosts), callers);
        self.alive();
        if let Some(group) = batch.unfinished.clone() {
            self.unfinished.push_back(group);
            self.finish_groups().await;
        }
        answer(batch, revision);
    }

    /// Another server was first, or the batch was committed and its answer lost: the watch tells which.
    async fn overtaken(&mut self, queue: &mut VecDeque<Request>, mut batch: Batch) {
        for change in batch.changes.iter().rev() {
            self.draft.undo(change);
        }
        batch.changes.clear();
        let before = self.draft.revision();
        while self.draft.revision() == before {
            let Some(watch) = self.watch.as_mut() else {
                let error = StoreError::Unavailable("it cannot be watched".into());
                return refuse(batch.undo(&mut self.draft), &error);
            };
            match timeout(WATCH_MAX, watch.next()).await {
                Ok(commit) => self.told(commit),
                Err(_) => self.told(Some(Err(StoreError::Unavailable("its watch is silent".into())))),
            }
            if self.sequence.batch == batch.id {
                return answer(batch, self.draft.revision());
            }
        }
        put_back(queue, batch.undo(&mut self.draft));
    }

    /// The watch has told something, or has ended.
    fn told(&mut self, commit: Option<Result<Commit, StoreError>>) {
        let commit = commit.unwrap_or_else(|| Err(StoreError::Unavailable("its watch has ended".into())));
        let read = commit.and_then(|commit| {
            // What this server committed is there already, and what others wrote beside the sequence is not the world's.
            if commit.revision <= self.draft.revision() {
                return Ok(None);
            }
            load::read(&self.draft, &self.floors, &commit).map(|foreign| Some((commit, foreign)))
        });
        match read {
            Ok(None) => self.alive(),
            Ok(Some((commit, foreign))) => {
                self.alive();
                let begun = foreign.begun.clone();
                let changes = foreign.changes.clone();
                let is_ours = foreign.sequence.is_some();
                self.take(&commit, foreign);
                if is_ours {
                    let hosts = self.concerned(&changes);
                    for (batch, operations) in begun {
                        operations.track(&self.shared.board, &batch, commit.revision);
                    }
                    self.show(&changes, commit.revision, hosts, Vec::new());
                }
            }
            Err(error) => {
                self.watch = None;
                self.ailing(&error);
            }
        }
    }

    /// The hosts that changes of the planner's world concern which readers do not see yet.
    fn concerned(&self, changes: &[Change]) -> BTreeSet<HostName> {
        let ids: Vec<ResourceId> = changes.iter().filter_map(Change::id).cloned().collect();
        let before = self.shared.world.read().unwrap_or_else(PoisonError::into_inner);
        fleet::concerned(&before, &self.draft, &ids)
    }

    /// Takes another server's commit into the planner's world.
    fn take(&mut self, commit: &Commit, foreign: Foreign) {
        for change in &foreign.changes {
            self.draft.apply(change);
        }
        if let Some(sequence) = foreign.sequence.filter(|_| commit.revision > self.draft.revision()) {
            self.sequence = sequence;
            self.draft.advance(commit.revision);
        }
        foreign.begun.iter().for_each(|(batch, _)| self.kept.push(batch));
        foreign.dropped.iter().for_each(|batch| self.kept.forget(batch));
    }

    /// Lets readers see some changes and tells the listeners.
    fn show(&self, changes: &[Change], revision: Revision, hosts: BTreeSet<HostName>, callers: Vec<String>) {
        let mut world = self.shared.world.write().unwrap_or_else(PoisonError::into_inner);
        for change in changes {
            if let Change::Document { after: Some(document), .. } = change {
                document.committed_at(revision);
            }
            world.apply(change);
        }
        world.advance(revision);
        drop(world);
        let changed = changes.iter().filter_map(Change::id).cloned().collect();
        let records = changes.iter().filter_map(Change::key).map(str::to_owned).collect();
        // Nobody listening is no error.
        drop(self.shared.changes.send(Arc::new(Committed { revision, changed, records, hosts, callers })));
    }

    /// Empties groups that are marked, as long as the store takes it.
    async fn finish_groups(&mut self) {
        while let Some(group) = self.unfinished.front().cloned() {
            let mut draft = Draft::new(&mut self.draft);
            let is_gone = draft.world().document(&group).is_none() || plan::finish_group(&mut draft, &group);
            let batch = Batch::of_changes(&self.sequence, draft.into_changes());
            if !batch.changes.is_empty() {
                let transaction = batch.transaction(&self.draft, &self.kept, self.draft.revision());
                match commit(&*self.store, transaction).await {
                    Fate::Committed(revision) => Box::pin(self.committed(batch, revision)).await,
                    Fate::Overtaken => {
                        Box::pin(self.overtaken(&mut VecDeque::new(), batch)).await;
                        continue;
                    }
                    Fate::Failed(error) => {
                        self.ailing(&error);
                        batch.undo(&mut self.draft);
                        return;
                    }
                }
            }
            if is_gone {
                self.unfinished.pop_front();
            }
        }
    }

    /// Finds the store again; false once nobody can ask any more. Meanwhile writes are refused.
    async fn recover(&mut self) -> bool {
        loop {
            match self.load().await {
                Ok(()) => return true,
                Err(error) => self.ailing(&error),
            }
            let pause = sleep(RETRY);
            tokio::pin!(pause);
            loop {
                tokio::select! {
                    () = &mut pause => break,
                    request = self.requests.recv() => match request {
                        Some(request) => refuse(vec![request], &self.problem()),
                        None => return false,
                    },
                }
            }
        }
    }

    /// Asks an idle store whether it is there.
    async fn beat(&mut self) {
        let store = self.store.clone();
        match timeout(WATCH_MAX, store.status()).await {
            Ok(Ok(status)) if status.refuses.is_none() => self.alive(),
            Ok(Ok(status)) => self.ailing(&StoreError::Full(status.refuses.unwrap_or_default())),
            Ok(Err(error)) => self.ailing(&error),
            Err(_) => self.ailing(&StoreError::Unavailable("it does not answer".into())),
        }
    }

    fn alive(&self) {
        let mut pulse = self.shared.pulse.lock().unwrap_or_else(PoisonError::into_inner);
        pulse.answered = Instant::now();
        pulse.problem = None;
    }

    fn ailing(&self, error: &StoreError) {
        let mut pulse = self.shared.pulse.lock().unwrap_or_else(PoisonError::into_inner);
        pulse.problem = Some(error.to_string().into());
    }

    fn problem(&self) -> StoreError {
        let pulse = self.shared.pulse.lock().unwrap_or_else(PoisonError::into_inner);
        StoreError::Unavailable(pulse.problem.as_deref().unwrap_or("it is being read").to_owned())
    }
}

/// Answers everyone whose action is in a batch that is durable, or that changed nothing.
fn answer(batch: Batch, revision: Revision) {
    for (request, outcome) in batch.answers {
        let outcome = outcome.map(|outcome| crate::Outcome { revision, ..outcome });
        // A caller that has gone away needs no answer.
        drop(request.answer.send(outcome));
    }
}

fn refuse(requests: Vec<Request>, error: &StoreError) {
    for request in requests {
        drop(request.answer.send(Err(ControlError::from(error.clone()))));
    }
}

fn put_back(queue: &mut VecDeque<Request>, requests: Vec<Request>) {
    for request in requests.into_iter().rev() {
        queue.push_front(request);
    }
}

/// Groups that are marked as going.
fn going(world: &World) -> VecDeque<ResourceId> {
    let groups = world.of_kind(crate::kinds::GROUP).filter_map(|id| world.document(id));
    groups
        .filter(|group| group.properties()["provisioningState"] == "Deleting")
        .map(|group| group.id().clone())
        .collect()
}

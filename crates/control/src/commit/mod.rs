//! The way of an action: queued, planned, committed, taken into the world, answered.
//!
//! One task does it for all. It takes what has queued up, plans it in order and commits it together, so that many small
//! writes cost one flush of the disk. Another server may commit meanwhile; then the same actions are planned again on what
//! is true now. Reference: docs/adr/0024-one-planner-one-sequence.md.

mod batch;
mod current;
mod difference;
mod encode;
mod fate;
mod load;
mod operations;
mod planner;
#[cfg(test)]
mod random;
mod sequence;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Instant, SystemTime};

use palisade_store::Store;
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::fleet::{Board, OperationState};
use crate::gate::Gate;
use crate::{Action, Caller, Committed, ControlError, Health, Options, Outcome, World};
pub use current::CURRENT_MAX;
use current::Inquiry;
pub use fate::LOST_ANSWER_MAX;
pub(crate) use load::RECORD_PREFIXES;
pub use operations::drop_operations;
use planner::Planner;

/// Actions that may wait; beyond it a caller waits to be let in.
const QUEUE_MAX: usize = 4_096;
/// Commits that a slow listener may be behind before it must read the world anew.
const CHANGES_MAX: usize = 1_024;

/// The control plane of one server. Clones are the same.
#[derive(Debug, Clone)]
pub struct Control {
    shared: Arc<Shared>,
    inquiry: Arc<Inquiry>,
    queue: mpsc::Sender<Request>,
}

/// What the planner and everybody else have in common.
#[derive(Debug)]
struct Shared {
    world: RwLock<World>,
    board: Board,
    gate: Gate,
    changes: broadcast::Sender<Arc<Committed>>,
    pulse: Mutex<Pulse>,
    options: Options,
}

/// How the store was lately.
#[derive(Debug)]
struct Pulse {
    answered: Instant,
    problem: Option<Arc<str>>,
}

/// An action in the queue.
#[derive(Debug)]
struct Request {
    caller: Caller,
    action: Action,
    answer: oneshot::Sender<Result<Outcome, ControlError>>,
}

impl Control {
    /// Loads the world from a store and begins to serve.
    pub async fn open(store: Arc<dyn Store>, options: Options) -> Result<Self, ControlError> {
        let (queue, requests) = mpsc::channel(QUEUE_MAX);
        let (changes, _) = broadcast::channel(CHANGES_MAX);
        let board = Board::new(options.clock.clone(), options.confirm_timeout);
        let pulse = Mutex::new(Pulse { answered: Instant::now(), problem: None });
        let world = RwLock::new(World::default());
        let shared = Arc::new(Shared { world, board, gate: Gate::default(), changes, pulse, options });
        let inquiry = Arc::new(Inquiry::new(store.clone()));
        let planner = Planner::open(store, shared.clone(), requests).await?;
        tokio::spawn(planner.run());
        Ok(Self { shared, inquiry, queue })
    }

    /// Looks at the world. Nothing is committed meanwhile, so it must be quick and must not wait for anything.
    pub fn read<R>(&self, look: impl FnOnce(&World) -> R) -> R {
        // A look that panicked has changed nothing.
        look(&self.shared.world.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Does an action; it is durable when this returns.
    pub async fn act(&self, caller: &Caller, action: Action) -> Result<Outcome, ControlError> {
        let (answer, outcome) = oneshot::channel();
        let request = Request { caller: caller.clone(), action, answer };
        let stopped = || ControlError::new(503, "ServerStopping", "the server is stopping");
        self.queue.send(request).await.map_err(|_| stopped())?;
        outcome.await.map_err(|_| stopped())?
    }

    /// Every commit from now on, told when the world has it. Who is too slow must read the world anew.
    pub fn changes(&self) -> broadcast::Receiver<Arc<Committed>> {
        self.shared.changes.subscribe()
    }

    /// What hosts report.
    pub fn fleet(&self) -> &Board {
        &self.shared.board
    }

    /// How an operation stands.
    pub fn operation(&self, id: &str) -> Option<OperationState> {
        self.shared.board.operation(id)
    }

    /// How the world stands to the store.
    pub fn health(&self) -> Health {
        let pulse = self.shared.pulse.lock().unwrap_or_else(PoisonError::into_inner);
        Health {
            revision: self.read(World::revision),
            age: pulse.answered.elapsed(),
            problem: pulse.problem.clone(),
        }
    }

    /// What holds writes to the intents.
    pub(crate) fn gate(&self) -> &Gate {
        &self.shared.gate
    }

    /// What the operator set.
    pub(crate) fn options(&self) -> &Options {
        &self.shared.options
    }

    /// What time it is, by the control plane's clock.
    pub fn now(&self) -> SystemTime {
        (self.shared.options.clock)()
    }
}

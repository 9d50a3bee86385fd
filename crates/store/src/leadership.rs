//! Being the only one who does something, for a while.
//!
//! Whoever holds a [`Leadership`] looks at [`Leadership::held`] before each step of the work, and stops when
//! [`Leadership::lost`] returns. It is not a lock on data: guards of transactions are. See ADR 0023.

use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout_at};

/// The right to do leader-only work. Dropping it gives it back.
#[derive(Debug)]
pub struct Leadership {
    /// Until when it is ours; none: until we end.
    until: watch::Receiver<Option<Instant>>,
    /// Goes away with this: that is how the keeper learns that nobody leads any more.
    _alive: oneshot::Sender<()>,
}

/// The other side of a [`Leadership`]: whoever prolongs it. Dropping it ends nothing earlier than was promised.
#[derive(Debug)]
pub(crate) struct Keeper {
    until: watch::Sender<Option<Instant>>,
    /// Resolves when the leadership is dropped.
    pub(crate) dropped: oneshot::Receiver<()>,
}

impl Leadership {
    /// One that nobody can take away.
    pub(crate) fn forever() -> Self {
        Self { until: watch::channel(None).1, _alive: oneshot::channel().0 }
    }

    /// One that ends then, unless its keeper prolongs it.
    pub(crate) fn until(until: Instant) -> (Self, Keeper) {
        let (sender, until) = watch::channel(Some(until));
        let (alive, dropped) = oneshot::channel();
        (Self { until, _alive: alive }, Keeper { until: sender, dropped })
    }

    /// Whether it is still held. It looks at the clock, so it is right also after the process was paused.
    #[must_use]
    pub fn held(&self) -> bool {
        self.until.borrow().is_none_or(|until| Instant::now() < until)
    }

    /// Returns when it is lost.
    pub async fn lost(&mut self) {
        loop {
            let Some(until) = *self.until.borrow_and_update() else {
                return std::future::pending().await;
            };
            match timeout_at(until, self.until.changed()).await {
                Err(_) => return,
                // The keeper is gone; what it promised last still holds.
                Ok(Err(_)) => return sleep_until(until).await,
                Ok(Ok(())) => {}
            }
        }
    }
}

impl Keeper {
    /// Promises it until later.
    pub(crate) fn prolong(&self, until: Instant) {
        self.until.send_replace(Some(until));
    }

    /// Whether what was promised is over.
    pub(crate) fn over(&self) -> bool {
        self.until.borrow().is_some_and(|until| until <= Instant::now())
    }

    /// Ends it now.
    pub(crate) fn end(&self) {
        self.prolong(Instant::now());
    }
}

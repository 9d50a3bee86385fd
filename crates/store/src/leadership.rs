//! Being the only one who does something, for a while.
//!
//! Whoever holds a [`Leadership`] looks at [`Leadership::held`] before each step of the work, and stops when
//! [`Leadership::lost`] returns. It is not a lock on data: guards of transactions are. See ADR 0023.

use tokio::sync::watch;

/// The right to do leader-only work. Dropping it gives it back.
#[derive(Debug)]
pub struct Leadership {
    held: watch::Receiver<bool>,
    /// Its other side goes away with this: that is how the keeper learns that nobody leads any more.
    _alive: tokio::sync::oneshot::Sender<()>,
}

/// The other side of a [`Leadership`]: whoever keeps it.
#[derive(Debug)]
pub(crate) struct Keeper {
    /// False as soon as it is lost. Dropping it says so too.
    pub(crate) held: watch::Sender<bool>,
    /// Resolves when the leadership is dropped.
    pub(crate) dropped: tokio::sync::oneshot::Receiver<()>,
}

impl Leadership {
    /// One that is held now, and its keeper.
    pub(crate) fn new() -> (Self, Keeper) {
        let (sender, held) = watch::channel(true);
        let (alive, dropped) = tokio::sync::oneshot::channel();
        (Self { held, _alive: alive }, Keeper { held: sender, dropped })
    }

    /// Whether it is still held.
    #[must_use]
    pub fn held(&self) -> bool {
        *self.held.borrow() && self.held.has_changed().is_ok()
    }

    /// Returns when it is lost.
    pub async fn lost(&mut self) {
        // An error means that the keeper is gone, and the leadership with it.
        let _ = self.held.wait_for(|held| !held).await;
    }
}

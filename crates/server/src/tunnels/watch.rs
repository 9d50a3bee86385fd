//! When a tunnel must end though both sides would go on.
//!
//! Every commit is a reason to look: at the tunnel's document, at the request that it rests on, and at what its principal may do.

use std::sync::Arc;

use palisade_control::{
    access::{self as doors, Gone},
    time,
};
use palisade_model::ResourceId;
use tokio::sync::broadcast::error::RecvError;

use super::{CONNECT, Ending};
use crate::{
    access::{self, Principal, directory},
    app::App,
};

/// A tunnel that may have to end.
pub(super) struct Watched {
    pub(super) app: Arc<App>,
    /// The tunnel.
    pub(super) id: ResourceId,
    /// Who has it.
    pub(super) principal: Principal,
    /// What he asked for.
    pub(super) target: ResourceId,
    /// When, in seconds since 1970.
    pub(super) since: u64,
}

impl Watched {
    /// Waits until it must end.
    pub(super) async fn ended(&self) -> Ending {
        let mut changes = self.app.control.changes();
        loop {
            if let Some(ending) = self.look() {
                return ending;
            }
            tokio::select! {
                () = self.app.tunnels.stopping() => return Ending::ServerStopped,
                commit = changes.recv() => match commit {
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return Ending::ServerStopped,
                },
            }
        }
    }

    fn look(&self) -> Option<Ending> {
        let control = &self.app.control;
        let now = time::unix_seconds(self.app.now());
        match control.read(|world| doors::stands(world, &self.id, now)) {
            Err(Gone::Revoked) => return Some(Ending::Revoked),
            Err(Gone::RequestEnded) => return Some(Ending::RequestEnded),
            Ok(()) => {}
        }
        let record = control.read(|world| directory::principal(world, self.principal.oid));
        let is_known = record.is_some_and(|record| record.enabled && record.tokens_from <= self.since);
        let may = is_known && access::authorize(control, &self.principal, CONNECT, &self.target).is_ok();
        (!may).then_some(Ending::NotAllowed)
    }
}

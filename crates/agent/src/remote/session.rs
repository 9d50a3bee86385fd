//! One stream: what the server sends becomes whole states, each checked by its hash before anybody sees it.
//!
//! It does not know what documents mean. Invariant: a [`Snapshot`] that comes out is the server's, byte for byte.

use std::sync::Arc;

use palisade_sync::from_server::Message;
use palisade_sync::{
    Documents, FlowBatch, FlowsKept, FromAgent, FromServer, Hash, InSync, Inventory, Report, TunnelWanted,
    from_agent,
};
use tokio::sync::mpsc;
use tonic::Streaming;

use super::{RemoteError, ServerAddress};

/// All documents of a host at one revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The server's number for it.
    pub revision: u64,
    /// The hash of the documents.
    pub hash: Hash,
    /// The documents.
    pub documents: Arc<Documents>,
}

impl Snapshot {
    /// Documents as those of a revision, if they are what it says.
    pub fn checked(documents: Arc<Documents>, claim: &InSync) -> Option<Self> {
        let hash = documents.hash();
        (claim.hash == hash).then_some(Self { revision: claim.revision, hash, documents })
    }
}

/// What a server says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A state, whole.
    Snapshot(Snapshot),
    /// How far it has flow records.
    FlowsKept(FlowsKept),
    /// Somebody is to be let through to a machine.
    TunnelWanted(TunnelWanted),
}

/// A stream to and from a server.
#[derive(Debug)]
pub struct Session {
    server: ServerAddress,
    outgoing: mpsc::Sender<FromAgent>,
    incoming: Streaming<FromServer>,
    documents: Arc<Documents>,
}

impl Session {
    pub(super) const fn new(
        server: ServerAddress,
        outgoing: mpsc::Sender<FromAgent>,
        incoming: Streaming<FromServer>,
        documents: Arc<Documents>,
    ) -> Self {
        Self { server, outgoing, incoming, documents }
    }

    /// The next state. What has arrived of it stays if the wait is given up, so it may be one branch of a `select`.
    ///
    /// # Errors
    /// If the stream ends, or says what cannot be. [`RemoteError::Differs`]: begin again with nothing.
    pub async fn next(&mut self) -> Result<Snapshot, RemoteError> {
        loop {
            if let Heard::Snapshot(snapshot) = self.hear().await? {
                return Ok(snapshot);
            }
        }
    }

    /// The next state, how far the server has flow records, or a tunnel that is wanted. It may be one branch of a `select` too.
    ///
    /// # Errors
    /// As of [`Self::next`].
    pub async fn hear(&mut self) -> Result<Heard, RemoteError> {
        loop {
            let received = self.incoming.message().await;
            let message = received.map_err(|status| RemoteError::ended(&self.server, &status))?;
            let message = message.and_then(|message| message.message);
            if let Some(heard) = self.take(message.ok_or_else(|| self.over())?)? {
                return Ok(heard);
            }
        }
    }

    fn take(&mut self, message: Message) -> Result<Option<Heard>, RemoteError> {
        match message {
            Message::Reset(_) => self.documents = Arc::default(),
            Message::Change(change) => Arc::make_mut(&mut self.documents).apply(change)?,
            Message::InSync(claim) => {
                let snapshot = Snapshot::checked(Arc::clone(&self.documents), &claim);
                let differs =
                    || RemoteError::Differs { server: self.server.clone(), revision: claim.revision };
                return snapshot.ok_or_else(differs).map(|snapshot| Some(Heard::Snapshot(snapshot)));
            }
            Message::FlowsKept(kept) => return Ok(Some(Heard::FlowsKept(kept))),
            Message::TunnelWanted(wanted) => return Ok(Some(Heard::TunnelWanted(wanted))),
        }
        Ok(None)
    }

    /// Tells what is in force.
    ///
    /// # Errors
    /// If the stream has ended.
    pub async fn report(&self, report: Report) -> Result<(), RemoteError> {
        self.send(from_agent::Message::Report(report)).await
    }

    /// Tells which interfaces there are.
    ///
    /// # Errors
    /// If the stream has ended.
    pub async fn tell_inventory(&self, inventory: Inventory) -> Result<(), RemoteError> {
        self.send(from_agent::Message::Inventory(inventory)).await
    }

    /// Tells what happened to flows. Only a server that takes records may be told.
    ///
    /// # Errors
    /// If the stream has ended.
    pub async fn tell_flows(&self, batch: FlowBatch) -> Result<(), RemoteError> {
        self.send(from_agent::Message::Flows(batch)).await
    }

    async fn send(&self, message: from_agent::Message) -> Result<(), RemoteError> {
        let sent = self.outgoing.send(FromAgent { message: Some(message) }).await;
        sent.map_err(|_| self.over())
    }

    fn over(&self) -> RemoteError {
        RemoteError::Ended { server: self.server.clone(), message: "the server closed the stream".to_owned() }
    }
}

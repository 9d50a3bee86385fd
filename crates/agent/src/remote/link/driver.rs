//! What the thread does: joins, connects, follows the server, renews the certificate, and begins again when it is cut off.
//!
//! Invariant: what it gives the loop was checked by its hash. Everything that fails is told and tried again, with pauses
//! that grow; nothing that fails here changes what is enforced.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use palisade_sync::{Hello, Inventory, Report, TunnelWanted};
use tokio::sync::watch;
use tokio::time::sleep;

use super::sending::Sending;
use super::{Board, Contact, ServerOptions, Standing};
use crate::clock::wall_s;
use crate::error::in_full;
use crate::records::Outbox;
use crate::remote::session::Heard;
use crate::remote::tunnel::{Job, Tunnels};
use crate::remote::vault::Joined;
use crate::remote::{Backoff, Connection, Credentials, RemoteError, Session, Trust, Vault, client};

/// How often the wall clock is asked whether a certificate is to be renewed: that clock may be stepped, and a host sleep.
const RENEW_LOOK: Duration = Duration::from_secs(20);
/// The pause after the spool could not be read.
const SPOOL_PAUSE: Duration = Duration::from_secs(5);
/// The shortest pause between two attempts to renew.
const RENEW_PAUSE: Duration = Duration::from_millis(500);

/// The thread's own.
pub(super) struct Driver {
    options: ServerOptions,
    vault: Vault,
    outbox: Arc<Outbox>,
    standing: watch::Receiver<Standing>,
    board: Board,
    backoff: Backoff,
    /// Those that go through this host to its machines.
    tunnels: Tunnels,
    /// Whether what is here differs from what the server counts, so that all of it is asked for.
    differs: bool,
}

impl Driver {
    pub(super) fn new(
        options: ServerOptions,
        vault: Vault,
        outbox: Arc<Outbox>,
        standing: watch::Receiver<Standing>,
        board: Board,
    ) -> Self {
        let (backoff, tunnels) = (Backoff::default(), Tunnels::default());
        Self { options, vault, outbox, standing, board, backoff, tunnels, differs: false }
    }

    /// Goes on until it is dropped.
    pub(super) async fn run(mut self) {
        loop {
            let Err(error) = self.attempt().await;
            self.differs |= matches!(error, RemoteError::Differs { .. });
            let why = in_full(&error);
            self.board.post(|news| news.contact = Some(Contact::Lost { why }));
            sleep(self.backoff.pause()).await;
        }
    }

    /// One connection, from its beginning to its end.
    async fn attempt(&mut self) -> Result<Infallible, RemoteError> {
        let joined = self.joined().await?;
        let host = joined.credentials.host().to_owned();
        let connection = Connection::open(&self.options.server, &joined.credentials).await?;
        let (hello, have) = {
            let standing = self.standing.borrow_and_update();
            (standing.inventory.clone(), standing.accepted.clone().filter(|_| !self.differs))
        };
        let mut sent = Sent { inventory: hello.clone(), report: None };
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let hello = Hello {
            version,
            inventory: Some(hello),
            tells_flows: true,
            opens_tunnels: true,
            ..Hello::default()
        };
        let session = connection.follow(hello, have.as_ref()).await?;
        self.board.post(|news| news.contact = Some(Contact::Connected { host }));
        let (vault, board) = (self.vault.clone(), self.board.clone());
        let credentials = joined.credentials.clone();
        tokio::select! {
            ended = self.follow(session, &credentials, &mut sent) => ended,
            never = keep_renewed(&vault, &board, &connection, joined) => match never {},
        }
    }

    /// Opens a tunnel beside all this.
    fn tunnel(&self, wanted: TunnelWanted, credentials: &Credentials) {
        let accepted = self.standing.borrow().accepted.as_ref().map(|known| Arc::clone(&known.documents));
        let server = self.options.server.clone();
        let job =
            Job { server, credentials: credentials.clone(), documents: accepted.unwrap_or_default(), wanted };
        if let Err(why) = self.tunnels.open(job) {
            self.board.trouble(format!("a tunnel cannot be opened: {why}"));
        }
    }

    /// Says what is wrong with the spool.
    fn note(&self, outcome: io::Result<()>) {
        if let Err(error) = outcome {
            self.board.trouble(format!("flow records that are spooled cannot be sent: {error}"));
        }
    }

    /// Who this host is: by the certificate that it has, or by one that it gets for its token.
    async fn joined(&self) -> Result<Joined, RemoteError> {
        let ServerOptions { server, token, authority, host, .. } = &self.options;
        let known = self.vault.joined()?;
        let new = |digest: &String| known.as_ref().is_none_or(|known| known.token != *digest);
        let token = token.as_ref().map(|token| (token, token.digest())).filter(|(_, digest)| new(digest));
        let Some((token, digest)) = token else {
            let known = known.ok_or(RemoteError::NotJoined)?;
            return if known.credentials.ends() > wall_s() { Ok(known) } else { Err(RemoteError::Expired) };
        };
        let trust = authority.clone().map_or(Trust::Token, |authority| Trust::Authority(authority.into()));
        let credentials = client::join(server, &trust, token, host).await?;
        let joined = Joined { server: server.to_string(), token: digest, credentials };
        self.vault.keep(&joined)?;
        Ok(joined)
    }

    /// Hands on what the server sends, and what it is to know.
    async fn follow(
        &mut self,
        mut session: Session,
        credentials: &Credentials,
        sent: &mut Sent,
    ) -> Result<Infallible, RemoteError> {
        let mut flows = Sending::new(Arc::clone(&self.outbox));
        loop {
            sent.catch_up(&session, &self.standing).await?;
            tokio::select! {
                arrived = session.hear() => match arrived? {
                    Heard::Snapshot(snapshot) => {
                        (self.differs, self.backoff) = (false, Backoff::default());
                        flows.settle();
                        self.board.post(|news| news.arrived = Some(snapshot));
                    }
                    Heard::FlowsKept(kept) => self.note(flows.kept(&kept)),
                    Heard::TunnelWanted(wanted) => self.tunnel(wanted, credentials),
                },
                batch = flows.next() => match batch {
                    Ok(batch) => session.tell_flows(batch).await?,
                    Err(error) => {
                        self.note(Err(error));
                        sleep(SPOOL_PAUSE).await;
                    }
                },
                changed = self.standing.changed() => {
                    if changed.is_err() {
                        // The loop is gone, and this thread is about to be.
                        std::future::pending::<()>().await;
                    }
                }
            }
        }
    }
}

/// What the server was told on this connection.
struct Sent {
    inventory: Inventory,
    report: Option<Report>,
}

impl Sent {
    /// Tells what differs.
    async fn catch_up(
        &mut self,
        session: &Session,
        standing: &watch::Receiver<Standing>,
    ) -> Result<(), RemoteError> {
        let (inventory, report) = {
            let now = standing.borrow();
            let inventory = (now.inventory != self.inventory).then(|| now.inventory.clone());
            (inventory, now.report.clone().filter(|report| self.report.as_ref() != Some(report)))
        };
        if let Some(report) = report {
            session.report(report.clone()).await?;
            self.report = Some(report);
        }
        if let Some(inventory) = inventory {
            session.tell_inventory(inventory.clone()).await?;
            self.inventory = inventory;
        }
        Ok(())
    }
}

/// Renews the certificate whenever two thirds of its life are over. The connection that is there goes on.
async fn keep_renewed(
    vault: &Vault,
    board: &Board,
    connection: &Connection,
    mut joined: Joined,
) -> Infallible {
    loop {
        let due = Duration::from_secs(joined.credentials.renew_at().saturating_sub(wall_s()));
        if !due.is_zero() {
            sleep(due.min(RENEW_LOOK)).await;
            continue;
        }
        match renew(vault, connection, &joined).await {
            Ok(credentials) => joined.credentials = credentials,
            Err(error) => {
                board.trouble(in_full(&error));
                let left = Duration::from_secs(joined.credentials.ends().saturating_sub(wall_s()));
                sleep((left / 10).clamp(RENEW_PAUSE, RENEW_LOOK)).await;
            }
        }
    }
}

async fn renew(vault: &Vault, connection: &Connection, joined: &Joined) -> Result<Credentials, RemoteError> {
    let credentials = connection.renew(&joined.credentials).await?;
    vault.keep(&Joined { credentials: credentials.clone(), ..joined.clone() })?;
    Ok(credentials)
}

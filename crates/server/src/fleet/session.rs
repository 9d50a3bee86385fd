//! One session: what a host is sent, and what it says.
//!
//! Two halves run beside each other. The one that sends makes the newest span each time it is woken, and sends what differs
//! from what the host has; as long as the host takes nothing, it makes nothing. The one that hears keeps reports. Either
//! ends both.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use palisade_control::Caller;
use palisade_control::fleet::{self, Span};
use palisade_sync::{Documents, FromAgent, FromServer, Hash, Hello, Report, from_agent};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::event::FleetEvent;
use super::flows::Intake;
use super::hub::{Admitted, End, Hub, Signals};
use super::message;
use super::peer::Peer;

/// Messages that wait to be taken by the transport. More would be a queue of old states.
const WAITING_MAX: usize = 2;
/// How long a host may take to say hello.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the board is told that a quiet host is still there.
const HEARD_EVERY: Duration = Duration::from_secs(30);
/// A host that differs is sent everything, but not more often than this.
const RESET_EVERY: Duration = Duration::from_secs(10);
/// Why a session ends that the host itself ended.
const CLOSED: &str = "the host closed the connection";

pub(crate) type Outgoing = mpsc::Sender<Result<FromServer, Status>>;

/// Opens a session; what the host is sent.
pub(super) fn open(
    hub: Arc<Hub>,
    peer: Peer,
    caller: Caller,
    incoming: Streaming<FromAgent>,
) -> ReceiverStream<Result<FromServer, Status>> {
    let (outgoing, stream) = mpsc::channel(WAITING_MAX);
    tokio::spawn(async move {
        let ended = Session::run(hub, peer, caller, incoming, outgoing.clone()).await;
        if let Err(status) = ended {
            // Nobody takes it if the connection is gone.
            let _gone = outgoing.send(Err(status)).await;
        }
    });
    ReceiverStream::new(stream)
}

struct Session {
    hub: Arc<Hub>,
    peer: Peer,
    caller: Caller,
    signals: Arc<Signals>,
    /// Revision and hash of the last state that was sent whole.
    sent: Mutex<Option<(u64, Hash)>>,
    /// The host has something else: it must be sent everything.
    differs: Notify,
    /// Where its flow records go, if it has any and somebody takes them.
    flows: Option<Intake>,
}

impl Session {
    async fn run(
        hub: Arc<Hub>,
        peer: Peer,
        caller: Caller,
        mut incoming: Streaming<FromAgent>,
        outgoing: Outgoing,
    ) -> Result<(), Status> {
        let hello = hello(&mut incoming).await?;
        let Admitted { number, signals, kept } = hub.admit(&peer);
        hub.board().connected(&peer.host, &hello.version, &caller.address);
        let (host, version) = (peer.host.clone(), hello.version.clone());
        hub.tell(FleetEvent::Connected { host, address: caller.address.clone(), version });
        let flows = if hello.tells_flows { Intake::open(&hub, &peer.host, &outgoing).await } else { None };
        if hello.opens_tunnels {
            hub.options().desk.enter(&peer.host, number, outgoing.clone());
        }
        let (sent, differs) = (Mutex::default(), Notify::new());
        let session = Self { hub, peer, caller, signals, sent, differs, flows };
        // Between the check of its certificate and now, the host may have been revoked without anyone to tell.
        if !session.peer.is_admitted(session.hub.control()) {
            session.signals.end.send_replace(Some(End::Revoked));
        }
        let mut has = kept.unwrap_or_default();
        let ended = tokio::select! {
            ended = session.send(hello, &mut has, &outgoing) => ended,
            ended = session.hear(&mut incoming) => ended,
            ended = session.ended() => ended,
        };
        session.leave(number, has, &ended);
        ended
    }

    fn leave(&self, number: u64, has: Documents, ended: &Result<(), Status>) {
        let host = &self.peer.host;
        self.hub.options().desk.leave(host, number);
        if self.hub.leave(host, number, has) {
            self.hub.board().lost(host);
            let why = ended.as_ref().err().map_or(CLOSED, Status::message).to_owned();
            self.hub.tell(FleetEvent::Lost { host: host.clone(), why });
        }
    }

    /// Sends what the host is to have, now and whenever it changes. `has` is what it has.
    async fn send(&self, hello: Hello, has: &mut Documents, outgoing: &Outgoing) -> Result<(), Status> {
        if let Some(inventory) = hello.inventory {
            self.inventory(inventory).await?;
        }
        let mut claimed = Some(hello.have_hash);
        let mut compare = interval(self.hub.options().compare_every);
        compare.set_missed_tick_behavior(MissedTickBehavior::Delay);
        compare.reset();
        let mut reset_after = Instant::now();
        loop {
            match self.hub.span(&self.peer.host).await {
                Ok(span) => {
                    let is_known = claimed.take().is_none_or(|hash| adopt(&hash, has, &span));
                    self.send_span(span, is_known, has, outgoing).await?;
                }
                Err(error) => self.refuse(&error.to_string()),
            }
            tokio::select! {
                () = self.signals.wake.notified() => {}
                _ = compare.tick() => {}
                () = async { self.differs.notified().await; sleep_until(reset_after).await } => {
                    // A hash that no documents have: everything is sent again.
                    claimed = Some(Vec::new());
                    reset_after = Instant::now() + RESET_EVERY;
                }
            }
        }
    }

    async fn send_span(
        &self,
        span: Span,
        is_known: bool,
        has: &mut Documents,
        outgoing: &Outgoing,
    ) -> Result<(), Status> {
        for (nic, hosts) in span.rivals {
            self.hub.tell(FleetEvent::Rivals { nic: nic.as_str().to_owned(), hosts });
        }
        let hash = span.documents.hash();
        let reset = (!is_known).then(message::reset);
        if reset.is_some() {
            *has = Documents::default();
        }
        let changes = span.documents.changes_since(has).into_iter().map(message::change);
        let in_sync = message::in_sync(span.revision.0, &hash);
        *self.sent.lock().unwrap_or_else(PoisonError::into_inner) = Some((span.revision.0, hash));
        for message in reset.into_iter().chain(changes).chain([in_sync]) {
            outgoing.send(Ok(message)).await.map_err(|_| Status::cancelled(CLOSED))?;
        }
        *has = span.documents;
        Ok(())
    }

    /// The host cannot be sent its state; it keeps the one it has.
    fn refuse(&self, why: &str) {
        let host = self.peer.host.clone();
        let revision = self.hub.control().read(palisade_control::World::revision);
        self.hub.board().refuse(&host, revision, why);
        self.hub.tell(FleetEvent::TooLarge { host, why: why.to_owned() });
    }

    /// Keeps what the host says, until it says no more.
    async fn hear(&self, incoming: &mut Streaming<FromAgent>) -> Result<(), Status> {
        let mut quiet = interval(HEARD_EVERY);
        quiet.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let said = tokio::select! {
                said = incoming.message() => said?,
                _ = quiet.tick() => {
                    self.hub.board().heard(&self.peer.host);
                    continue;
                }
            };
            match said.map(|said| said.message) {
                None => return Ok(()),
                Some(Some(from_agent::Message::Report(report))) => self.report(report)?,
                Some(Some(from_agent::Message::Inventory(inventory))) => self.inventory(inventory).await?,
                Some(Some(from_agent::Message::Flows(batch))) => {
                    // Who was not asked for records sends none.
                    self.flows.as_ref().map_or(Ok(()), |flows| flows.take(batch))?;
                }
                Some(Some(from_agent::Message::Hello(_))) => {
                    return Err(Status::invalid_argument("hello was said twice"));
                }
                // What a newer agent says that this server does not know.
                Some(None) => {}
            }
        }
    }

    fn report(&self, report: Report) -> Result<(), Status> {
        let host = &self.peer.host;
        let sent = *self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let revision = report.applied_revision;
        if sent.is_some_and(|(at, hash)| at == revision && hash[..] != report.applied_hash[..]) {
            self.hub.tell(FleetEvent::Differs { host: host.clone(), revision });
            self.differs.notify_one();
        }
        let report = message::report(report)?;
        let before = self.hub.board().standing(host).and_then(|standing| standing.report);
        let is_news =
            before.is_none_or(|before| (before.applied, &before.error) != (revision, &report.error));
        if is_news {
            self.hub.tell(if report.error.is_empty() {
                FleetEvent::Applied { host: host.clone(), revision }
            } else {
                let (revision, why) = (report.seen, report.error.clone());
                FleetEvent::PolicyRefused { host: host.clone(), revision, why }
            });
        }
        self.hub.board().report(host, report);
        Ok(())
    }

    /// Keeps the host's inventory. One that cannot be kept ends nothing: the host still enforces what its NICs' tags say.
    async fn inventory(&self, inventory: palisade_sync::Inventory) -> Result<(), Status> {
        let (host, interfaces) = (&self.peer.host, message::inventory(inventory)?);
        let told = fleet::tell_inventory(self.hub.control(), &self.caller, host, interfaces).await;
        if let Err(error) = told {
            self.hub.tell(FleetEvent::InventoryRefused { host: host.clone(), why: error.message });
        }
        Ok(())
    }

    /// Waits until the session must end.
    async fn ended(&self) -> Result<(), Status> {
        let mut end = self.signals.end.subscribe();
        let why = end.wait_for(Option::is_some).await.ok().and_then(|end| *end);
        Err(match why {
            Some(End::Replaced) => Status::aborted("the host has connected again"),
            Some(End::Revoked) => Status::permission_denied("the host was revoked or removed"),
            Some(End::Stopping) | None => Status::unavailable("the server stops"),
        })
    }
}

/// The first message of a host.
async fn hello(incoming: &mut Streaming<FromAgent>) -> Result<Hello, Status> {
    let first = timeout(HELLO_TIMEOUT, incoming.message()).await;
    let first = first.map_err(|_| Status::deadline_exceeded("the host did not say hello"))??;
    match first.and_then(|first| first.message) {
        Some(from_agent::Message::Hello(hello)) => Ok(hello),
        _ => Err(Status::invalid_argument("the first message must be hello")),
    }
}

/// Whether the documents that a host says it has, by their hash, are known: those it should have now, or those it was sent
/// last. `has` is then what it has.
fn adopt(claimed: &[u8], has: &mut Documents, span: &Span) -> bool {
    if span.documents.hash()[..] == *claimed {
        *has = span.documents.clone();
        return true;
    }
    !has.is_empty() && has.hash()[..] == *claimed
}

//! Tunnels through this host to its machines, in a thread of their own.
//!
//! The server asks on its session; each tunnel has a connection of its own to it, so that one whose machine reads slowly holds up
//! neither policies nor another tunnel. The host connects from an address and port that it tells before, and not before
//! the server has said that the kernel lets exactly these through. Invariant: a tunnel ends at its time, and when its server, its
//! machine or this thread does. Reference: docs/connect.md.

mod carry;
mod place;

use std::io;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use palisade_sync::limits::TUNNEL_WAITING_MAX;
use palisade_sync::tunnel_down::Message as Down;
use palisade_sync::tunnel_up::Message as Up;
use palisade_sync::{Documents, TunnelConnected, TunnelDown, TunnelReady, TunnelUp, TunnelWanted};
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tonic::Streaming;

use super::{Connection, Credentials, RemoteError, ServerAddress};
use place::Place;

/// Tunnels of this host at the same time, whatever the server thinks.
const TUNNELS_MAX: usize = 64;
/// Tunnels that wait for the thread.
const WAITING_MAX: usize = 16;
/// How long the server may take to open the way.
const GO_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a machine may take to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A tunnel that is to be.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) server: ServerAddress,
    pub(super) credentials: Credentials,
    /// What the host enforces: a tunnel leads to a machine of these and nowhere else.
    pub(super) documents: Arc<Documents>,
    pub(super) wanted: TunnelWanted,
}

/// The thread; it begins with the first tunnel and ends when this is dropped.
#[derive(Debug, Default)]
pub(super) struct Tunnels(OnceLock<mpsc::Sender<Job>>);

impl Tunnels {
    /// Opens a tunnel.
    pub(super) fn open(&self, job: Job) -> Result<(), String> {
        let jobs = match self.0.get() {
            Some(jobs) => jobs,
            None => {
                let jobs = start().map_err(|error| error.to_string())?;
                self.0.get_or_init(|| jobs)
            }
        };
        jobs.try_send(job).map_err(|_| "too many are being opened at once".to_owned())
    }
}

fn start() -> io::Result<mpsc::Sender<Job>> {
    let (jobs, mut waiting) = mpsc::channel::<Job>(WAITING_MAX);
    let runtime = runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let work = move || {
        runtime.block_on(async move {
            let places = Arc::new(Semaphore::new(TUNNELS_MAX));
            while let Some(job) = waiting.recv().await {
                // The server waits, and is told nothing: it has let in more than there may be.
                let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
                tokio::spawn(async move {
                    // How it ended is told by the server, which knows whom it concerns.
                    let _ended = run(&job).await;
                    drop(place);
                });
            }
        });
        // What still runs is cut with the runtime.
    };
    thread::Builder::new().name("tunnels".to_owned()).spawn(work)?;
    Ok(jobs)
}

/// One tunnel, from its beginning to its end.
async fn run(job: &Job) -> Result<(), RemoteError> {
    let connection = Connection::open(&job.server, &job.credentials).await?;
    let (outgoing, queue) = mpsc::channel(TUNNEL_WAITING_MAX);
    let place = Place::find(&job.wanted, &job.documents).and_then(Place::bind);
    let (ready, bound) = match place {
        Ok(bound) => {
            let (source, id) = (bound.source(), job.wanted.id.clone());
            let (source_address, source_port) = (source.ip().to_string(), source.port().into());
            (TunnelReady { id, source_address, source_port, error: String::new() }, Some(bound))
        }
        Err(error) => {
            let id = job.wanted.id.clone();
            (TunnelReady { id, error, ..TunnelReady::default() }, None)
        }
    };
    let ready = TunnelUp { message: Some(Up::Ready(ready)) };
    outgoing.try_send(ready).expect("a new queue has room");
    let mut incoming = connection.tunnel(queue).await?;
    let (Some(bound), Some(seconds)) = (bound, go(&mut incoming).await) else { return Ok(()) };
    let stream = match timeout(CONNECT_TIMEOUT, bound.connect()).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return fail(outgoing, incoming, error.to_string()).await,
        Err(_) => {
            let why = format!("it did not answer in {} s", CONNECT_TIMEOUT.as_secs());
            return fail(outgoing, incoming, why).await;
        }
    };
    let connected = TunnelUp { message: Some(Up::Connected(TunnelConnected {})) };
    if outgoing.send(connected).await.is_ok() {
        carry(stream, incoming, outgoing, seconds).await;
    }
    Ok(())
}

/// Waits until the way is open; for how many seconds.
async fn go(incoming: &mut Streaming<TunnelDown>) -> Option<u32> {
    match timeout(GO_TIMEOUT, incoming.message()).await.ok()?.ok()??.message? {
        Down::Go(go) => Some(go.seconds),
        Down::Data(_) | Down::Done(_) => None,
    }
}

/// Tells why it cannot be, and waits until the server has heard it.
async fn fail(
    outgoing: mpsc::Sender<TunnelUp>,
    mut incoming: Streaming<TunnelDown>,
    why: String,
) -> Result<(), RemoteError> {
    let told = outgoing.send(TunnelUp { message: Some(Up::Failed(why)) }).await;
    if told.is_ok() {
        let _heard = timeout(GO_TIMEOUT, incoming.message()).await;
    }
    Ok(())
}

/// Carries bytes until either side ends, or the time is over.
async fn carry(
    stream: TcpStream,
    incoming: Streaming<TunnelDown>,
    outgoing: mpsc::Sender<TunnelUp>,
    seconds: u32,
) {
    // The kernel cuts it at its end anyway; nobody is to wait for what is cut.
    let _late = timeout(Duration::from_secs(seconds.into()), carry::both(stream, incoming, outgoing)).await;
}

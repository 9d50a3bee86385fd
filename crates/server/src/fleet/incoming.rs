//! Connections of hosts, after their TLS handshake.
//!
//! Handshakes run beside each other and each within a time, so that a client that says nothing holds nobody up. Who the
//! client is was verified by TLS if it showed a certificate; what it may do is asked for each call.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;

use super::event::FleetEvent;
use super::hub::Teller;

/// Handshakes at the same time; further connections wait in the listener's queue.
const HANDSHAKES_MAX: usize = 256;
/// How long a handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections that wait to be served.
const WAITING_MAX: usize = 64;
/// How long to wait after the listener fails, as it does when there are no more descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The connections of a listener; none any more once the stream is dropped.
pub(super) fn connections(
    listener: TcpListener,
    tls: watch::Receiver<Arc<ServerConfig>>,
    tell: Teller,
) -> impl Stream<Item = io::Result<TlsStream<TcpStream>>> {
    let (ready, connections) = mpsc::channel(WAITING_MAX);
    tokio::spawn(accept(listener, tls, tell, ready));
    ReceiverStream::new(connections)
}

type Ready = mpsc::Sender<io::Result<TlsStream<TcpStream>>>;

async fn accept(listener: TcpListener, tls: watch::Receiver<Arc<ServerConfig>>, tell: Teller, ready: Ready) {
    let permits = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    loop {
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = ready.closed() => return,
        };
        match accepted {
            Ok((stream, address)) => {
                let acceptor = TlsAcceptor::from(Arc::clone(&tls.borrow()));
                let handshake = Handshake { stream, address, acceptor, tell: tell.clone() };
                tokio::spawn(handshake.run(ready.clone(), permit));
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

struct Handshake {
    stream: TcpStream,
    address: SocketAddr,
    acceptor: TlsAcceptor,
    tell: Teller,
}

impl Handshake {
    async fn run(self, ready: Ready, _permit: OwnedSemaphorePermit) {
        // Messages are small and waited for: they must not be held back to be sent together.
        let _slower = self.stream.set_nodelay(true);
        let why = match timeout(HANDSHAKE_TIMEOUT, self.acceptor.accept(self.stream)).await {
            Ok(Ok(stream)) => {
                // Nobody takes it if the server stops.
                let _stopped = ready.send(Ok(stream)).await;
                return;
            }
            Ok(Err(error)) => format!("TLS handshake: {error}"),
            Err(_) => format!("no TLS handshake within {} seconds", HANDSHAKE_TIMEOUT.as_secs()),
        };
        (self.tell)(FleetEvent::Refused { address: Some(self.address), why });
    }
}

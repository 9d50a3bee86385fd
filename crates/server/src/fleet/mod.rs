//! The gRPC side of the server: hosts join here, are told what to enforce, and report what is in force.
//!
//! [`serve`] speaks the protocol of `palisade-sync` over mutual TLS. What a host is to have is `palisade-control`'s to say; here is
//! when it is sent: a session is sent a state or what differs from the one it has, and one that is behind is sent the
//! newest difference, never a queue. Reference: docs/adr/0029-spans-and-operations.md.

mod event;
mod flows;
mod hub;
mod incoming;
mod message;
mod peer;
mod service;
mod session;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use palisade_control::Control;
use palisade_store::Store;
use palisade_sync::enrollment_server::EnrollmentServer;
use palisade_sync::fleet_server::FleetServer;
use palisade_sync::limits::MESSAGE_BYTES_MAX;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::transport::Server;

use crate::tls::Authority;
use crate::tunnels::Desk;
pub use event::FleetEvent;
pub use flows::{FlowSink, FlowSinkError};
use hub::Hub;
use service::Service;
pub(crate) use session::Outgoing;

/// How often a live connection is asked whether it still is.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(10);
/// How long the answer may take.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a host that says nothing is told the hash of what it should have, unless the operator says otherwise.
pub const COMPARE_EVERY: Duration = Duration::from_secs(300);

/// How to serve hosts.
#[derive(Clone)]
pub struct FleetOptions {
    /// Signs certificates of hosts.
    pub authority: Arc<Authority>,
    /// How often hashes are compared.
    pub compare_every: Duration,
    /// The store, if other servers share it and must know how the hosts stand that are served here.
    pub shared: Option<Arc<dyn Store>>,
    /// Where flow records of hosts go; without it, hosts are not asked for any.
    pub flows: Option<Arc<dyn FlowSink>>,
    /// Where hosts are found that open tunnels.
    pub desk: Arc<Desk>,
    /// Where events go; it must not block.
    pub tell: Arc<dyn Fn(FleetEvent) + Send + Sync>,
}

/// Serves hosts until `stop`. The configuration of TLS is taken anew for every connection, so that a renewed certificate is
/// shown at once.
///
/// # Errors
/// What the transport says; that a connection fails is none.
pub async fn serve(
    control: Control,
    listener: TcpListener,
    tls: watch::Receiver<Arc<ServerConfig>>,
    options: FleetOptions,
    stop: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    let hub = Arc::new(Hub::new(control, options));
    let background = hub.start();
    let service = Service::new(Arc::clone(&hub));
    let incoming = incoming::connections(listener, tls, hub.teller());
    let enrollment = EnrollmentServer::new(service.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX);
    let fleet = FleetServer::new(service)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let ended = async {
        stop.await;
        hub.stop();
    };
    let served = Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE_EVERY))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .add_service(enrollment)
        .add_service(fleet)
        .serve_with_incoming_shutdown(incoming, ended)
        .await;
    drop(background);
    served
}

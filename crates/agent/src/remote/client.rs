//! The calls of a host to its server: to join, to renew its certificate, to begin a [`Session`].
//!
//! It keeps nothing and decides nothing. A connection that carries nothing is asked for a sign of life, so that a server
//! that vanished without a word is noticed; every other wait has an end too.

use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use palisade_sync::enrollment_client::EnrollmentClient;
use palisade_sync::fleet_client::FleetClient;
use palisade_sync::limits::MESSAGE_BYTES_MAX;
use palisade_sync::trust::{self, Authority};
use palisade_sync::{
    Certificate, FromAgent, FromServer, Hello, JoinRequest, JoinToken, RenewRequest, TunnelDown, TunnelUp,
    from_agent,
};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Response, Status, Streaming};

use super::credentials::Request;
use super::session::{Session, Snapshot};
use super::{Credentials, RemoteError, ServerAddress};

/// How long a server may take to be reached, and to answer a call.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection that was silent so long is asked for a sign of life.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// It has so long to give one.
pub const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes that may be under way before the host says that it took them.
const WINDOW_BYTES: u32 = 1 << 20;
/// Messages of the host that wait for the connection; reports replace each other before they wait here.
const OUTGOING_MAX: usize = 4;

/// By what a host that joins knows its server.
#[derive(Debug, Clone)]
pub enum Trust {
    /// By the fingerprint in its token.
    Token,
    /// By the authority's certificate, which it was given.
    Authority(Box<Authority>),
}

/// Trades a token for a certificate. The key is made here and does not leave.
///
/// # Errors
/// If the server cannot be reached, is not believed, or refuses.
pub async fn join(
    server: &ServerAddress,
    trust: &Trust,
    token: &JoinToken,
    host: &str,
) -> Result<Credentials, RemoteError> {
    let config = match trust {
        Trust::Token => trust::pinned(*token.authority())?,
        Trust::Authority(authority) => trust::anchored(authority)?,
    };
    let channel = connect(server, config).await?;
    let request = Request::new(host)?;
    let ask = JoinRequest { token: token.to_string(), request: request.text.clone(), host: host.to_owned() };
    let mut client = EnrollmentClient::new(channel);
    let answer = answered(server, client.join(ask)).await?;
    let credentials = request.answered(host, &answer)?;
    if credentials.fingerprint() != token.authority() {
        return Err(RemoteError::OtherAuthority { server: server.clone() });
    }
    Ok(credentials)
}

/// A connection of a host that has a certificate.
#[derive(Debug, Clone)]
pub struct Connection {
    server: ServerAddress,
    client: FleetClient<Channel>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// If the server cannot be reached, or does not believe the host or is not believed.
    pub async fn open(server: &ServerAddress, credentials: &Credentials) -> Result<Self, RemoteError> {
        let channel = connect(server, credentials.tls()?).await?;
        let client = FleetClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX);
        Ok(Self { server: server.clone(), client })
    }

    /// A new certificate for a new key.
    ///
    /// # Errors
    /// If the server refuses or is gone.
    pub async fn renew(&self, credentials: &Credentials) -> Result<Credentials, RemoteError> {
        let request = Request::new(credentials.host())?;
        let ask = RenewRequest { request: request.text.clone() };
        let answer: Certificate = answered(&self.server, self.client.clone().renew(ask)).await?;
        request.answered(credentials.host(), &answer)
    }

    /// Begins to follow the server, from what the host has.
    ///
    /// # Errors
    /// If the server refuses or is gone.
    pub async fn follow(&self, mut hello: Hello, have: Option<&Snapshot>) -> Result<Session, RemoteError> {
        (hello.have_revision, hello.have_hash) =
            have.map_or_else(Default::default, |have| (have.revision, have.hash.to_vec()));
        let (outgoing, queue) = mpsc::channel(OUTGOING_MAX);
        let hello = FromAgent { message: Some(from_agent::Message::Hello(hello)) };
        outgoing.try_send(hello).expect("a new queue has room");
        let incoming: Streaming<FromServer> =
            answered(&self.server, self.client.clone().sync(ReceiverStream::new(queue))).await?;
        let documents = have.map(|have| Arc::clone(&have.documents)).unwrap_or_default();
        Ok(Session::new(self.server.clone(), outgoing, incoming, documents))
    }
}

impl Connection {
    /// Begins a tunnel; its messages come from `outgoing`, and the first of them is there already.
    pub(super) async fn tunnel(
        &self,
        outgoing: mpsc::Receiver<TunnelUp>,
    ) -> Result<Streaming<TunnelDown>, RemoteError> {
        answered(&self.server, self.client.clone().tunnel(ReceiverStream::new(outgoing))).await
    }
}

/// Waits for an answer, and no longer than that.
async fn answered<T>(
    server: &ServerAddress,
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, RemoteError> {
    match timeout(ANSWER_TIMEOUT, call).await {
        Ok(Ok(answer)) => Ok(answer.into_inner()),
        Ok(Err(status)) => Err(RemoteError::refused(server, &status)),
        Err(_) => Err(late(server)),
    }
}

fn late(server: &ServerAddress) -> RemoteError {
    RemoteError::Late { server: server.clone(), seconds: ANSWER_TIMEOUT.as_secs() }
}

/// A channel over a TLS stream that trusts as `config` says.
async fn connect(server: &ServerAddress, config: ClientConfig) -> Result<Channel, RemoteError> {
    let tls = TlsConnector::from(Arc::new(config));
    let place = server.clone();
    let dial = tower::service_fn(move |_| {
        let (tls, place) = (tls.clone(), place.clone());
        async move {
            let stream = TcpStream::connect((place.host.as_str(), place.port)).await?;
            stream.set_nodelay(true)?;
            let name = ServerName::try_from(place.host).map_err(std::io::Error::other)?;
            tls.connect(name, stream).await.map(TokioIo::new)
        }
    });
    // The scheme is for tonic alone, which would else insist on its own TLS.
    let endpoint = Endpoint::from_shared(format!("http://{server}"))
        .map_err(|source| RemoteError::Unreachable { server: server.clone(), source })?
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES);
    match timeout(ANSWER_TIMEOUT, endpoint.connect_with_connector(dial)).await {
        Ok(connected) => {
            connected.map_err(|source| RemoteError::Unreachable { server: server.clone(), source })
        }
        Err(_) => Err(late(server)),
    }
}

//! A tunnel to a port of a machine, over HTTPS: asked for as any action, then bytes both ways on the same connection.
//!
//! The request is HTTP/1.1 with an upgrade, so that one connection is one tunnel and a slow one holds up nobody else. Unlike the rest of this
//! crate it is asynchronous. Reference: RFC 9110, 7.8; docs/connect.md.

mod carry;
mod frame;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body as _, Incoming};
use hyper::header::{AUTHORIZATION, CONNECTION, HOST, UPGRADE};
use hyper::upgrade::Upgraded;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

pub use carry::Ended;
pub use frame::{FRAME_BYTES_MAX, Frame, read_frame, write_frame};

use crate::arm::API_VERSION;
use crate::client::Client;
use crate::error::{ApiError, ClientError};
use crate::transport::{escape, roots};

/// What the upgrade is to.
pub const TUNNEL_PROTOCOL: &str = "palisade-tunnel/1";
/// The header with the id of the tunnel's resource.
pub const TUNNEL_HEADER: &str = "x-palisade-tunnel";
/// The header with the time at which it ends.
pub const TUNNEL_END_HEADER: &str = "x-palisade-tunnel-end";
/// How long it may take until there is an answer: hosts put the way in force, and the machine must answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// The longest refusal that is read, in bytes.
const REFUSAL_BYTES_MAX: usize = 1 << 20;

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Id of a virtual machine or a network interface.
    pub target: String,
    /// Its TCP port.
    pub port: u16,
    /// For how many seconds.
    pub seconds: Option<u32>,
    /// After how many seconds without a byte it ends.
    pub idle: Option<u32>,
    /// Why.
    pub reason: Option<String>,
    /// The ticket that it belongs to.
    pub ticket: Option<String>,
}

impl Wanted {
    /// The path that it is asked for at, with its terms.
    fn path(&self) -> String {
        let mut path = format!("{}/connect?api-version={API_VERSION}&port={}", self.target, self.port);
        let seconds = |time: &Option<u32>| time.map(|time| format!("PT{time}S"));
        let members = [
            ("duration", seconds(&self.seconds)),
            ("idle", seconds(&self.idle)),
            ("justification", self.reason.clone()),
            ("ticket", self.ticket.clone()),
        ];
        for (name, value) in members {
            if let Some(value) = value {
                path.push_str(&format!("&{name}={}", escape(&value)));
            }
        }
        path
    }
}

/// A request for a tunnel, with all that it takes to send it.
#[derive(Debug)]
pub struct TunnelRequest {
    endpoint: String,
    authority: Option<String>,
    token: String,
    path: String,
    overriding: Option<String>,
}

impl Client {
    /// Asks whether a tunnel would be opened, and opens none. Whether the machine answers at the port is not asked.
    ///
    /// # Errors
    /// The refusal that the tunnel would get, or the server cannot be reached.
    pub fn check_tunnel(&self, wanted: &Wanted) -> Result<(), ClientError> {
        let path = format!("{}&validate=true", wanted.path());
        self.call(&Method::POST, &path, &[], Some(&json!({}))).map(drop)
    }

    /// Prepares a request, with a token that is good. It may ask the server for one.
    ///
    /// # Errors
    /// There is no token to be had.
    pub fn tunnel(&self, wanted: &Wanted) -> Result<TunnelRequest, ClientError> {
        Ok(TunnelRequest {
            endpoint: self.endpoint().to_owned(),
            authority: self.profile().authority,
            token: self.token()?,
            path: wanted.path(),
            overriding: self.overridden().map(str::to_owned),
        })
    }
}

/// A tunnel that is open.
#[derive(Debug)]
pub struct Tunnel {
    pub(crate) stream: TokioIo<Upgraded>,
    /// Id of its resource.
    pub id: String,
    /// When it ends, as the server writes times.
    pub end: String,
}

impl TunnelRequest {
    /// Asks for the tunnel.
    ///
    /// # Errors
    /// The server refuses, cannot be reached, or answers something else.
    pub async fn open(&self) -> Result<Tunnel, ClientError> {
        match timeout(ANSWER_TIMEOUT, self.ask()).await {
            Ok(opened) => opened,
            Err(_) => Err(self.unreachable(io::Error::from(io::ErrorKind::TimedOut))),
        }
    }

    async fn ask(&self) -> Result<Tunnel, ClientError> {
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(self.dial().await?))
                .await
                .map_err(|error| self.unreachable(io::Error::other(error)))?;
        tokio::spawn(connection.with_upgrades());
        let authority = self.endpoint.trim_start_matches("https://");
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(&self.path)
            .header(HOST, authority)
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
            .header(CONNECTION, "upgrade")
            .header(UPGRADE, TUNNEL_PROTOCOL);
        if let Some(reason) = &self.overriding {
            request = request.header("x-palisade-override", reason);
        }
        let request = request.body(String::new()).map_err(|error| self.nonsense(error.to_string()))?;
        let response = sender.send_request(request).await;
        let response = response.map_err(|error| self.unreachable(io::Error::other(error)))?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(self.refusal(response).await);
        }
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let header = |name| header(name).unwrap_or_default().to_owned();
        let (id, end) = (header(TUNNEL_HEADER), header(TUNNEL_END_HEADER));
        let upgraded = hyper::upgrade::on(response).await;
        let upgraded = upgraded.map_err(|error| self.unreachable(io::Error::other(error)))?;
        Ok(Tunnel { stream: TokioIo::new(upgraded), id, end })
    }

    /// A TLS connection, which speaks HTTP/1.1 since it offers nothing else.
    async fn dial(&self) -> Result<tokio_rustls::client::TlsStream<TcpStream>, ClientError> {
        let authority = self.endpoint.trim_start_matches("https://");
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().unwrap_or(443)),
            _ => (authority, 443),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let stream =
            TcpStream::connect((host.as_str(), port)).await.map_err(|error| self.unreachable(error))?;
        stream.set_nodelay(true).map_err(|error| self.unreachable(error))?;
        let name =
            ServerName::try_from(host).map_err(|_| ClientError::Endpoint { given: self.endpoint.clone() })?;
        let connector = TlsConnector::from(Arc::new(self.tls()?));
        connector.connect(name, stream).await.map_err(|error| self.unreachable(error))
    }

    fn tls(&self) -> Result<ClientConfig, ClientError> {
        let mut store = RootCertStore::empty();
        for certificate in roots(self.authority.as_deref())? {
            // One that cannot be read vouches for nobody; the others may do.
            let _unread = store.add(certificate.der().to_vec().into());
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let versions = versions.map_err(|error| self.unreachable(io::Error::other(error)))?;
        Ok(versions.with_root_certificates(store).with_no_client_auth())
    }

    async fn refusal(&self, response: Response<Incoming>) -> ClientError {
        let status = response.status().as_u16();
        let mut body = response.into_body();
        let mut read = Vec::new();
        while let Some(Ok(frame)) =
            std::future::poll_fn(|context| std::pin::Pin::new(&mut body).poll_frame(context)).await
            && read.len() < REFUSAL_BYTES_MAX
        {
            read.extend_from_slice(frame.data_ref().map(AsRef::as_ref).unwrap_or_default());
        }
        if status < 400 {
            return self.nonsense(format!("it answers with the status {status} instead of a tunnel"));
        }
        ApiError::read(status, &serde_json::from_slice(&read).unwrap_or(Value::Null)).into()
    }

    fn unreachable(&self, error: io::Error) -> ClientError {
        ClientError::Unreachable { endpoint: self.endpoint.clone(), source: Box::new(ureq::Error::Io(error)) }
    }

    fn nonsense(&self, problem: String) -> ClientError {
        ClientError::Nonsense { url: format!("{}{}", self.endpoint, self.path), problem }
    }
}

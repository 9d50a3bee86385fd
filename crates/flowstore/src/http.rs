//! How S3 and Azure Blob are spoken to: by the HTTP client and the TLS that the rest of the program has.
//!
//! `object_store` would bring a second client with a second cryptography. Its own signing is ring's. A call waits in a thread for
//! blocking work.

use std::{env, fs, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use object_store::client::{
    ClientOptions, HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpService,
};
use ureq::{
    Agent,
    http::{Method, Request},
    tls::{PemItem, RootCerts, TlsConfig, parse_pem},
};

use crate::limits::ANSWER_BYTES_MAX;

/// Names another file of trusted authorities, as it does for OpenSSL.
const TRUST_VARIABLE: &str = "SSL_CERT_FILE";
/// Debian's file of trusted authorities.
const TRUST_FILE: &str = "/etc/ssl/certs/ca-certificates.crt";
/// How long one call may take as a whole.
const CALL_TIMEOUT: Duration = Duration::from_secs(300);
/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Makes clients.
#[derive(Debug)]
pub(crate) struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&authorities()))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let config = Agent::config_builder()
            .tls_config(tls.build())
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(CALL_TIMEOUT))
            .user_agent(concat!("palisade/", env!("CARGO_PKG_VERSION")));
        Ok(HttpClient::new(Service(config.build().new_agent())))
    }
}

/// The authorities that this machine trusts; none if it has no file of them, and then no TLS comes about.
fn authorities() -> Vec<ureq::tls::Certificate<'static>> {
    let file = env::var(TRUST_VARIABLE).unwrap_or_else(|_| TRUST_FILE.to_owned());
    let pem = fs::read(file).unwrap_or_default();
    let certificate = |item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    };
    parse_pem(&pem).filter_map(certificate).collect()
}

#[derive(Debug)]
struct Service(Agent);

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let agent = self.0.clone();
        let answer =
            tokio::task::spawn_blocking(move || call(&agent, Request::from_parts(parts, body))).await;
        answer.map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?
    }
}

/// Asks and reads the whole answer.
fn call(agent: &Agent, request: Request<Bytes>) -> Result<HttpResponse, HttpError> {
    let (parts, body) = request.into_parts();
    // These have a length even if it is 0; the others have no body at all.
    let has_body = !body.is_empty() || matches!(parts.method, Method::POST | Method::PUT);
    let answer = if has_body {
        agent.run(Request::from_parts(parts, body.to_vec()))
    } else {
        agent.run(Request::from_parts(parts, ()))
    };
    let (parts, mut body) = answer.map_err(failed)?.into_parts();
    let bytes = body.with_config().limit(ANSWER_BYTES_MAX).read_to_vec().map_err(failed)?;
    Ok(HttpResponse::from_parts(parts, bytes.into()))
}

/// What kind of failure it was tells whether a call is tried again.
fn failed(error: ureq::Error) -> HttpError {
    let kind = match &error {
        ureq::Error::Timeout(_) => HttpErrorKind::Timeout,
        ureq::Error::ConnectionFailed | ureq::Error::HostNotFound => HttpErrorKind::Connect,
        ureq::Error::Io(io) if io.kind() == std::io::ErrorKind::ConnectionRefused => HttpErrorKind::Connect,
        ureq::Error::Io(_) => HttpErrorKind::Interrupted,
        _ => HttpErrorKind::Unknown,
    };
    HttpError::new(kind, error)
}

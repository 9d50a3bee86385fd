//! One HTTPS connection pool to one server, and the exchange of JSON over it.
//!
//! Every status is an answer here; who asks decides which are errors. It knows no token and no resource. Answers are read
//! up to a bound, and a call as a whole has a time limit, except for a stream that is meant to stay open.

use std::{env, fs, io::BufRead, io::BufReader, path::PathBuf, sync::Arc, time::Duration};

use serde_json::Value;
use ureq::{
    Agent, Body,
    http::{HeaderMap, Method, Request, Response},
    tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem},
};

use crate::error::{ApiError, ClientError};

/// The longest answer that is read, in bytes.
pub const ANSWER_BYTES_MAX: u64 = 256 << 20;
/// Names another file of trusted authorities, as it does for OpenSSL.
const TRUST_VARIABLE: &str = "SSL_CERT_FILE";
/// Debian's file of trusted authorities.
const TRUST_FILE: &str = "/etc/ssl/certs/ca-certificates.crt";
/// How long one call may take as a whole.
const CALL_TIMEOUT: Duration = Duration::from_secs(120);
/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How many idle connections are kept.
const IDLE_CONNECTIONS_MAX: usize = 8;

/// A way to one server.
#[derive(Debug, Clone)]
pub struct Transport {
    agent: Agent,
    endpoint: String,
}

/// What a server answered, whatever it was.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; null if there is none.
    pub body: Value,
    url: String,
}

impl Transport {
    /// A way to the server at an address such as `https://127.0.0.1:8443`, whose certificate must come from the
    /// authority given as PEM, or from one that this machine trusts.
    pub fn new(endpoint: &str, authority: Option<&str>) -> Result<Self, ClientError> {
        let endpoint = endpoint.trim_end_matches('/');
        let host = endpoint.strip_prefix("https://").unwrap_or_default();
        if host.is_empty() || host.contains(['/', '?', '#', '@']) {
            return Err(ClientError::Endpoint { given: endpoint.to_owned() });
        }
        let roots = roots(authority)?;
        let config = Agent::config_builder()
            .tls_config(trusting(&roots))
            .http_status_as_error(false)
            .https_only(true)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .max_idle_connections_per_host(IDLE_CONNECTIONS_MAX)
            .user_agent(concat!("palisade/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self { agent: config.new_agent(), endpoint: endpoint.to_owned() })
    }

    /// The address of the server.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Asks, with a body or without, and reads the answer. A URL of the server's own is taken whole, a path is put behind
    /// its address.
    pub fn exchange(
        &self,
        method: &Method,
        path_or_url: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, ClientError> {
        let url = self.url(path_or_url)?;
        let bytes = body.map(|body| body.to_string().into_bytes());
        let content = bytes.map(|bytes| ("application/json", bytes));
        let response = self.send(method, &url, headers, content, Some(CALL_TIMEOUT))?;
        self.read(url, response)
    }

    /// Posts a form, as token endpoints want it.
    pub fn post_form(&self, path: &str, fields: &[(&str, &str)]) -> Result<Answer, ClientError> {
        let url = self.url(path)?;
        let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
        let content = ("application/x-www-form-urlencoded", pairs.join("&").into_bytes());
        let response = self.send(&Method::POST, &url, &[], Some(content), Some(CALL_TIMEOUT))?;
        self.read(url, response)
    }

    /// Opens a stream that stays open until one side ends it.
    pub(crate) fn stream(
        &self,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<impl BufRead + use<>, ClientError> {
        let url = self.url(path)?;
        let response = self.send(&Method::GET, &url, headers, None, None)?;
        if response.status() != 200 {
            return Err(self.read(url, response)?.refusal().into());
        }
        Ok(BufReader::new(response.into_body().into_with_config().limit(u64::MAX).reader()))
    }

    /// A link that a server gave must lead to this very server: the token goes with it.
    fn url(&self, path_or_url: &str) -> Result<String, ClientError> {
        if path_or_url.starts_with('/') {
            return Ok(format!("{}{path_or_url}", self.endpoint));
        }
        let rest = path_or_url.strip_prefix(&self.endpoint);
        if rest.is_some_and(|rest| rest.starts_with('/')) {
            return Ok(path_or_url.to_owned());
        }
        Err(ClientError::Nonsense {
            url: path_or_url.to_owned(),
            problem: format!("it is a link away from {}", self.endpoint),
        })
    }

    fn send(
        &self,
        method: &Method,
        url: &str,
        headers: &[(&str, &str)],
        content: Option<(&str, Vec<u8>)>,
        timeout: Option<Duration>,
    ) -> Result<Response<Body>, ClientError> {
        let mut request = Request::builder().method(method).uri(url);
        if !headers.iter().any(|(name, _)| *name == "accept") {
            request = request.header("accept", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let nonsense = |error: ureq::http::Error| ClientError::Nonsense {
            url: url.to_owned(),
            problem: error.to_string(),
        };
        let sent = match content {
            Some((kind, bytes)) => {
                let request = request.header("content-type", kind).body(bytes).map_err(nonsense)?;
                self.agent.run(self.agent.configure_request(request).timeout_global(timeout).build())
            }
            None if matches!(*method, Method::POST | Method::PUT | Method::PATCH) => {
                let request = request.body(Vec::new()).map_err(nonsense)?;
                self.agent.run(self.agent.configure_request(request).timeout_global(timeout).build())
            }
            None => {
                let request = request.body(()).map_err(nonsense)?;
                self.agent.run(self.agent.configure_request(request).timeout_global(timeout).build())
            }
        };
        sent.map_err(|source| self.unreachable(source))
    }

    fn read(&self, url: String, mut response: Response<Body>) -> Result<Answer, ClientError> {
        let bytes = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        let bytes = bytes.map_err(|source| self.unreachable(source))?;
        let status = response.status().as_u16();
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            match serde_json::from_slice(&bytes) {
                Ok(body) => body,
                // What is between may refuse in words of its own; the status says enough.
                Err(_) if status >= 400 => Value::Null,
                Err(error) => return Err(ClientError::Nonsense { url, problem: error.to_string() }),
            }
        };
        Ok(Answer { status, headers: std::mem::take(response.headers_mut()), body, url })
    }

    fn unreachable(&self, source: ureq::Error) -> ClientError {
        ClientError::Unreachable { endpoint: self.endpoint.clone(), source: Box::new(source) }
    }
}

impl Answer {
    /// The answer, unless it is an error.
    pub fn success(self) -> Result<Self, ClientError> {
        if self.status < 400 { Ok(self) } else { Err(self.refusal().into()) }
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The texts of the `Warning` headers.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let values = self.headers.get_all("warning").iter().filter_map(|value| value.to_str().ok());
        let text = |value: &str| {
            value.split_once('"').map_or(value, |(_, text)| text).trim_end_matches('"').to_owned()
        };
        values.map(text).collect()
    }

    /// The body as a record.
    pub fn record<T: serde::de::DeserializeOwned>(self) -> Result<T, ClientError> {
        let Self { body, url, .. } = self;
        serde_json::from_value(body)
            .map_err(|error| ClientError::Nonsense { url, problem: error.to_string() })
    }

    /// What was asked.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn refusal(&self) -> ApiError {
        ApiError::read(self.status, &self.body)
    }
}

/// The authority that was given, or those that this machine trusts.
pub(crate) fn roots(authority: Option<&str>) -> Result<Vec<Certificate<'static>>, ClientError> {
    let none = || ClientError::Authority { what: "the authority".to_owned() };
    authority.map_or_else(of_machine, |pem| certificates(pem).ok_or_else(none))
}

/// TLS with whoever has a certificate of an authority that this machine trusts.
pub(crate) fn trusting_machine() -> Result<TlsConfig, ClientError> {
    Ok(trusting(&of_machine()?))
}

fn trusting(roots: &[Certificate<'static>]) -> TlsConfig {
    TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(roots))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build()
}

/// The authorities that this machine trusts.
fn of_machine() -> Result<Vec<Certificate<'static>>, ClientError> {
    let file = env::var_os(TRUST_VARIABLE).map_or_else(|| TRUST_FILE.into(), PathBuf::from);
    let trusted = fs::read_to_string(&file).ok().and_then(|pem| certificates(&pem));
    trusted.ok_or_else(|| ClientError::Authority { what: file.display().to_string() })
}

fn certificates(pem: &str) -> Option<Vec<Certificate<'static>>> {
    let items = parse_pem(pem.as_bytes());
    let certificates: Vec<_> = items
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    (!certificates.is_empty()).then_some(certificates)
}

/// Escapes everything but what RFC 3986 calls unreserved, for a part of a path or of a query.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUTHORITY: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

    #[test]
    fn only_https_addresses_are_servers() {
        for given in ["http://h:1", "h:1", "https://", "https://h/path", "https://user@h", ""] {
            assert!(
                matches!(Transport::new(given, Some(AUTHORITY)), Err(ClientError::Endpoint { .. })),
                "{given}"
            );
        }
        assert_eq!(Transport::new("https://h:1/", Some(AUTHORITY)).expect("one").endpoint(), "https://h:1");
    }

    #[test]
    fn an_authority_without_a_certificate_is_refused() {
        assert!(matches!(Transport::new("https://h:1", Some("nothing")), Err(ClientError::Authority { .. })));
    }

    #[test]
    fn links_stay_at_the_server() {
        let transport = Transport::new("https://h:1", Some(AUTHORITY)).expect("an address");
        assert_eq!(transport.url("/a?b").expect("a path"), "https://h:1/a?b");
        assert_eq!(transport.url("https://h:1/a").expect("a link"), "https://h:1/a");
        for away in ["https://h:12/a", "https://other/a", "http://h:1/a", "https://h:1@evil/a"] {
            assert!(transport.url(away).is_err(), "{away}");
        }
    }

    #[test]
    fn reserved_characters_are_escaped() {
        assert_eq!(escape("a b/ü~"), "a%20b%2F%C3%BC~");
    }
}

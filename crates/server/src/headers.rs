//! Headers that every answer carries, and those of a request that mean something everywhere.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use palisade_control::Precondition;
use uuid::Uuid;

/// Longest id that a client may give its request.
const ID_LENGTH_MAX: usize = 128;
const REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");
const CORRELATION_ID: HeaderName = HeaderName::from_static("x-ms-correlation-request-id");
const CLIENT_ID: HeaderName = HeaderName::from_static("x-ms-client-request-id");
/// Azure SDK for Go waits ten seconds before it first asks how an operation goes, unless told not to.
const SKIP_POLLING_DELAY: HeaderName = HeaderName::from_static("x-go-azure-sdk-skip-polling-delay");

/// By what ids a request is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ids {
    /// Ours.
    pub request: String,
    /// Of all requests of one task of the client; ours if it gives none.
    pub correlation: String,
    client: Option<String>,
}

impl Ids {
    /// Ids of a request with these headers.
    pub fn of(headers: &HeaderMap) -> Self {
        let request = Uuid::new_v4().to_string();
        let correlation = given(headers, &CORRELATION_ID).unwrap_or_else(|| request.clone());
        Self { request, correlation, client: given(headers, &CLIENT_ID) }
    }

    /// Puts the ids, and what else every answer carries, into the headers of the answer.
    pub fn mark(&self, headers: &mut HeaderMap) {
        insert(headers, REQUEST_ID, &self.request);
        insert(headers, CORRELATION_ID, &self.correlation);
        if let Some(client) = &self.client {
            insert(headers, CLIENT_ID, client);
        }
        headers.insert(SKIP_POLLING_DELAY, HeaderValue::from_static("true"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
    }
}

/// An id that a client gives, if it is short and of visible characters.
fn given(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?;
    let fits = (1..=ID_LENGTH_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| text.to_owned())
}

/// Sets a header, if its value can be one.
pub(crate) fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// `If-Match` and `If-None-Match`.
pub(crate) fn precondition(headers: &HeaderMap) -> Precondition {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Precondition { if_match: text(header::IF_MATCH), if_none_match: text(header::IF_NONE_MATCH) }
}

/// `https://host:port` as the client wrote it, so that the URLs it gets lead back to where it came from.
pub(crate) fn base(uri: &Uri, headers: &HeaderMap, endpoint: &str) -> String {
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok());
    // HTTP/2 has it in the URI.
    let host = host.or_else(|| uri.authority().map(axum::http::uri::Authority::as_str));
    match host.filter(|host| is_host(host)) {
        Some(host) => format!("https://{host}"),
        None => endpoint.to_owned(),
    }
}

/// Longest name of a host (RFC 1035), with a port.
const HOST_LENGTH_MAX: usize = 253 + 6;

fn is_host(text: &str) -> bool {
    let fits =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    (1..=HOST_LENGTH_MAX).contains(&text.len()) && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_is_what_the_client_wrote() {
        let check = |host: &str, expect: &str| {
            let mut headers = HeaderMap::new();
            insert(&mut headers, header::HOST, host);
            assert_eq!(base(&Uri::from_static("/"), &headers, "https://own:1"), expect);
        };
        check("lab.local:8443", "https://lab.local:8443");
        check("[::1]:8443", "https://[::1]:8443");
        check("evil.example/path", "https://own:1");
        check("a@b", "https://own:1");
        check("", "https://own:1");
        assert_eq!(
            base(&Uri::from_static("https://h2.local/x"), &HeaderMap::new(), "https://own:1"),
            "https://h2.local"
        );
    }

    #[test]
    fn ids_are_echoed_if_they_are_ids() {
        let mut headers = HeaderMap::new();
        insert(&mut headers, CLIENT_ID, "client-1");
        insert(&mut headers, CORRELATION_ID, "has space");
        let ids = Ids::of(&headers);
        assert_eq!(ids.correlation, ids.request);
        let mut marked = HeaderMap::new();
        ids.mark(&mut marked);
        assert_eq!(marked[&CLIENT_ID], "client-1");
        assert_eq!(marked[&REQUEST_ID], ids.request.as_str());
        assert_eq!(marked[header::CACHE_CONTROL], "no-cache");
    }
}

//! Posting a document to somebody else's service: a webhook, a collector. What it answers is a status and no more.

use std::{net::IpAddr, time::Duration};

use ureq::{Agent, http::Uri};

use crate::{error::ClientError, transport::trusting_machine};

/// How long one attempt may take as a whole.
const POST_TIMEOUT: Duration = Duration::from_secs(20);

/// A way to one address, over HTTPS, or over HTTP to this machine itself.
#[derive(Debug, Clone)]
pub struct Post {
    agent: Agent,
    url: String,
}

impl Post {
    /// A way to a URL. Certificates are those that this machine trusts.
    ///
    /// # Errors
    /// If the URL is none, or is of `http` and not of this machine; or the machine's authorities cannot be read.
    pub fn new(url: &str) -> Result<Self, ClientError> {
        let wrong = || ClientError::Endpoint { given: url.to_owned() };
        let parsed: Uri = url.parse().map_err(|_| wrong())?;
        let host = parsed.host().filter(|host| !host.is_empty()).ok_or_else(wrong)?;
        let builder = match parsed.scheme_str() {
            Some("https") => Agent::config_builder().tls_config(trusting_machine()?).https_only(true),
            Some("http") if is_here(host) => Agent::config_builder(),
            _ => return Err(wrong()),
        };
        let config = builder
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(POST_TIMEOUT))
            .user_agent(concat!("palisade/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self { agent: config.new_agent(), url: url.to_owned() })
    }

    /// Posts a body of JSON, with more headers; the status of the answer.
    ///
    /// # Errors
    /// If nobody answers.
    pub fn send(&self, headers: &[(&str, &str)], body: &[u8]) -> Result<u16, ClientError> {
        let mut request = self.agent.post(&self.url).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send(body);
        answer.map(|answer| answer.status().as_u16()).map_err(|source| ClientError::Unreachable {
            endpoint: self.url.clone(),
            source: Box::new(source),
        })
    }
}

/// Whether a host is this machine, so that nobody else sees what is sent there.
fn is_here(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_goes_over_the_network_in_the_clear() {
        for url in ["http://127.0.0.1:9/a", "http://[::1]:9/a", "http://localhost/a"] {
            assert!(Post::new(url).is_ok(), "{url}");
        }
        for url in
            ["http://192.0.2.1/a", "http://localhost.example/a", "ftp://127.0.0.1/a", "127.0.0.1", "https://"]
        {
            assert!(Post::new(url).is_err(), "{url}");
        }
    }
}

//! Where a server listens for agents.

use std::fmt;
use std::str::FromStr;

use super::RemoteError;

/// The port at which servers listen for agents unless told otherwise.
pub const DEFAULT_PORT: u16 = 8444;

/// A host and a port. The host is also the name that the server's certificate must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerAddress {
    /// A name, or an address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl FromStr for ServerAddress {
    type Err = RemoteError;

    fn from_str(text: &str) -> Result<Self, RemoteError> {
        let wrong = || RemoteError::Address { text: text.to_owned() };
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => rest.split_once(']').ok_or_else(wrong)?,
            None => text.find(':').map_or((text, ""), |colon| text.split_at(colon)),
        };
        let port = match port.strip_prefix(':') {
            Some(number) => number.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?,
            None if port.is_empty() => DEFAULT_PORT,
            None => return Err(wrong()),
        };
        rustls::pki_types::ServerName::try_from(host).map_err(|_| wrong())?;
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_printed() {
        for (text, expect) in [
            ("server.test:9000", "server.test:9000"),
            ("server.test", "server.test:8444"),
            ("10.0.0.1", "10.0.0.1:8444"),
            ("[::1]:7", "[::1]:7"),
            ("[fd00::1]", "[fd00::1]:8444"),
        ] {
            assert_eq!(text.parse::<ServerAddress>().unwrap().to_string(), expect);
        }
        for wrong in ["", ":1", "a:", "a:0", "a:70000", "[::1", "[::1]7", "::1", "https://a", "a b"] {
            assert!(wrong.parse::<ServerAddress>().is_err(), "{wrong}");
        }
    }
}

//! Forensic paths and sources as one writes them on the command line.

use palisade_net::Prefix;
use serde_json::{Value, json};

/// Who may reach which port: `10.9.0.5:22`, `10.9.0.0/28:22`, `[2001:db8::/64]:22`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    source: Prefix,
    port: u16,
}

impl Path {
    /// As the server reads it.
    pub fn body(&self) -> Value {
        json!({"source": shown(self.source), "port": self.port, "protocol": "TCP"})
    }
}

/// Reads a path.
pub fn path(text: &str) -> Result<Path, String> {
    let wrong = || format!("{text:?} is no path (write 10.9.0.5:22, 10.9.0.0/28:22 or [2001:db8::5]:22)");
    let (source, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let is_bracketed = source.starts_with('[') && source.ends_with(']');
    if source.contains(':') && !is_bracketed {
        return Err(wrong());
    }
    let source = source.trim_start_matches('[').trim_end_matches(']');
    let source = source.parse().map_err(|error| format!("{}: {error}", wrong()))?;
    let port = port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?;
    Ok(Path { source, port })
}

/// A source as the server writes it; `None` if it is none.
pub fn source(text: &str) -> Option<String> {
    text.parse().ok().map(shown)
}

fn shown(prefix: Prefix) -> String {
    let is_single = prefix.length() == prefix.family().width();
    if is_single { prefix.address().to_string() } else { prefix.to_string() }
}

#[cfg(test)]
mod tests {
    use super::{path, source};

    #[test]
    fn paths_and_sources_are_read_and_nothing_else_is() {
        let told = |text: &str| path(text).map(|path| path.body()["source"].to_string());
        assert_eq!(told("10.9.0.5:22"), Ok("\"10.9.0.5\"".to_owned()));
        assert_eq!(told("10.9.0.0/28:22"), Ok("\"10.9.0.0/28\"".to_owned()));
        assert_eq!(told("[2001:db8::/64]:22"), Ok("\"2001:db8::/64\"".to_owned()));
        for wrong in ["", "10.9.0.5", "10.9.0.5:0", "10.9.0.5:ssh", "2001:db8::5:22", ":22", "host:22"] {
            assert!(path(wrong).is_err(), "{wrong}");
        }
        assert_eq!(source("203.0.113.9/32").as_deref(), Some("203.0.113.9"));
        assert_eq!(source("vm1"), None);
    }
}

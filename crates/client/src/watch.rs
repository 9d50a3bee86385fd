//! What happens at a server, as it happens: server-sent events.
//!
//! Format: the WHATWG's HTML standard, section 9.2. Only whole events are handed on; comments, which keep the connection
//! alive, are not.

use std::io::{self, BufRead};

use serde_json::Value;

use crate::{client::Client, error::ClientError};

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// Its kind: `commit`, `operation`, `host`.
    pub kind: String,
    /// Its number: a revision.
    pub id: Option<String>,
    /// What it says.
    pub data: Value,
}

/// Events in order. Ends when the server does, or when it says that it forgot what was asked for.
#[derive(Debug)]
pub struct Watch<R> {
    lines: io::Lines<R>,
}

impl Client {
    /// What happens from now on, or after a revision.
    pub fn watch(&self, after: Option<u64>) -> Result<Watch<impl BufRead + use<>>, ClientError> {
        let path = after.map_or("/api/v1/watch".to_owned(), |after| format!("/api/v1/watch?after={after}"));
        let bearer = format!("Bearer {}", self.token()?);
        let headers = [("authorization", bearer.as_str()), ("accept", "text/event-stream")];
        Ok(Watch { lines: self.transport.stream(&path, &headers)?.lines() })
    }
}

impl<R: BufRead> Iterator for Watch<R> {
    type Item = io::Result<Notice>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut kind = String::from("message");
        let mut id = None;
        let mut data = Vec::new();
        loop {
            let line = match self.lines.next()? {
                Ok(line) => line,
                Err(error) => return Some(Err(error)),
            };
            if line.is_empty() {
                if data.is_empty() {
                    continue;
                }
                let text = data.join("\n");
                // An event that is no JSON is told as the text that it is.
                let data = serde_json::from_str(&text).unwrap_or(Value::String(text));
                return Some(Ok(Notice { kind, id, data }));
            }
            let (field, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
            match field {
                "event" => kind = value,
                "id" => id = Some(value),
                "data" => data.push(value),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_are_read_whole_and_comments_are_skipped() {
        let text =
            ": heart\n\nevent: commit\nid: 7\ndata: {\"a\":\ndata: 1}\n\ndata:plain\n\nevent: cut\ndata: {";
        let notices: Vec<_> =
            Watch { lines: text.as_bytes().lines() }.map(|notice| notice.expect("read")).collect();
        let commit = Notice { kind: "commit".into(), id: Some("7".into()), data: json!({ "a": 1 }) };
        let plain = Notice { kind: "message".into(), id: None, data: json!("plain") };
        assert_eq!(notices, [commit, plain]);
    }
}

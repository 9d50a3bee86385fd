//! A small HTTP client: enough to browse, upload and call home from inside a namespace.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::error::Result;
use crate::netns::Namespace;

/// The longest answer that is read.
const ANSWER_MAX: u64 = 64 * 1024;

/// Sends a request with this body (none means GET) and returns the body of the answer.
///
/// The outer error means that the lab is broken, the inner one that the request did not get through.
pub fn fetch(
    from: &Namespace,
    at: SocketAddr,
    path: &str,
    body: &[u8],
    patience: Duration,
) -> Result<io::Result<String>> {
    from.enter(|| exchange(at, path, body, patience))
}

fn exchange(at: SocketAddr, path: &str, body: &[u8], patience: Duration) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&at, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    let method = if body.is_empty() { "GET" } else { "POST" };
    write!(stream, "{method} {path} HTTP/1.0\r\nHost: {at}\r\nContent-Length: {}\r\n\r\n", body.len())?;
    stream.write_all(body)?;
    let mut answer = String::new();
    stream.take(ANSWER_MAX).read_to_string(&mut answer)?;
    let (head, text) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    if head.starts_with("HTTP/1.0 200") {
        Ok(text.to_owned())
    } else {
        Err(io::Error::other(head.to_owned()))
    }
}

//! Syslog: RFC 5424 over UDP (RFC 5426), TCP (octet counting, RFC 6587) or a socket of this machine.

use std::{
    io::{self, Write as _},
    net::{SocketAddr, TcpStream, ToSocketAddrs as _, UdpSocket},
    os::unix::net::UnixDatagram,
    path::PathBuf,
    time::Duration,
};

use palisade_control::alerts::moment;
use palisade_guard::Severity;

use super::{Notice, Trouble, Way, cef};

/// The facility for security messages, `authpriv`.
const FACILITY: u8 = 10;
/// Bytes of a message; what is longer is cut, as RFC 5424 lets a sender do. Every receiver takes 2,048.
pub(super) const MESSAGE_MAX: usize = 8_192;
/// How long a connection, and a write, may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where messages go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// A datagram each.
    Udp(String),
    /// A stream that is kept open.
    Tcp(String),
    /// A socket of this machine, such as `/dev/log`.
    Unix(PathBuf),
}

/// A receiver of syslog.
#[derive(Debug)]
pub(super) struct Syslog {
    pub(super) place: Place,
    /// What this server calls itself.
    pub(super) host: String,
    pub(super) stream: Option<TcpStream>,
}

impl Way for Syslog {
    fn tell(&mut self, notice: &Notice) -> Result<(), Trouble> {
        let message = message(notice, &self.host);
        self.send(message.as_bytes()).map_err(|error| Trouble::Now(error.to_string()))
    }
}

impl Syslog {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        match &self.place {
            Place::Unix(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.set_write_timeout(Some(TIMEOUT))?;
                socket.send_to(message, path).map(drop)
            }
            Place::Udp(address) => {
                let address = resolved(address)?;
                let any: SocketAddr =
                    if address.is_ipv4() { ([0; 4], 0).into() } else { ([0_u16; 8], 0).into() };
                UdpSocket::bind(any)?.send_to(message, address).map(drop)
            }
            Place::Tcp(address) => {
                let stream = match self.stream.take().filter(is_open) {
                    Some(open) => open,
                    None => connected(address)?,
                };
                let mut framed = format!("{} ", message.len()).into_bytes();
                framed.extend_from_slice(message);
                (&stream).write_all(&framed)?;
                self.stream = Some(stream);
                Ok(())
            }
        }
    }
}

/// Whether the other end has not closed a stream: what is written to one that it has is lost without an error.
fn is_open(stream: &TcpStream) -> bool {
    let looked = stream.set_nonblocking(true).and_then(|()| stream.peek(&mut [0]));
    let restored = stream.set_nonblocking(false);
    let is_quiet = matches!(looked, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
    is_quiet && restored.is_ok()
}

fn connected(address: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&resolved(address)?, TIMEOUT)?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

fn resolved(address: &str) -> io::Result<SocketAddr> {
    address.to_socket_addrs()?.next().ok_or_else(|| io::Error::other(format!("{address} has no address")))
}

/// `<PRI>1 TIME HOST palisade - alert - CEF`.
pub(super) fn message(notice: &Notice, host: &str) -> String {
    let priority = FACILITY * 8 + severity(notice.severity);
    let mut message =
        format!("<{priority}>1 {} {host} palisade - alert - {}", moment(notice.at_ms), cef::line(notice));
    let mut end = MESSAGE_MAX.min(message.len());
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    message.truncate(end);
    message
}

/// Syslog's own: the smaller, the graver.
const fn severity(severity: Severity) -> u8 {
    match severity {
        Severity::Informational => 6,
        Severity::Low => 5,
        Severity::Medium => 4,
        Severity::High => 3,
        Severity::Critical => 2,
    }
}

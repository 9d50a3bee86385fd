//! The servers of all hosts, in one thread.
//!
//! Sockets are bound inside each host's namespace and then served by a single poll loop. A dual-stack socket serves
//! both families. The loop ends when [`Servers`] is dropped. Invariant: a client can neither block the loop nor
//! grow it past [`CONNECTIONS_MAX`].

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::service::{SERVICES, Service, Speech};
use crate::error::{LabError, Result};
use crate::netns::Namespace;

/// The most connections served at one time; the oldest makes room for the next.
pub const CONNECTIONS_MAX: usize = 2048;
/// The longest head of a request.
const HEAD_MAX: usize = 8 * 1024;
/// How much is read from one connection before the others get their turn.
const READ_SIZE: usize = 16 * 1024;

/// Running servers; dropping the value stops them.
#[derive(Debug)]
pub struct Servers {
    stop: Arc<EventFd>,
    thread: Option<JoinHandle<()>>,
}

/// A bound socket.
enum Door {
    Stream(TcpListener, &'static str, Speech),
    Datagram(UdpSocket),
}

/// A client that has not been fully answered.
struct Client {
    stream: TcpStream,
    host: &'static str,
    speech: Speech,
    head: Vec<u8>,
    /// Bytes of the body that are still to come, once the head is complete.
    body_left: Option<usize>,
    body_len: usize,
}

impl Servers {
    /// Starts every service in each of these namespaces, under the name that its pages give.
    pub fn start(hosts: impl IntoIterator<Item = (Namespace, &'static str)>) -> Result<Servers> {
        let mut doors = Vec::new();
        for (namespace, host) in hosts {
            let bound = namespace.enter(|| open_doors(host))?;
            doors.extend(bound.map_err(LabError::io("listen on", host))?);
        }
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let stop =
            Arc::new(EventFd::from_value_and_flags(0, flags).map_err(LabError::sys("make", "an event"))?);
        let seen = Arc::clone(&stop);
        let thread = thread::Builder::new()
            .name("lab-servers".into())
            .spawn(move || serve(&doors, &seen))
            .map_err(LabError::io("start", "the lab's servers"))?;
        Ok(Servers { stop, thread: Some(thread) })
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        let told = self.stop.write(1).is_ok();
        if let Some(thread) = self.thread.take().filter(|_| told) {
            // A panic in the loop was printed by its thread; there is nothing to add.
            let _ = thread.join();
        }
    }
}

fn open_doors(host: &'static str) -> io::Result<Vec<Door>> {
    SERVICES.iter().filter_map(|service| open_door(host, service).transpose()).collect()
}

fn open_door(host: &'static str, service: &Service) -> io::Result<Option<Door>> {
    let address = SocketAddr::from((Ipv6Addr::UNSPECIFIED, service.port));
    Ok(match service.speech {
        Speech::Kernel => None,
        Speech::Echoes => {
            let socket = UdpSocket::bind(address)?;
            socket.set_nonblocking(true)?;
            Some(Door::Datagram(socket))
        }
        speech @ (Speech::Greets(_) | Speech::Http) => {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            Some(Door::Stream(listener, host, speech))
        }
    })
}

impl Door {
    fn descriptor(&self) -> BorrowedFd<'_> {
        match self {
            Door::Stream(listener, ..) => listener.as_fd(),
            Door::Datagram(socket) => socket.as_fd(),
        }
    }

    /// Answers datagrams and takes in clients until nobody waits.
    fn open(&self, clients: &mut Vec<Client>) {
        match self {
            Door::Stream(listener, host, speech) => {
                while let Ok((stream, _)) = listener.accept() {
                    clients.extend(Client::welcome(stream, host, *speech));
                }
            }
            Door::Datagram(socket) => {
                let mut datagram = [0; 1500];
                while let Ok((length, from)) = socket.recv_from(&mut datagram) {
                    // A datagram that cannot be sent is lost, as datagrams may be.
                    let _ = socket.send_to(&datagram[..length], from);
                }
            }
        }
    }
}

fn serve(doors: &[Door], stop: &EventFd) {
    let mut clients: Vec<Client> = Vec::new();
    loop {
        let mut descriptors = vec![PollFd::new(stop.as_fd(), PollFlags::POLLIN)];
        descriptors.extend(doors.iter().map(|door| PollFd::new(door.descriptor(), PollFlags::POLLIN)));
        descriptors
            .extend(clients.iter().map(|client| PollFd::new(client.stream.as_fd(), PollFlags::POLLIN)));
        match poll(&mut descriptors, PollTimeout::NONE) {
            Ok(_) => {}
            Err(nix::Error::EINTR) => continue,
            Err(errno) => return eprintln!("the lab's servers stop: {errno}"),
        }
        let news: Vec<bool> = descriptors.iter().map(|d| d.any().unwrap_or(true)).collect();
        let (stopping, door_news, client_news) = (news[0], &news[1..=doors.len()], &news[1 + doors.len()..]);
        if stopping {
            return;
        }
        let mut news = client_news.iter();
        clients.retain_mut(|client| !news.next().is_some_and(|has_news| *has_news) || client.listen());
        for (door, _) in doors.iter().zip(door_news).filter(|(_, has_news)| **has_news) {
            door.open(&mut clients);
        }
        clients.drain(..clients.len().saturating_sub(CONNECTIONS_MAX));
    }
}

impl Client {
    /// Takes in a client, and greets it where the service speaks first.
    fn welcome(mut stream: TcpStream, host: &'static str, speech: Speech) -> Option<Client> {
        stream.set_nonblocking(true).ok()?;
        if let Speech::Greets(words) = speech {
            stream.write_all(words.as_bytes()).ok()?;
        }
        Some(Client { stream, host, speech, head: Vec::new(), body_left: None, body_len: 0 })
    }

    /// Reads what is there; false when the client is done with.
    fn listen(&mut self) -> bool {
        let mut bytes = [0; READ_SIZE];
        match self.stream.read(&mut bytes) {
            Ok(0) => false,
            Ok(length) => match self.speech {
                Speech::Http => self.take_in(&bytes[..length]),
                _ => true,
            },
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        }
    }

    /// Collects a request and answers it when it is whole.
    fn take_in(&mut self, bytes: &[u8]) -> bool {
        let left = match self.body_left {
            Some(left) => left.saturating_sub(bytes.len()),
            None => {
                self.head.extend_from_slice(bytes);
                let Some(end) = self.head.windows(4).position(|window| window == b"\r\n\r\n") else {
                    return self.head.len() <= HEAD_MAX;
                };
                self.body_len = content_length(&self.head[..end]);
                self.body_len.saturating_sub(self.head.len() - end - 4)
            }
        };
        self.body_left = Some(left);
        if left == 0 {
            // Whether the page got through is for the client to judge.
            let _ = self.answer();
        }
        left > 0
    }

    /// Sends the page; its end is the end of the connection.
    fn answer(&mut self) -> io::Result<()> {
        let peer = self.stream.peer_addr()?.ip().to_canonical();
        let (name, received) = (self.host, self.body_len);
        let page = format!("{name} answers {peer}, {received} bytes received\n");
        let head = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nConnection: close";
        write!(self.stream, "{head}\r\nContent-Length: {}\r\n\r\n{page}", page.len())
    }
}

/// The length that a request head announces; a head without one has no body.
fn content_length(head: &[u8]) -> usize {
    String::from_utf8_lossy(head)
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::content_length;

    #[test]
    fn content_length_is_read_in_any_case() {
        assert_eq!(content_length(b"POST / HTTP/1.0\r\ncontent-LENGTH: 12"), 12);
        assert_eq!(content_length(b"GET / HTTP/1.0\r\nHost: a"), 0);
    }
}

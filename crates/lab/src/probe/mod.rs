//! Real packets: knocks on many doors at once, and says which were answered.
//!
//! A knock is a TCP connection that must bring back a byte, a UDP datagram that must be answered, or an ICMP echo.
//! Sockets are opened inside the sender's namespace; one poll loop then drives all of them, so a thousand knocks of
//! which half meet silence take as long as one. This module does not know what the answer should have been.

pub mod http;
mod icmp;
pub mod server;
pub mod service;
pub mod session;
mod tcp;
mod udp;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{self, SockaddrIn, SockaddrIn6};

use crate::error::{LabError, Result};
use crate::netns::Namespace;

pub use service::{SERVICES, Service, Transport};

/// How long silence must last: long enough for the kernel's own second SYN, which it sends after one second.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// How often a datagram or an echo is sent again while it is unanswered.
const RESEND: Duration = Duration::from_millis(400);
/// Descriptors kept free for everything else that the process does.
const DESCRIPTORS_RESERVED: u64 = 256;
/// More than the longest answer to a datagram or an echo request.
const ANSWER_LEN_MAX: usize = 64;
/// The most sockets open at one time.
const SOCKETS_MAX: u64 = 4096;

/// One attempt to reach something.
#[derive(Debug, Clone)]
pub struct Knock {
    /// Where it comes from.
    pub from: Namespace,
    /// How.
    pub transport: Transport,
    /// What is knocked at. For ICMP the port is not used.
    pub at: SocketAddr,
}

/// What came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// An answer from the other side.
    Answered,
    /// Nothing, which is what a denied packet gets.
    Silence,
    /// A reset or a port-unreachable: the packet arrived where nobody listens.
    Refused,
    /// The sender's own system or a router said no, with this error number.
    Failed(i32),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Answered => f.write_str("answered"),
            Outcome::Silence => f.write_str("silence"),
            Outcome::Refused => f.write_str("refused"),
            Outcome::Failed(errno) => write!(f, "failed: {}", io::Error::from_raw_os_error(*errno)),
        }
    }
}

impl Outcome {
    fn from_error(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset => Outcome::Refused,
            _ => Outcome::Failed(error.raw_os_error().unwrap_or(0)),
        }
    }
}

/// A knock under way. Methods never block.
trait Attempt: Send {
    fn descriptor(&self) -> BorrowedFd<'_>;
    fn waits_for(&self) -> PollFlags;
    /// Called when the descriptor has news; `None` means keep waiting.
    fn proceed(&mut self) -> Option<Outcome>;
    /// Called now and then while nothing has come back.
    fn resend(&mut self) {}
}

/// Knocks everywhere at the same time. The outcomes stand in the order of the knocks.
pub fn knock_all(knocks: &[Knock], patience: Duration) -> Result<Vec<Outcome>> {
    let room = descriptor_room()?;
    let mut outcomes = Vec::with_capacity(knocks.len());
    for group in knocks.chunks(room) {
        outcomes.extend(knock_group(group, patience)?);
    }
    Ok(outcomes)
}

fn knock_group(knocks: &[Knock], patience: Duration) -> Result<Vec<Outcome>> {
    let mut outcomes = vec![Outcome::Silence; knocks.len()];
    let mut waiting = Vec::with_capacity(knocks.len());
    for (index, opened) in open_all(knocks)? {
        match opened {
            Ok(attempt) => waiting.push((index, attempt)),
            Err(error) => outcomes[index] = Outcome::from_error(&error),
        }
    }
    let deadline = Instant::now() + patience;
    let mut resend_at = Instant::now() + RESEND;
    while !waiting.is_empty() && Instant::now() < deadline {
        wait(&waiting, resend_at.min(deadline))?.into_iter().rev().for_each(|position| {
            if let Some(outcome) = waiting[position].1.proceed() {
                outcomes[waiting.swap_remove(position).0] = outcome;
            }
        });
        if Instant::now() >= resend_at {
            waiting.iter_mut().for_each(|(_, attempt)| attempt.resend());
            resend_at += RESEND;
        }
    }
    Ok(outcomes)
}

type Opened = (usize, io::Result<Box<dyn Attempt>>);

/// Opens every socket in its own namespace, entering each namespace once.
fn open_all(knocks: &[Knock]) -> Result<Vec<Opened>> {
    let mut by_sender: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, knock) in knocks.iter().enumerate() {
        by_sender.entry(knock.from.name()).or_default().push(index);
    }
    let mut opened = Vec::with_capacity(knocks.len());
    for indexes in by_sender.values() {
        let sender = &knocks[indexes[0]].from;
        opened.extend(
            sender
                .enter(|| indexes.iter().map(|&index| (index, open(&knocks[index]))).collect::<Vec<_>>())?,
        );
    }
    Ok(opened)
}

fn open(knock: &Knock) -> io::Result<Box<dyn Attempt>> {
    Ok(match knock.transport {
        Transport::Tcp => Box::new(tcp::Connection::open(knock.at)?),
        Transport::Udp => Box::new(udp::Datagram::open(knock.at)?),
        Transport::Icmp => Box::new(icmp::Echo::open(knock.at.ip())?),
    })
}

/// What waits at a datagram socket, as long as it is an answer; anything else is waited past.
fn receive(socket: &UdpSocket, is_answer: impl FnOnce(&[u8]) -> bool) -> Option<Outcome> {
    let mut bytes = [0; ANSWER_LEN_MAX];
    match socket.recv(&mut bytes) {
        Ok(length) => is_answer(&bytes[..length]).then_some(Outcome::Answered),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
        Err(error) => Some(Outcome::from_error(&error)),
    }
}

/// Connects a socket of either family.
fn connect(descriptor: &OwnedFd, to: SocketAddr) -> nix::Result<()> {
    match to {
        SocketAddr::V4(to) => socket::connect(descriptor.as_raw_fd(), &SockaddrIn::from(to)),
        SocketAddr::V6(to) => socket::connect(descriptor.as_raw_fd(), &SockaddrIn6::from(to)),
    }
}

/// Waits until something has news or the moment comes; returns ascending positions.
fn wait(waiting: &[(usize, Box<dyn Attempt>)], until: Instant) -> Result<Vec<usize>> {
    let mut descriptors: Vec<PollFd<'_>> =
        waiting.iter().map(|(_, attempt)| PollFd::new(attempt.descriptor(), attempt.waits_for())).collect();
    let left = until.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
    let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
    match poll(&mut descriptors, timeout) {
        Ok(_) | Err(nix::Error::EINTR) => {}
        Err(errno) => return Err(LabError::sys("wait for", "answers")(errno)),
    }
    let has_news = |descriptor: &PollFd<'_>| descriptor.revents().is_some_and(|events| !events.is_empty());
    Ok(descriptors.iter().enumerate().filter(|(_, d)| has_news(d)).map(|(position, _)| position).collect())
}

/// Raises the limit of open files as far as it goes and returns how many sockets fit below it.
fn descriptor_room() -> Result<usize> {
    let limit = Resource::RLIMIT_NOFILE;
    let (soft, hard) = getrlimit(limit).map_err(LabError::sys("read", "the limit of open files"))?;
    let wanted = hard.min(SOCKETS_MAX + DESCRIPTORS_RESERVED).max(soft);
    setrlimit(limit, wanted, hard).map_err(LabError::sys("raise", "the limit of open files"))?;
    let room = wanted.saturating_sub(DESCRIPTORS_RESERVED).clamp(1, SOCKETS_MAX);
    Ok(usize::try_from(room).expect("the clamp keeps it small"))
}

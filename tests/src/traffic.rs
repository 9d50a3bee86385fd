//! Traffic that goes on while a test changes things, and says at the end whether anything was lost or leaked.
//!
//! Sockets are made inside namespaces of the lab; threads of the test then use them. All traffic is numbered, so loss,
//! reordering and damage show.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use palisade_lab::netns::Namespace;

use crate::wait::wait_for;

/// How long one answer may take before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a [`Leak`] tries: often enough to fall into any gap, seldom enough to leave the machine to others.
const LEAK_EVERY: Duration = Duration::from_micros(200);

/// A count that another thread drives until it is told to stop.
#[derive(Debug, Default)]
struct Progress {
    stop: AtomicBool,
    count: AtomicU64,
}

impl Progress {
    fn add(&self, count: u64) {
        self.count.fetch_add(count, Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    fn wait_for_more(&self, what: &str, more: u64) {
        let goal = self.count() + more;
        wait_for(|| self.count() >= goal, || panic!("{what} stopped at {} of {goal}", self.count()));
    }
}

fn join<T>(thread: JoinHandle<T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// One TCP connection that carries numbered words from one namespace to another, as fast as they go.
#[derive(Debug)]
pub struct Transfer {
    received: Arc<Progress>,
    sender: JoinHandle<u64>,
    receiver: JoinHandle<u64>,
}

impl Transfer {
    /// Connects, and begins to send.
    ///
    /// # Panics
    /// If the connection is not made.
    pub fn start(from: &Namespace, to: &Namespace, at: SocketAddr) -> Self {
        let listen = || TcpListener::bind((Ipv6Addr::UNSPECIFIED, at.port()));
        let listener = to.enter(listen).expect("the lab works").expect("the port is free");
        let connect = || TcpStream::connect_timeout(&at, PATIENCE);
        let mut out = from.enter(connect).expect("the lab works").expect("the connection is allowed");
        let (mut into, _) = listener.accept().expect("it was connected");
        for stream in [&out, &into] {
            stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
            stream.set_write_timeout(Some(PATIENCE)).expect("not zero");
        }
        let received = Arc::new(Progress::default());
        let (seen, counted) = (Arc::clone(&received), Arc::clone(&received));
        let sender = thread::spawn(move || {
            let mut next = 0_u64;
            while seen.goes_on() {
                let words: Vec<u8> = (next..next + 512).flat_map(u64::to_le_bytes).collect();
                out.write_all(&words).expect("the connection goes on");
                next += 512;
            }
            next
        });
        let receiver = thread::spawn(move || {
            let mut word = [0; 8];
            let mut next = 0;
            let mut buffered = std::io::BufReader::new(&mut into);
            while buffered.read_exact(&mut word).is_ok() {
                assert_eq!(u64::from_le_bytes(word), next, "words arrive whole and in order");
                next += 1;
                counted.add(1);
            }
            next
        });
        Self { received, sender, receiver }
    }

    /// Waits until so many more words have arrived.
    ///
    /// # Panics
    /// If they do not.
    pub fn wait_for_more(&self, words: u64) {
        self.received.wait_for_more("the transfer", words);
    }

    /// Ends it; how many words arrived.
    ///
    /// # Panics
    /// If some were lost.
    pub fn finish(self) -> u64 {
        self.received.stop.store(true, Ordering::Relaxed);
        let (sent, received) = (join(self.sender), join(self.receiver));
        assert_eq!(sent, received, "all words arrive");
        received
    }
}

/// Datagrams of one socket to an echo server, each sent when the one before has come back.
#[derive(Debug)]
pub struct PingPong {
    answered: Arc<Progress>,
    thread: JoinHandle<u64>,
}

impl PingPong {
    /// Begins to ask.
    ///
    /// # Panics
    /// If there is no socket.
    pub fn start(from: &Namespace, at: SocketAddr) -> Self {
        let socket = connected(from, at);
        socket.set_read_timeout(Some(PATIENCE)).expect("not zero");
        let answered = Arc::new(Progress::default());
        let seen = Arc::clone(&answered);
        let thread = thread::spawn(move || {
            let mut lost = 0;
            while seen.goes_on() {
                let question = seen.count().to_le_bytes();
                let mut answer = [0; 16];
                let sent = socket.send(&question);
                match sent.and_then(|_| socket.recv(&mut answer)) {
                    Ok(length) if answer[..length] == question => seen.add(1),
                    Ok(_) | Err(_) => lost += 1,
                }
            }
            lost
        });
        Self { answered, thread }
    }

    /// Waits until so many more questions were answered.
    ///
    /// # Panics
    /// If they are not.
    pub fn wait_for_more(&self, answers: u64) {
        self.answered.wait_for_more("the datagrams", answers);
    }

    /// Ends it; how many questions were answered.
    ///
    /// # Panics
    /// If one was not.
    pub fn finish(self) -> u64 {
        self.answered.stop.store(true, Ordering::Relaxed);
        assert_eq!(join(self.thread), 0, "datagrams were lost after {}", self.answered.count());
        self.answered.count()
    }
}

/// Datagrams that must not arrive, all the time.
#[derive(Debug)]
pub struct Leak {
    sent: Arc<Progress>,
    thread: JoinHandle<()>,
    inside: UdpSocket,
}

impl Leak {
    /// Begins to send from one namespace to an address that leads into another.
    ///
    /// # Panics
    /// If there are no sockets.
    pub fn start(from: &Namespace, to: &Namespace, at: SocketAddr) -> Self {
        let bind = || UdpSocket::bind((Ipv6Addr::UNSPECIFIED, at.port()));
        let inside = to.enter(bind).expect("the lab works").expect("the port is free");
        inside.set_nonblocking(true).expect("a socket can be");
        let outside = connected(from, at);
        let sent = Arc::new(Progress::default());
        let seen = Arc::clone(&sent);
        let thread = thread::spawn(move || {
            while seen.goes_on() {
                // A router that finds nobody says so, and the next datagram may fail for it.
                if outside.send(b"leak").is_ok() {
                    seen.add(1);
                }
                thread::sleep(LEAK_EVERY);
            }
        });
        Self { sent, thread, inside }
    }

    /// Waits until so many more were sent.
    ///
    /// # Panics
    /// If they are not.
    pub fn wait_for_more(&self, datagrams: u64) {
        self.sent.wait_for_more("the leak", datagrams);
    }

    /// Waits until one arrives: the way was closed by policy and by nothing else.
    ///
    /// # Panics
    /// If none does.
    pub fn wait_for_arrival(&self) {
        wait_for(|| self.arrived() > 0, || panic!("the way stays closed"));
    }

    /// How many arrived since this was last asked.
    ///
    /// # Panics
    /// If the socket fails.
    pub fn arrived(&self) -> u64 {
        let mut arrived = 0;
        let mut datagram = [0; 16];
        loop {
            match self.inside.recv(&mut datagram) {
                Ok(_) => arrived += 1,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return arrived,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Ends it; how many were sent.
    pub fn finish(self) -> u64 {
        self.sent.stop.store(true, Ordering::Relaxed);
        join(self.thread);
        self.sent.count()
    }
}

fn connected(from: &Namespace, at: SocketAddr) -> UdpSocket {
    let open = || {
        let any = if at.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any)?;
        socket.connect(at)?;
        Ok::<_, std::io::Error>(socket)
    };
    from.enter(open).expect("the lab works").expect("a socket can be made")
}

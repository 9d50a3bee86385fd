//! Traffic that goes on while a test changes things: what was asked and when, what was answered, and that every byte that
//! arrived is the one that was sent.
//!
//! Services echo. They stop with their value; so do clients, or they say what they counted.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, SystemTime},
};

use crate::{namespace::Namespace, shared::wait};

/// How long an answer may take before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a thread waits before it looks whether it is to stop.
const GLANCE: Duration = Duration::from_millis(20);
/// Bytes that a [`Stream`] sends before it reads them back: several segments, many packets.
const BLOCK: usize = 64 << 10;
/// Between two blocks: the machine has other things to do.
const PAUSE: Duration = Duration::from_millis(1);

/// Threads that are told to stop when the value is dropped, and waited for.
#[derive(Default)]
struct Workers {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    fn add(&mut self, work: impl FnOnce(&AtomicBool) + Send + 'static) {
        let stop = Arc::clone(&self.stop);
        self.threads.push(thread::spawn(move || work(&stop)));
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _panicked = thread.join();
        }
    }
}

/// Sends back every datagram and every byte that reaches its ports, over both families.
pub struct Echo {
    _workers: Workers,
}

impl Echo {
    /// Serves UDP ports.
    pub fn udp(at: &Namespace, ports: &[u16]) -> Self {
        let mut workers = Workers::default();
        for port in ports {
            let socket =
                at.enter(|| UdpSocket::bind((Ipv6Addr::UNSPECIFIED, *port))).expect("the port is free");
            socket.set_read_timeout(Some(GLANCE)).expect("not zero");
            workers.add(move |stop| echo_datagrams(&socket, stop));
        }
        Self { _workers: workers }
    }

    /// Serves TCP ports.
    pub fn tcp(at: &Namespace, ports: &[u16]) -> Self {
        Self::serve(at, ports, echo_bytes)
    }

    /// Answers TCP connections in a way of its own.
    pub fn serve(at: &Namespace, ports: &[u16], answer: fn(TcpStream, &AtomicBool)) -> Self {
        let mut workers = Workers::default();
        for port in ports {
            let listener =
                at.enter(|| TcpListener::bind((Ipv6Addr::UNSPECIFIED, *port))).expect("the port is free");
            listener.set_nonblocking(true).expect("a socket can be");
            workers.add(move |stop| accept(&listener, stop, answer));
        }
        Self { _workers: workers }
    }
}

fn echo_datagrams(socket: &UdpSocket, stop: &AtomicBool) {
    let mut bytes = vec![0; 1 << 16];
    while !stop.load(Ordering::Relaxed) {
        if let Ok((length, from)) = socket.recv_from(&mut bytes) {
            let _lost = socket.send_to(&bytes[..length], from);
        }
    }
}

fn accept(listener: &TcpListener, stop: &AtomicBool, answer: fn(TcpStream, &AtomicBool)) {
    thread::scope(|scope| {
        while !stop.load(Ordering::Relaxed) {
            match listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false).expect("a socket can be");
                    stream.set_read_timeout(Some(GLANCE)).expect("not zero");
                    scope.spawn(move || answer(stream, stop));
                }
                Err(_) => thread::sleep(Duration::from_millis(2)),
            }
        }
    });
}

fn echo_bytes(mut stream: TcpStream, stop: &AtomicBool) {
    let mut bytes = vec![0; BLOCK];
    while !stop.load(Ordering::Relaxed)
        && let Ok(length @ 1..) = read_some(&mut stream, &mut bytes, stop)
        && stream.write_all(&bytes[..length]).is_ok()
    {}
}

/// Reads what there is, however long it takes, until told to stop.
pub fn read_some(stream: &mut TcpStream, bytes: &mut [u8], stop: &AtomicBool) -> io::Result<usize> {
    loop {
        match stream.read(bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock && !stop.load(Ordering::Relaxed) => {}
            outcome => return outcome,
        }
    }
}

/// One TCP connection to an [`Echo`]; every byte that comes back is compared.
pub struct Stream {
    socket: TcpStream,
    blocks: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    /// `None` once it was waited for.
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Stream {
    /// Connects, and begins.
    pub fn start(from: &Namespace, to: SocketAddr) -> Self {
        let socket =
            from.enter(|| TcpStream::connect_timeout(&to, PATIENCE)).expect("the connection is allowed");
        socket.set_read_timeout(Some(PATIENCE)).expect("not zero");
        let (blocks, stop) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let (counted, stops) = (Arc::clone(&blocks), Arc::clone(&stop));
        let mut wire = socket.try_clone().expect("descriptors are left");
        let thread = thread::spawn(move || {
            while !stops.load(Ordering::Relaxed) {
                exchange(&mut wire, counted.load(Ordering::Relaxed))?;
                counted.fetch_add(1, Ordering::Relaxed);
                thread::sleep(PAUSE);
            }
            Ok(())
        });
        Self { socket, blocks, stop, thread: Some(thread) }
    }

    /// Blocks that came back until now.
    pub fn blocks(&self) -> u64 {
        self.blocks.load(Ordering::Relaxed)
    }

    /// Waits until so many more have.
    pub fn wait_for_more(&self, blocks: u64) {
        let goal = self.blocks() + blocks;
        let is_over = || self.thread.as_ref().is_none_or(JoinHandle::is_finished);
        wait("the stream to go on", || self.blocks() >= goal || is_over());
        assert!(self.blocks() >= goal, "the stream broke after {} blocks", self.blocks());
    }

    /// Ends it, and fails if a byte was lost or wrong; how many blocks came back.
    pub fn finish(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("it was not waited for");
        let outcome = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        outcome.expect("the stream lives");
        self.blocks()
    }
}

impl Drop for Stream {
    /// Ends it as it is, which may be that it was cut.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _closed = self.socket.shutdown(Shutdown::Both);
        let _broken = self.thread.take().map(JoinHandle::join);
    }
}

/// Sends a block of numbers and reads it back.
fn exchange(stream: &mut TcpStream, block: u64) -> io::Result<()> {
    let first = block * (BLOCK as u64 / 8);
    let sent: Vec<u8> = (first..).take(BLOCK / 8).flat_map(u64::to_le_bytes).collect();
    stream.write_all(&sent)?;
    let mut received = vec![0; BLOCK];
    stream.read_exact(&mut received)?;
    assert!(sent == received, "block {block} came back changed");
    Ok(())
}

/// A numbered datagram: when it was sent, and whether it came back.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    pub sent: SystemTime,
    pub answered: bool,
}

/// Numbered datagrams of one socket to an [`Echo`], one after the other whether or not they are answered.
pub struct Beacon {
    asked: Arc<Asked>,
    asks: Workers,
    hears: Workers,
}

#[derive(Default)]
struct Asked(Mutex<Vec<Ask>>);

impl Asked {
    fn count(&self) -> usize {
        self.0.lock().expect("nobody panics").len()
    }

    fn answered(&self) -> usize {
        self.0.lock().expect("nobody panics").iter().filter(|ask| ask.answered).count()
    }

    /// Notes a datagram that is sent now; its number.
    fn begin(&self) -> u64 {
        let mut asked = self.0.lock().expect("nobody panics");
        asked.push(Ask { sent: SystemTime::now(), answered: false });
        asked.len() as u64 - 1
    }

    fn end(&self, number: u64) {
        self.0.lock().expect("nobody panics")[number as usize].answered = true;
    }
}

impl Beacon {
    /// Begins to send.
    pub fn start(from: &Namespace, to: SocketAddr, every: Duration) -> Self {
        let socket = Arc::new(udp_to(from, to));
        socket.set_read_timeout(Some(GLANCE)).expect("not zero");
        let asked = Arc::<Asked>::default();
        let [mut asks, mut hears] = [(); 2].map(|()| Workers::default());
        let (sender, sent) = (Arc::clone(&socket), Arc::clone(&asked));
        asks.add(move |stop| {
            while !stop.load(Ordering::Relaxed) {
                // A program on the way out that drops a packet makes the send fail.
                let _dropped = sender.send(&sent.begin().to_le_bytes());
                thread::sleep(every);
            }
        });
        let answered = Arc::clone(&asked);
        hears.add(move |stop| {
            let mut bytes = [0; 8];
            while !stop.load(Ordering::Relaxed) {
                if matches!(socket.recv(&mut bytes), Ok(8)) {
                    answered.end(u64::from_le_bytes(bytes));
                }
            }
        });
        Self { asked, asks, hears }
    }

    /// How many were answered until now.
    pub fn answered(&self) -> usize {
        self.asked.answered()
    }

    /// Waits until so many more were sent.
    pub fn wait_for_more(&self, asks: usize) {
        let goal = self.asked.count() + asks;
        wait("more to be asked", || self.asked.count() >= goal);
    }

    /// Waits until so many more were answered.
    pub fn wait_for_answers(&self, answers: usize) {
        let goal = self.answered() + answers;
        wait("more to be answered", || self.answered() >= goal);
    }

    /// Ends it at once.
    pub fn finish(self) -> Vec<Ask> {
        drop((self.asks, self.hears));
        let asked = self.asked.0.lock().expect("nobody panics");
        asked.clone()
    }

    /// Ends it, and fails if one was not answered; how many there were.
    pub fn finish_without_loss(self) -> usize {
        let Self { asked, asks, hears } = self;
        drop(asks);
        wait(&format!("answers to all of {}, not {}", asked.count(), asked.answered()), || {
            asked.answered() == asked.count()
        });
        drop(hears);
        asked.count()
    }
}

/// A new socket that sends to one place.
pub fn udp_to(from: &Namespace, to: SocketAddr) -> UdpSocket {
    let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = from.enter(|| UdpSocket::bind(any)).expect("ports are left");
    socket.connect(to).expect("there is a route");
    socket
}

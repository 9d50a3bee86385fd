//! Connect, request, response, close: how many of these a site does in a second.
//!
//! The server closes first, as one that answers a request without keeping the connection does, so ports of clients are free
//! again at once. Retries are few at every site ([`crate::site`]), so that a firewall that drops ends the run.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    os::fd::AsRawFd,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use nix::sys::socket;
use palisade_lab::netns::Namespace;

use crate::error::{Context, Result};

/// Threads on each side: more than processors, so that none of them is ever without work.
const THREADS: usize = 4;

/// A connection that is silent for longer is broken.
const PATIENCE: Duration = Duration::from_secs(5);

/// Answers every request on every connection with a byte, and closes.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    /// Listens at an address of a namespace.
    ///
    /// # Errors
    /// If the address is taken.
    pub fn start(namespace: &Namespace, at: SocketAddr) -> Result<Self> {
        let listener = namespace.enter(|| TcpListener::bind(at))?.context(|| format!("listen at {at}"))?;
        let accept = || listener.try_clone().map(|listener| thread::spawn(move || serve(&listener)));
        let threads = (0..THREADS).map(|_| accept()).collect::<io::Result<_>>();
        Ok(Self { threads: threads.context(|| "start a server".into())?, listener })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Whoever waits for a connection wakes up and finds no listener.
        let _ = socket::shutdown(self.listener.as_raw_fd(), socket::Shutdown::Both);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn serve(listener: &TcpListener) {
    while let Ok((mut stream, _)) = listener.accept() {
        // A client that gives up is the client's to report.
        let _ = answer(&mut stream);
    }
}

fn answer(stream: &mut TcpStream) -> io::Result<()> {
    stream.read_exact(&mut [0])?;
    stream.write_all(&[0])?;
    stream.shutdown(Shutdown::Write)
}

/// Transactions per second from a namespace, for so long.
///
/// # Errors
/// If one of them fails.
pub fn rate(namespace: &Namespace, at: SocketAddr, duration: Duration) -> Result<f64> {
    let start = Instant::now();
    let counts: Result<Vec<u32>> = thread::scope(|scope| {
        let client = || namespace.enter(|| transact(at, start + duration));
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(client)).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, _>| thread.join().expect("the thread only connects");
        threads.into_iter().map(|thread| join(thread)?.context(|| format!("connect to {at}"))).collect()
    });
    Ok(f64::from(counts?.iter().sum::<u32>()) / start.elapsed().as_secs_f64())
}

fn transact(at: SocketAddr, end: Instant) -> io::Result<u32> {
    let mut count = 0;
    while Instant::now() < end {
        let mut stream = TcpStream::connect(at)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(&[0])?;
        stream.read_exact(&mut [0])?;
        if stream.read(&mut [0])? != 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        count += 1;
    }
    Ok(count)
}

//! Datagrams that are answered, or not: what a change of policy does to flows, one question at a time.

use std::{
    io::{self, ErrorKind},
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use palisade_lab::netns::Namespace;

use crate::error::{Context, Result};

/// How often a server that nobody asks looks whether it should end.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Sends every datagram back.
#[derive(Debug)]
pub struct Echo {
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Echo {
    /// Listens at addresses of a namespace.
    ///
    /// # Errors
    /// If one is taken.
    pub fn start(namespace: &Namespace, addresses: &[SocketAddr]) -> Result<Self> {
        let mut echo = Self { over: Arc::default(), threads: Vec::new() };
        for at in addresses {
            let socket = namespace.enter(|| bind(*at))?.context(|| format!("listen at {at}"))?;
            let over = Arc::clone(&echo.over);
            echo.threads.push(thread::spawn(move || serve(&socket, &over)));
        }
        Ok(echo)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn bind(at: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(at)?;
    socket.set_read_timeout(Some(LOOK_EVERY))?;
    Ok(socket)
}

fn serve(socket: &UdpSocket, over: &AtomicBool) {
    let mut buffer = [0; 64];
    while !over.load(Ordering::Relaxed) {
        if let Ok((length, from)) = socket.recv_from(&mut buffer) {
            // Whoever asked may be gone.
            let _ = socket.send_to(&buffer[..length], from);
        }
    }
}

/// One flow that asks and waits, again and again.
#[derive(Debug)]
pub struct Asker {
    socket: UdpSocket,
    number: u64,
}

impl Asker {
    /// A flow to an echo server. To be made inside the namespace.
    ///
    /// # Errors
    /// If the port is taken.
    pub fn new(from: SocketAddr, to: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind(from)?;
        socket.connect(to)?;
        Ok(Self { socket, number: 0 })
    }

    /// Asks once; whether the answer came in time.
    ///
    /// # Errors
    /// If the socket fails; a refusal by the network is no answer.
    pub fn ask(&mut self, patience: Duration) -> io::Result<bool> {
        self.number += 1;
        self.socket.set_read_timeout(Some(patience))?;
        let question = self.number.to_ne_bytes();
        self.socket.send(&question)?;
        let mut answer = [0; 8];
        loop {
            match self.socket.recv(&mut answer) {
                // The answer to an earlier question, which was given up.
                Ok(_) if answer != question => {}
                Ok(_) => return Ok(true),
                Err(error) if is_silence(&error) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }
}

fn is_silence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::ConnectionRefused)
}

//! Connections that stay open and go back and forth: how many exchanges a second they reach beside something else.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};

use crate::{
    error::{Context, Result},
    site::Site,
};

/// Connections.
const COUNT: usize = 4;
/// A connection that is silent for longer is broken.
const PATIENCE: Duration = Duration::from_secs(5);

/// Connections between the clients and one machine, with a thread at the machine for each.
#[derive(Debug)]
pub struct Steady {
    clients: Vec<TcpStream>,
    servers: Vec<thread::JoinHandle<()>>,
    cpu: usize,
}

impl Steady {
    /// Opens the connections. Their threads keep to one processor.
    ///
    /// # Errors
    /// If one cannot be opened.
    pub fn open(site: &Site, machine: usize, at: SocketAddr, cpu: usize) -> Result<Self> {
        let doing = || format!("connect to {at}");
        let listener = site.machine(machine).enter(|| TcpListener::bind(at))?.context(doing)?;
        let mut steady = Self { clients: Vec::new(), servers: Vec::new(), cpu };
        for _ in 0..COUNT {
            let client = site.clients().enter(|| TcpStream::connect(at))?.context(doing)?;
            let (server, _) = listener.accept().context(doing)?;
            client.set_nodelay(true).and_then(|()| server.set_nodelay(true)).context(doing)?;
            client.set_read_timeout(Some(PATIENCE)).context(doing)?;
            steady.clients.push(client);
            steady.servers.push(thread::spawn(move || {
                keep_to(cpu);
                // It ends with the connection.
                let _ = echo(server);
            }));
        }
        Ok(steady)
    }

    /// Exchanges per second of all connections together, for so long.
    ///
    /// # Errors
    /// If a connection breaks.
    pub fn rate(&mut self, duration: Duration) -> Result<f64> {
        let (start, cpu) = (Instant::now(), self.cpu);
        let counts: io::Result<Vec<u32>> = thread::scope(|scope| {
            let exchange = |client| {
                scope.spawn(move || {
                    keep_to(cpu);
                    exchange(client, start + duration)
                })
            };
            let threads: Vec<_> = self.clients.iter_mut().map(exchange).collect();
            threads.into_iter().map(|thread| thread.join().expect("the thread only exchanges")).collect()
        });
        let count: u32 = counts.context(|| "use an open connection".into())?.iter().sum();
        Ok(f64::from(count) / start.elapsed().as_secs_f64())
    }
}

impl Drop for Steady {
    fn drop(&mut self) {
        self.clients.clear();
        for server in self.servers.drain(..) {
            let _ = server.join();
        }
    }
}

fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut byte = [0];
    loop {
        stream.read_exact(&mut byte)?;
        stream.write_all(&byte)?;
    }
}

fn exchange(stream: &mut TcpStream, end: Instant) -> io::Result<u32> {
    let mut count = 0;
    while Instant::now() < end {
        stream.write_all(&[0])?;
        stream.read_exact(&mut [0])?;
        count += 1;
    }
    Ok(count)
}

/// Keeps the calling thread to one processor, so that two loads share no more than they must.
pub fn keep_to(cpu: usize) {
    let mut cpus = CpuSet::new();
    // Where this is not possible, figures spread more; that is all.
    let _ = cpus.set(cpu).and_then(|()| sched_setaffinity(Pid::from_raw(0), &cpus));
}

//! A server as a process of its own, and what it takes.
//!
//! It is told its ports, so that it has the same ones after a restart. It ends with its value, however the run ends.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use palisade_client::{Bootstrap, Client};

use crate::error::{Context, Error, Result};

/// How long a server may take to serve.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// How often it is looked whether it does.
const LOOK_INTERVAL: Duration = Duration::from_millis(2);

/// A server, running or not.
#[derive(Debug)]
pub(super) struct Server {
    program: PathBuf,
    data: PathBuf,
    listen: SocketAddr,
    agents: SocketAddr,
    extra: Vec<String>,
    child: Option<Child>,
}

impl Server {
    /// A server that keeps its things in a folder; it does not run yet. `extra` are further options of the command.
    pub(super) fn new(program: &Path, data: &Path, extra: &[&str]) -> Result<Self> {
        let [listen, agents] = free_ports()?;
        let extra = extra.iter().map(|&option| option.to_owned()).collect();
        Ok(Self { program: program.to_owned(), data: data.to_owned(), listen, agents, extra, child: None })
    }

    /// Starts `palisade server` and waits until its owner has logged in; how long that took.
    pub(super) fn start(&mut self) -> Result<Duration> {
        self.start_as("server")
    }

    /// Starts the server by one of the commands that have one in them.
    pub(super) fn start_as(&mut self, command: &str) -> Result<Duration> {
        let begun = Instant::now();
        let log = self.data.with_extension("log");
        let log = fs::OpenOptions::new().create(true).append(true).open(&log);
        let log = log.context(|| "write the server's log".into())?;
        let child = Command::new(&self.program)
            .arg(command)
            .arg("--data")
            .arg(&self.data)
            .args(["--listen", &self.listen.to_string(), "--agents-listen", &self.agents.to_string()])
            .args(&self.extra)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context(|| format!("start {}", self.program.display()))?;
        self.child = Some(child);
        // Its port takes connections before anything is answered there.
        while self.owner().is_err() {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            if ended.is_some() || begun.elapsed() > START_TIMEOUT {
                return Err(self.failed("does not serve"));
            }
            thread::sleep(LOOK_INTERVAL);
        }
        Ok(begun.elapsed())
    }

    /// What it said, as an error.
    fn failed(&self, what: &str) -> Error {
        let log = fs::read_to_string(self.data.with_extension("log")).unwrap_or_default();
        let said = log.lines().rev().take(5).collect::<Vec<_>>().join(" | ");
        Error::Server { what: format!("{what}; it said, the last first: {said}") }
    }

    /// A client with the rights of the first owner, and a token.
    pub(super) fn owner(&self) -> Result<Client> {
        let bootstrap = Bootstrap::read(&self.data.join("bootstrap.json"))?;
        let client = Client::of(bootstrap.profile()?)?;
        client.token()?;
        Ok(client)
    }

    /// Where agents connect.
    pub(super) const fn agents(&self) -> SocketAddr {
        self.agents
    }

    /// Its memory that is in use, in MB of a million bytes.
    pub(super) fn memory(&self) -> Result<f64> {
        let id = self.child.as_ref().map_or(0, Child::id);
        memory_of(id)
    }

    /// Ends it as an operator does, and waits.
    pub(super) fn stop(&mut self) -> Result<()> {
        self.end(Signal::SIGTERM)
    }

    /// Ends it as a power cut does.
    pub(super) fn kill(&mut self) -> Result<()> {
        self.end(Signal::SIGKILL)
    }

    fn end(&mut self, signal: Signal) -> Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let id = Pid::from_raw(child.id().cast_signed());
        // One that has ended already cannot be told; waiting for it tells.
        let _ = kill(id, signal);
        child.wait().context(|| "wait for the server".into()).map(drop)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing is left to do if that fails.
        let _ = self.kill();
    }
}

/// Memory of a process that is in use, in MB of a million bytes.
pub(super) fn memory_of(process: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"));
    let status = status.context(|| format!("read the status of process {process}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    Ok(kibibytes.unwrap_or_default() * 1_024.0 / 1e6)
}

/// Two ports of the loopback that nobody listens at.
pub(super) fn free_ports() -> Result<[SocketAddr; 2]> {
    let free = || TcpListener::bind(("127.0.0.1", 0)).context(|| "find a free port".into());
    // Both are held until both are known, or they could be the same one.
    let (first, second) = (free()?, free()?);
    let address = |at: &TcpListener| at.local_addr().context(|| "tell a port".into());
    Ok([address(&first)?, address(&second)?])
}

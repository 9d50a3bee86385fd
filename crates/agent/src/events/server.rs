//! The socket at which an instance tells what happens: every line to everybody who listens.
//!
//! It never waits: what a reader does not take is kept up to [`PENDING_BYTES_MAX`], and what comes then is lost to that reader,
//! who is told how much. Readers say nothing; what they send is thrown away. Only root may connect: lines tell of
//! everybody's traffic.

use std::collections::VecDeque;
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::poll::{PollFd, PollFlags};

use super::line;

/// Readers at one time; one more is sent away with a line that says so.
pub const SUBSCRIBERS_MAX: usize = 16;
/// Bytes that are kept for a reader that does not take them: some thousand lines.
pub const PENDING_BYTES_MAX: usize = 1 << 20;

/// The listening socket and those who listen.
#[derive(Debug)]
pub struct EventServer {
    listener: UnixListener,
    path: PathBuf,
    subscribers: Vec<Subscriber>,
}

impl EventServer {
    /// Opens the socket in the place of one that an agent before left behind. The caller holds the instance's lock.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(path: &Path) -> io::Result<Self> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        // Nobody else came this far meanwhile: the directory is root's alone.
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, path: path.to_owned(), subscribers: Vec::new() })
    }

    /// Whether somebody listens.
    pub fn has_subscribers(&self) -> bool {
        !self.subscribers.is_empty()
    }

    /// Gives a line, with its end, to everybody.
    pub fn tell(&mut self, line: &str) {
        self.subscribers.iter_mut().for_each(|subscriber| subscriber.push(line));
    }

    /// Takes in who came, lets go of who went, and hands over what they take, without waiting.
    ///
    /// # Errors
    /// If nobody can be taken in.
    pub fn serve(&mut self) -> io::Result<()> {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => self.admit(stream)?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // Who came is gone again, or the system has no room for now.
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                Err(error) => return Err(error),
            }
        }
        self.subscribers.retain_mut(|subscriber| subscriber.serve().is_ok());
        Ok(())
    }

    /// What to wait for.
    pub fn wait_for(&self) -> impl Iterator<Item = PollFd<'_>> {
        let listener = PollFd::new(self.listener.as_fd(), PollFlags::POLLIN);
        std::iter::once(listener).chain(self.subscribers.iter().map(Subscriber::wait_for))
    }

    fn admit(&mut self, mut stream: UnixStream) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        if self.subscribers.len() < SUBSCRIBERS_MAX {
            self.subscribers.push(Subscriber { stream, pending: VecDeque::new(), lost: 0 });
        } else {
            // An empty socket takes a short line; if not, who is sent away sees the end of the stream.
            let _unheard = stream.write(line::refused(SUBSCRIBERS_MAX).as_bytes());
        }
        Ok(())
    }
}

impl Drop for EventServer {
    fn drop(&mut self) {
        let _gone = fs::remove_file(&self.path);
    }
}

/// Somebody who listens.
#[derive(Debug)]
struct Subscriber {
    stream: UnixStream,
    /// What it has not taken yet.
    pending: VecDeque<u8>,
    /// Lines that it lost and was not told of.
    lost: u64,
}

impl Subscriber {
    /// Keeps a line, behind the account of those that were lost before it; or loses it too.
    fn push(&mut self, line: &str) {
        let account = self.account();
        if self.pending.len() + account.len() + line.len() > PENDING_BYTES_MAX {
            self.lost += 1;
            return;
        }
        self.pending.extend(account.bytes().chain(line.bytes()));
        self.lost = 0;
    }

    /// What there is to tell of lost lines.
    fn account(&self) -> String {
        if self.lost > 0 { line::lost(self.lost, line::READER) } else { String::new() }
    }

    /// Moves bytes both ways; an error if it went away.
    fn serve(&mut self) -> io::Result<()> {
        let mut thrown_away = [0; 256];
        loop {
            match self.stream.read(&mut thrown_away) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        loop {
            if self.pending.is_empty() {
                self.pending.extend(self.account().bytes());
                self.lost = 0;
            }
            let (bytes, _) = self.pending.as_slices();
            if bytes.is_empty() {
                return Ok(());
            }
            match self.stream.write(bytes) {
                Ok(taken) => drop(self.pending.drain(..taken)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn wait_for(&self) -> PollFd<'_> {
        let mut what = PollFlags::POLLIN;
        what.set(PollFlags::POLLOUT, !self.pending.is_empty());
        PollFd::new(self.stream.as_fd(), what)
    }
}

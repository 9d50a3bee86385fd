//! One guest: a QEMU process, and a conversation with the script inside.
//!
//! The guest's console goes to a file, which errors quote; commands and answers travel over a second serial port that
//! is QEMU's own input and output. Invariant: the process does not outlive the value, nor the thread that started it.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use super::Seat;
use crate::error::{LabError, Result};

/// Memory of a guest: twice what kernel and busybox need.
const MEMORY: &str = "128M";
/// How much of the console an error shows.
const CONSOLE_TAIL: usize = 1500;
/// How long a guest's own probes wait: long enough for the second SYN of an emulated machine.
const PROBE_SECONDS: u32 = 5;
/// How long such a probe may take in all.
const COMMAND_PATIENCE: Duration = Duration::from_secs(60);
/// How long a guest gets to switch itself off.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(20);

/// A running guest.
#[derive(Debug)]
pub struct Guest {
    seat: Seat,
    process: Child,
    commands: ChildStdin,
    answers: Receiver<String>,
    console: PathBuf,
    number: u32,
}

/// One attempt from inside a guest to reach something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Try {
    /// An echo request.
    Ping(IpAddr),
    /// A connection that must bring back at least a byte.
    Connect(SocketAddr),
}

impl Try {
    /// A shell command that succeeds if there was an answer, and that ends also if nothing ever comes back: left alone,
    /// busybox's `ping` waits for its last reply and its `nc` for the other side.
    fn command(self) -> String {
        match self {
            Try::Ping(to) => {
                format!("timeout {PROBE_SECONDS} ping -c 1 -W {PROBE_SECONDS} {to} >/dev/null")
            }
            Try::Connect(at) => format!("[ -n \"$({} 2>/dev/null)\" ]", request(at)),
        }
    }
}

/// A shell command that connects, asks for a page and prints what comes back.
///
/// `nc` and not `wget`: looking up the name of a service crashes a static busybox.
fn request(at: SocketAddr) -> String {
    let (ip, port) = (at.ip(), at.port());
    format!("printf 'GET / HTTP/1.0\\r\\n\\r\\n' | timeout {PROBE_SECONDS} nc -w {PROBE_SECONDS} {ip} {port}")
}

/// What a command in a guest brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its exit status.
    pub status: i32,
    /// What it printed, on both streams.
    pub output: String,
}

impl Answer {
    /// Whether it ended well.
    pub fn is_success(&self) -> bool {
        self.status == 0
    }
}

impl Guest {
    /// Starts QEMU; the guest is not ready yet.
    pub(super) fn start(
        mut command: Command,
        seat: Seat,
        kernel: &Path,
        initrd: &Path,
        folder: &Path,
    ) -> Result<Guest> {
        let console = folder.join(format!("{}.console", seat.name));
        let (name, addresses) = (seat.name, seat.addresses);
        // The kernel hands words that it does not know to the first program as its environment.
        let words = format!(
            "console=ttyS0 quiet panic=-1 lab_name={name} lab_v4={}/24 lab_v6={}/64",
            addresses.v4, addresses.v6
        );
        command
            .args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"])
            .args(["-accel", "tcg", "-m", MEMORY])
            .arg("-kernel")
            .arg(kernel)
            .arg("-initrd")
            .arg(initrd)
            .args(["-append", &words])
            .args(["-serial", &format!("file:{}", console.display())])
            .args(["-chardev", "stdio,id=commands,signal=off", "-serial", "chardev:commands"])
            .args(["-netdev", &format!("tap,id=net,ifname={},script=no,downscript=no,vhost=off", seat.tap())])
            .args(["-device", &format!("virtio-net-pci,netdev=net,mac={},romfile=", seat.mac())])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = command.spawn().map_err(LabError::io("start qemu for guest", name))?;
        let commands = process.stdin.take().expect("stdin was asked to be a pipe");
        let answers = read_lines(process.stdout.take().expect("stdout was asked to be a pipe"));
        Ok(Guest { seat, process, commands, answers, console, number: 0 })
    }

    /// Where it stands.
    pub fn seat(&self) -> &Seat {
        &self.seat
    }

    /// QEMU's process id.
    pub fn process(&self) -> u32 {
        self.process.id()
    }

    /// Waits until the script inside has done its preparations.
    pub(super) fn wait_until_ready(&mut self, patience: Duration) -> Result<()> {
        let deadline = Instant::now() + patience;
        while self.next_line(deadline, "boot")? != "palisade-ready" {}
        Ok(())
    }

    /// Runs a shell command inside and waits for its end.
    pub fn run(&mut self, command: &str, patience: Duration) -> Result<Answer> {
        self.number += 1;
        let number = self.number;
        let sent = writeln!(self.commands, "{number} {command}").and_then(|()| self.commands.flush());
        sent.map_err(LabError::io("send a command to guest", self.seat.name))?;
        let deadline = Instant::now() + patience;
        let ending = format!("palisade-end {number} ");
        let mut output = String::new();
        loop {
            let line = self.next_line(deadline, command)?;
            if let Some(status) = line.strip_prefix(&ending) {
                let status = status.parse().map_err(|_| self.problem(&format!("odd status {status:?}")))?;
                // The script ends the output with a line feed of its own.
                return Ok(Answer { status, output: output.trim_end_matches('\n').to_owned() });
            }
            output.push_str(&line);
            output.push('\n');
        }
    }

    /// Makes several attempts at once, since silence takes its time; whether each was answered, in their order.
    pub fn try_all(&mut self, tries: &[Try]) -> Result<Vec<bool>> {
        let answered = |index: usize| format!("answered {index}");
        let part = |(index, attempt): (usize, &Try)| {
            format!("{{ {} && echo {}; }} & ", attempt.command(), answered(index))
        };
        let script: String = tries.iter().enumerate().map(part).collect();
        let output = self.run(&format!("{script} wait"), COMMAND_PATIENCE)?.output;
        Ok((0..tries.len()).map(|index| output.lines().any(|line| line == answered(index))).collect())
    }

    /// Connects from inside and returns what the other side says to a request, or nothing if it does not answer.
    pub fn knock(&mut self, at: SocketAddr) -> Result<Option<String>> {
        let answer = self.run(&request(at), COMMAND_PATIENCE)?;
        let is_answered = answer.is_success() && !answer.output.is_empty();
        Ok(is_answered.then_some(answer.output))
    }

    /// Lets the guest switch itself off.
    pub fn shut_down(mut self) -> Result<()> {
        self.number += 1;
        writeln!(self.commands, "{} poweroff -f", self.number)
            .map_err(LabError::io("send a command to guest", self.seat.name))?;
        let deadline = Instant::now() + SHUTDOWN_PATIENCE;
        // The answers end when QEMU does.
        while Instant::now() < deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            if self.answers.recv_timeout(left) == Err(mpsc::RecvTimeoutError::Disconnected) {
                return Ok(());
            }
        }
        Err(self.problem("does not switch itself off"))
    }

    fn next_line(&mut self, deadline: Instant, purpose: &str) -> Result<String> {
        let left = deadline.saturating_duration_since(Instant::now());
        self.answers.recv_timeout(left).map_err(|error| match error {
            mpsc::RecvTimeoutError::Timeout => self.problem(&format!("no answer in time to: {purpose}")),
            mpsc::RecvTimeoutError::Disconnected => self.problem(&format!("qemu ended during: {purpose}")),
        })
    }

    /// An error with the end of the console.
    fn problem(&self, what: &str) -> LabError {
        let console = fs::read(&self.console).unwrap_or_default();
        let tail =
            String::from_utf8_lossy(&console[console.len().saturating_sub(CONSOLE_TAIL)..]).into_owned();
        LabError::Guest {
            guest: self.seat.name.into(),
            problem: format!("{what}; its console ends:\n{tail}"),
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // It may have ended by itself; waiting then only collects it.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Reads lines on a thread of their own, so that waiting for one can have a limit. The thread ends with the stream.
fn read_lines(stream: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            let text = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
            if sender.send(text).is_err() {
                return;
            }
            line.clear();
        }
    });
    receiver
}

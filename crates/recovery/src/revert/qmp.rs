//! A machine that QEMU runs, spoken to over its control socket (QMP, qemu-qmp-ref).
//!
//! The socket says when the machine is there: one that nobody listens at belongs to a machine that is off. Lines and waits are limited.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    os::unix::{net::UnixStream, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::hands::{HandError, Machine};

/// Bytes of one answer.
const LINE_MAX: u64 = 1 << 20;
/// Lines before the answer: events.
const EVENTS_MAX: usize = 10_000;
const PATIENCE: Duration = Duration::from_secs(60);
/// Memory is dumped at some hundred megabytes a second.
const DUMP_PATIENCE: Duration = Duration::from_secs(600);
const POLL: Duration = Duration::from_millis(5);

/// How to reach and start a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Qemu {
    /// The control socket.
    pub socket: PathBuf,
    /// Names of its network devices or back ends.
    pub links: Vec<String>,
    /// The program and its arguments. `-S` is added, so that nothing runs before the links are down.
    pub start: Vec<String>,
}

impl Machine for Qemu {
    fn set_link(&mut self, is_up: bool) -> Result<String, HandError> {
        let Some(mut control) = self.connect()? else {
            return if is_up { Err("the machine is off".into()) } else { Ok("the machine is off".into()) };
        };
        for name in &self.links {
            control.ask("set_link", &json!({"name": name, "up": is_up}), PATIENCE)?;
        }
        Ok(format!("{} links {}", self.links.len(), if is_up { "up" } else { "down" }))
    }

    fn freeze(&mut self, memory: Option<(&Path, u64)>) -> Result<String, HandError> {
        let Some(mut control) = self.connect()? else {
            return Ok("the machine is off".into());
        };
        control.ask("stop", &json!({}), PATIENCE)?;
        let Some((path, max)) = memory else {
            return Ok("stopped".into());
        };
        let bytes = control.ask("query-memory-size-summary", &json!({}), PATIENCE)?["base-memory"].as_u64();
        let bytes = bytes.unwrap_or(u64::MAX);
        if bytes > max {
            return Ok(format!("stopped; memory of {bytes} bytes is more than the {max} that may be dumped"));
        }
        let protocol = format!("file:{}", path.display());
        control.ask("dump-guest-memory", &json!({"paging": false, "protocol": protocol}), DUMP_PATIENCE)?;
        Ok(format!("stopped; {bytes} bytes of memory dumped"))
    }

    fn power_off(&mut self) -> Result<String, HandError> {
        let Some(mut control) = self.connect()? else {
            return Ok("the machine is off".into());
        };
        control.ask("quit", &json!({}), PATIENCE)?;
        // The process ends some time after the answer, and with it the connection.
        control.wait_for_end()?;
        let deadline = Instant::now() + PATIENCE;
        // One that is ending may still take a connection, and drop it.
        while UnixStream::connect(&self.socket).is_ok() {
            if Instant::now() > deadline {
                return Err("qemu does not end".into());
            }
            thread::sleep(POLL);
        }
        Ok("off".into())
    }

    fn boot(&mut self) -> Result<String, HandError> {
        let (mut control, how) = match self.connect()? {
            Some(control) => (control, "was running"),
            None => (self.spawn()?, "started"),
        };
        for name in &self.links {
            control.ask("set_link", &json!({"name": name, "up": false}), PATIENCE)?;
        }
        control.ask("cont", &json!({}), PATIENCE)?;
        Ok(format!("{how} with {} links down", self.links.len()))
    }
}

impl Qemu {
    /// Nothing, if nobody listens.
    fn connect(&self) -> Result<Option<Control>, HandError> {
        match UnixStream::connect(&self.socket) {
            Ok(stream) => Control::greet(stream).map(Some),
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) =>
            {
                Ok(None)
            }
            Err(error) => Err(format!("cannot reach {}: {error}", self.socket.display()).into()),
        }
    }

    fn spawn(&self) -> Result<Control, HandError> {
        let [program, arguments @ ..] = &self.start[..] else {
            return Err("no command to start the machine with".into());
        };
        // In a group of its own, so that what ends us does not end the machine.
        let mut process = Command::new(program)
            .args(arguments)
            .arg("-S")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|error| format!("cannot start {program}: {error}"))?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(control) = self.connect()? {
                // Collects the process when it ends, as long as we are there.
                thread::spawn(move || process.wait());
                return Ok(control);
            }
            // With -daemonize the first process ends well.
            if let Some(status) = process.try_wait()?.filter(|status| !status.success()) {
                return Err(format!("{program} ended with {status}").into());
            }
            if Instant::now() > deadline {
                return Err(format!("{program} does not listen at {}", self.socket.display()).into());
            }
            thread::sleep(POLL);
        }
    }
}

/// A conversation.
struct Control(BufReader<UnixStream>);

impl Control {
    fn greet(stream: UnixStream) -> Result<Self, HandError> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut control = Self(BufReader::new(stream));
        control.line()?;
        control.ask("qmp_capabilities", &json!({}), PATIENCE)?;
        Ok(control)
    }

    fn ask(&mut self, command: &str, arguments: &Value, patience: Duration) -> Result<Value, HandError> {
        let text = json!({"execute": command, "arguments": arguments}).to_string();
        self.0.get_mut().set_read_timeout(Some(patience))?;
        self.0.get_mut().write_all(format!("{text}\n").as_bytes())?;
        for _ in 0..EVENTS_MAX {
            let mut answer = self.line()?;
            if let Some(error) = answer.get("error") {
                return Err(format!(
                    "qemu refuses {command}: {}",
                    error["desc"].as_str().unwrap_or("no reason")
                )
                .into());
            }
            if answer.get("return").is_some() {
                return Ok(answer["return"].take());
            }
        }
        Err(format!("qemu does not answer {command}").into())
    }

    fn line(&mut self) -> Result<Value, HandError> {
        let mut line = String::new();
        if (&mut self.0).take(LINE_MAX).read_line(&mut line)? == 0 {
            return Err("qemu ended the conversation".into());
        }
        Ok(serde_json::from_str(&line)?)
    }

    fn wait_for_end(&mut self) -> Result<(), HandError> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let mut line = String::new();
            match (&mut self.0).take(LINE_MAX).read_line(&mut line) {
                Ok(0) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(()),
                read => read.map(drop)?,
            }
        }
        Err("qemu does not end".into())
    }
}

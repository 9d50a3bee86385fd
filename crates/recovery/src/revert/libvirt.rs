//! A machine that libvirt runs, spoken to by its own command (virsh(1)), so that nothing of libvirt is linked.
//!
//! A machine must be defined: one that is only there while it runs could not be started again. Memory that libvirt saved is never brought back.

use std::{
    io::Read as _,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::hands::{HandError, Machine};

const PATIENCE: Duration = Duration::from_secs(60);
/// Memory is dumped at some hundred megabytes a second.
const DUMP_PATIENCE: Duration = Duration::from_secs(600);
const POLL: Duration = Duration::from_millis(5);
/// Bytes of an answer.
const ANSWER_MAX: u64 = 1 << 16;
const OFF: &str = "shut off";

/// How to reach a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Libvirt {
    /// Where libvirt listens, such as `qemu:///system`.
    pub connect: String,
    /// Name or UUID of the machine.
    pub domain: String,
    /// Its network interfaces, by the name of their devices on the host or by their MAC addresses.
    pub links: Vec<String>,
}

impl Machine for Libvirt {
    fn set_link(&mut self, is_up: bool) -> Result<String, HandError> {
        let state = self.state()?;
        if state == OFF {
            return if is_up { Err("the machine is off".into()) } else { Ok("the machine is off".into()) };
        }
        self.links_to(if is_up { "up" } else { "down" })
    }

    fn freeze(&mut self, memory: Option<(&Path, u64)>) -> Result<String, HandError> {
        match self.state()?.as_str() {
            OFF => return Ok("the machine is off".into()),
            "running" => drop(self.ask(&["suspend", &self.domain], PATIENCE)?),
            // Stopped already, or on its way down: it will be ended.
            _ => {}
        }
        let Some((path, max)) = memory else {
            return Ok("stopped".into());
        };
        let bytes = self.memory()?;
        if bytes > max {
            return Ok(format!("stopped; memory of {bytes} bytes is more than the {max} that may be dumped"));
        }
        let path = path.to_str().ok_or("the path of the dump is no text")?;
        self.ask(&["dump", "--memory-only", &self.domain, path], DUMP_PATIENCE)?;
        Ok(format!("stopped; {bytes} bytes of memory dumped"))
    }

    fn power_off(&mut self) -> Result<String, HandError> {
        if self.state()? == OFF {
            return Ok("the machine is off".into());
        }
        self.ask(&["destroy", &self.domain], PATIENCE)?;
        match self.state()?.as_str() {
            OFF => Ok("off".into()),
            state => Err(format!("{} is {state} after it was ended", self.domain).into()),
        }
    }

    fn boot(&mut self) -> Result<String, HandError> {
        let how = match self.state()?.as_str() {
            OFF => {
                // Not from memory that was saved.
                self.ask(&["start", &self.domain, "--paused", "--force-boot"], PATIENCE)?;
                "started"
            }
            _ => "was running",
        };
        let links = self.links_to("down")?;
        if self.state()? == "paused" {
            self.ask(&["resume", &self.domain], PATIENCE)?;
        }
        Ok(format!("{how} with {links}"))
    }
}

impl Libvirt {
    /// `running`, `paused`, [`OFF`] or another state that it has while it runs.
    fn state(&self) -> Result<String, HandError> {
        let about = self.ask(&["dominfo", &self.domain], PATIENCE)?;
        if field(&about, "Persistent") != Some("yes") {
            return Err(format!(
                "{} could not be started again once it is off (virsh define it)",
                self.domain
            )
            .into());
        }
        field(&about, "State")
            .map(str::to_owned)
            .ok_or_else(|| format!("virsh says odd things: {about}").into())
    }

    /// Bytes of its memory, as much as it may have.
    fn memory(&self) -> Result<u64, HandError> {
        let about = self.ask(&["dominfo", &self.domain], PATIENCE)?;
        let kib =
            field(&about, "Max memory").and_then(|value| value.strip_suffix(" KiB")?.parse::<u64>().ok());
        kib.and_then(|kib| kib.checked_mul(1_024))
            .ok_or_else(|| format!("virsh says odd things: {about}").into())
    }

    fn links_to(&self, state: &str) -> Result<String, HandError> {
        for link in &self.links {
            self.ask(&["domif-setlink", &self.domain, link, state], PATIENCE)?;
        }
        Ok(format!("{} links {state}", self.links.len()))
    }

    /// What virsh answers, in its own English.
    fn ask(&self, words: &[&str], patience: Duration) -> Result<String, HandError> {
        let mut virsh = Command::new("virsh")
            .args(["--quiet", "--connect", &self.connect])
            .args(words)
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start virsh: {error} (apt-get install libvirt-clients)"))?;
        let deadline = Instant::now() + patience;
        let status = loop {
            if let Some(status) = virsh.try_wait()? {
                break status;
            }
            if Instant::now() > deadline {
                virsh.kill()?;
                virsh.wait()?;
                return Err(format!("virsh {} does not end", words[0]).into());
            }
            thread::sleep(POLL);
        };
        // Both fit into a pipe, so that they were written before it ended.
        let text = |pipe: &mut dyn std::io::Read| {
            let mut bytes = Vec::new();
            pipe.take(ANSWER_MAX)
                .read_to_end(&mut bytes)
                .map(|_| String::from_utf8_lossy(&bytes).trim().to_owned())
        };
        let said = text(virsh.stdout.as_mut().expect("it was asked to be a pipe"))?;
        let problem = text(virsh.stderr.as_mut().expect("it was asked to be a pipe"))?;
        if status.success() { Ok(said) } else { Err(format!("virsh {}: {problem}", words[0]).into()) }
    }
}

/// The value of a line `Name:   value`.
fn field<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text =
            "Id:             1\nState:          shut off\nMax memory:     65536 KiB\nPersistent:     yes";
        assert_eq!(field(text, "State"), Some(OFF));
        assert_eq!(field(text, "Max memory"), Some("65536 KiB"));
        assert_eq!(field(text, "Max"), None);
    }
}

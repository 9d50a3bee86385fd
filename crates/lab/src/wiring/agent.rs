//! Enforcement in a lab: the real agent, as a process of its own in the hypervisor's namespace.
//!
//! How an agent is started is the caller's to say, as a command, because only the caller knows a program that can become
//! one: the `palisade` command itself, or a test program. Invariant: neither the process nor its programs in the kernel
//! outlive the value.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::bail;
use palisade_agent::{AgentError, Instance, load, state::State};

use super::sources;
use crate::{
    error::{LabError, Result},
    policy::{Enforcer, EstateFiles},
};

/// How long a policy may take to come into force.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often the agent's state is looked at meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The agent of one instance, alive or dead.
#[derive(Debug)]
pub struct AgentProcess {
    instance: Instance,
    command: Command,
    log: PathBuf,
    child: Option<Child>,
}

impl AgentProcess {
    /// An agent that is yet to be started, by a command that becomes the agent of this instance. What it says is appended
    /// to the log.
    pub fn new(instance: Instance, command: Command, log: PathBuf) -> Self {
        Self { instance, command, log, child: None }
    }

    /// Its name and places.
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    /// Starts the process; nothing happens if one is alive.
    pub fn start(&mut self) -> Result<()> {
        if self.child.is_some() {
            return Ok(());
        }
        let log = File::options().create(true).append(true).open(&self.log);
        let log = log.map_err(LabError::io("open", self.log.display().to_string()))?;
        self.command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.child = Some(self.command.spawn().map_err(LabError::io("start", "the agent"))?);
        Ok(())
    }

    /// Ends the process as a crash would: it cannot tidy up, and what it enforced stays enforced.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself; then there is nothing to kill.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Ends the process, takes its programs out of the kernel, and says whether that worked.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn stop(mut self) -> Result<(), AgentError> {
        self.end()
    }

    /// What all processes of this agent said.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn end(&mut self) -> Result<(), AgentError> {
        self.kill();
        remove_pins(&self.instance)
    }

    /// Fails if the process has ended by itself.
    pub(super) fn check_alive(&mut self) -> anyhow::Result<()> {
        if let Some(child) = &mut self.child
            && let Some(status) = child.try_wait()?
        {
            bail!("the agent ended ({status}):\n{}", self.log().trim_end());
        }
        Ok(())
    }

    /// Waits until the agent's state gives an answer; `what` it did not do otherwise.
    pub(super) fn wait_for<T>(
        &mut self,
        what: &str,
        answer: impl Fn(&State) -> anyhow::Result<Option<T>>,
    ) -> anyhow::Result<T> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            self.check_alive()?;
            if let Some(state) = State::read(&self.instance)?
                && let Some(found) = answer(&state)?
            {
                return Ok(found);
            }
            thread::sleep(LOOK_EVERY);
        }
        bail!("the agent did not {what} within {} s", PATIENCE.as_secs())
    }
}

/// The generation in force, once it is that of the estate with this digest.
fn generation_of(state: &State, digest: &str) -> anyhow::Result<Option<u64>> {
    if let Some(refused) = state.refused.as_ref().filter(|refused| refused.digest == digest) {
        bail!("{}", refused.message);
    }
    if state.enforced.as_deref() != Some(digest) {
        return Ok(None);
    }
    Ok(state.published.as_ref().map(|published| published.generation))
}

/// Started with the first estate; later ones are found by the agent itself, as files that change.
impl Enforcer for AgentProcess {
    fn enforce(&mut self, estate: &EstateFiles) -> anyhow::Result<u64> {
        let wanted = load::estate(&sources(estate))?.digest;
        self.start()?;
        self.wait_for("put the estate in force", |state| generation_of(state, &wanted))
    }
}

impl Drop for AgentProcess {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            eprintln!("the agent's instance is not fully removed: {error}");
        }
    }
}

/// Takes what an instance left in the kernel out of it; nothing happens if that is nothing.
///
/// # Errors
/// [`AgentError::Busy`] if its agent is alive, or what the kernel says.
pub fn remove_pins(instance: &Instance) -> Result<(), AgentError> {
    if instance.pin_dir.exists() {
        palisade_agent::remove(instance)?;
    }
    Ok(())
}

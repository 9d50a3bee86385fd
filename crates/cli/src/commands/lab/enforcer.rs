//! Enforcement in a lab: the real agent, as a process of its own in the hypervisor's namespace.

use std::{
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use palisade_agent::{
    Instance,
    load::{self, EstateSources},
    state::State,
};
use palisade_lab::{
    Lab,
    policy::{Enforcer, EstateFiles},
};

use super::failure;
use crate::{commands::agent, exit::Failure};

/// How long a policy may take to come into force.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often the agent's state is looked at meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The agent of one lab. Started with the first estate; later ones are found by the agent itself, as files that change.
pub struct AgentProcess {
    instance: Instance,
    command: std::process::Command,
    child: Option<Child>,
}

impl AgentProcess {
    /// An agent that is yet to be started.
    pub fn new(name: &str, lab: &mut Lab) -> Result<Self, Failure> {
        let instance = instance(name)?;
        let program = std::env::current_exe()?;
        let mut command = lab.on_hypervisor(program).map_err(failure)?;
        command.args(["agent", "--instance", &instance_name(name)]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self { instance, command, child: None })
    }

    /// Ends the agent and takes its programs out of the kernel.
    pub fn stop(mut self) -> Result<(), Failure> {
        self.end_process();
        palisade_agent::remove(&self.instance).map_err(agent::failure)
    }

    fn end_process(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself; then there is nothing to kill.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn start(&mut self, files: &EstateFiles) -> anyhow::Result<()> {
        self.command.arg(&files.template).arg("--parameters").arg(&files.parameters);
        self.command.arg("--service-tags").arg(&files.service_tags);
        self.child = Some(self.command.spawn().context("the agent cannot be started")?);
        Ok(())
    }

    /// The generation in force, once it is that of the estate with this digest.
    fn generation_of(&mut self, digest: &str) -> anyhow::Result<Option<u64>> {
        if let Some(child) = &mut self.child
            && let Some(status) = child.try_wait()?
        {
            bail!("the agent ended: {status}");
        }
        let Some(state) = State::read(&self.instance)? else { return Ok(None) };
        if let Some(refused) = state.refused.filter(|refused| refused.digest == digest) {
            bail!("{}", refused.message);
        }
        if state.enforced.as_deref() != Some(digest) {
            return Ok(None);
        }
        Ok(state.published.map(|published| published.generation))
    }
}

impl Enforcer for AgentProcess {
    fn enforce(&mut self, estate: &EstateFiles) -> anyhow::Result<u64> {
        let wanted = load::estate(&sources(estate))?.digest;
        if self.child.is_none() {
            self.start(estate)?;
        }
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(generation) = self.generation_of(&wanted)? {
                return Ok(generation);
            }
            thread::sleep(LOOK_EVERY);
        }
        bail!("the agent did not put the estate in force within {} s", PATIENCE.as_secs())
    }
}

impl Drop for AgentProcess {
    fn drop(&mut self) {
        self.end_process();
    }
}

/// The files of a lab's estate, as the loader takes them.
pub fn sources(files: &EstateFiles) -> EstateSources {
    EstateSources {
        paths: vec![files.template.clone()],
        parameters: vec![files.parameters.clone()],
        service_tags: vec![files.service_tags.clone()],
        ..EstateSources::default()
    }
}

/// Takes what a lab of this name left in the kernel out of it.
pub fn remove_pins(name: &str) -> Result<(), Failure> {
    let instance = instance(name)?;
    if instance.pin_dir.exists() {
        palisade_agent::remove(&instance).map_err(agent::failure)?;
    }
    Ok(())
}

/// Where the agent of a lab lives.
pub fn instance(name: &str) -> Result<Instance, Failure> {
    Instance::named(&instance_name(name)).map_err(Failure::input)
}

fn instance_name(lab: &str) -> String {
    format!("lab-{lab}")
}

//! The real agent in a process of its own, started and killed at a test's will.
//!
//! A test program runs itself again as the agent: it needs a test named [`SELF`] that calls [`be_the_agent`]. So what is tested
//! is always what was just built. When the value is dropped the process ends and its programs leave the kernel.

use std::{
    env,
    ffi::OsString,
    fs::{self, File},
    path::PathBuf,
    process::{Child, Stdio},
};

use palisade_agent::{
    Instance, Options,
    load::{self, EstateSources},
    state::State,
    status::{self, Status},
};
use palisade_lab::{
    netns::stage::Stage,
    policy::{Enforcer, EstateFiles},
};

use crate::{pins, wait::wait_for};

/// Name of the test that a test program runs to become the agent.
pub const SELF: &str = "agent_process";

const PINS: &str = "PALISADE_TESTS_PINS";
const STATE: &str = "PALISADE_TESTS_STATE";
const ESTATE: &str = "PALISADE_TESTS_ESTATE";
const PARAMETERS: &str = "PALISADE_TESTS_PARAMETERS";
const SERVICE_TAGS: &str = "PALISADE_TESTS_SERVICE_TAGS";

/// Becomes the agent if this process was started for it; otherwise does nothing.
///
/// # Panics
/// If the agent cannot run.
pub fn be_the_agent() {
    let Some(pin_dir) = env::var_os(PINS) else { return };
    let list = |name| {
        let text = env::var_os(name).unwrap_or_default();
        env::split_paths(&text).filter(|path| !path.as_os_str().is_empty()).collect()
    };
    let state_dir = env::var_os(STATE).expect("it is set with the pins").into();
    let options = Options {
        instance: Instance { pin_dir: pin_dir.into(), state_dir },
        sources: EstateSources {
            paths: list(ESTATE),
            parameters: list(PARAMETERS),
            service_tags: list(SERVICE_TAGS),
            ..EstateSources::default()
        },
        detach_on_exit: false,
    };
    palisade_agent::run(&options, |event| eprintln!("{event}")).expect("the agent runs");
}

/// An agent of its own instance, alive or dead.
#[derive(Debug)]
pub struct Agent {
    instance: Instance,
    sources: EstateSources,
    process: Option<Child>,
    log: PathBuf,
}

impl Agent {
    /// An agent for this stage that was not started yet.
    pub fn new(stage: &Stage, sources: EstateSources) -> Self {
        let folder = stage.folder();
        let instance = Instance { pin_dir: pins::fresh(), state_dir: folder.join("agent") };
        Self { instance, sources, process: None, log: folder.join("agent.log") }
    }

    /// Starts the process in a namespace of the stage.
    ///
    /// # Panics
    /// If it cannot be started, or one is alive.
    pub fn start(&mut self, stage: &Stage, part: &str) {
        assert!(self.process.is_none(), "one agent at a time");
        let list = |paths: &[PathBuf]| env::join_paths(paths).expect("paths of tests have no colon");
        let program = env::current_exe().expect("a test program has a file");
        let log = File::options().create(true).append(true).open(&self.log).expect("the log can be opened");
        let mut command = stage.command(part, program).expect("the namespace can be entered");
        let variables: [(&str, OsString); 5] = [
            (PINS, self.instance.pin_dir.clone().into()),
            (STATE, self.instance.state_dir.clone().into()),
            (ESTATE, list(&self.sources.paths)),
            (PARAMETERS, list(&self.sources.parameters)),
            (SERVICE_TAGS, list(&self.sources.service_tags)),
        ];
        command.args(["--exact", SELF, "--nocapture"]).envs(variables).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(log);
        self.process = Some(command.spawn().expect("the agent starts"));
    }

    /// Ends the process as a crash would: no chance to tidy up.
    ///
    /// # Panics
    /// If there is none.
    pub fn kill(&mut self) {
        let mut process = self.process.take().expect("an agent is alive");
        process.kill().expect("the process is ours");
        process.wait().expect("the process is ours");
    }

    /// What `palisade status` would say.
    ///
    /// # Panics
    /// If the instance cannot be read.
    pub fn status(&self) -> Status {
        status::status(&self.instance).unwrap_or_else(|error| panic!("{error}\n{}", self.log()))
    }

    /// Waits until the status is as wanted, and returns it.
    ///
    /// # Panics
    /// If that takes too long; with the status and the log.
    pub fn wait_until(&self, what: &str, mut holds: impl FnMut(&Status) -> bool) -> Status {
        let mut status = self.status();
        wait_for(
            || {
                status = self.status();
                holds(&status)
            },
            || panic!("waited in vain until {what}: {:#?}\n{}", self.status(), self.log()),
        );
        status
    }

    /// Waits until the estate as it is on disk is in force at every interface, and returns the generation.
    ///
    /// # Panics
    /// If the estate has errors, or it takes too long.
    pub fn wait_until_in_force(&self) -> u64 {
        let wanted = load::estate(&self.sources).unwrap_or_else(|error| panic!("{error}")).digest;
        let enforced = || State::read(&self.instance).expect("the state can be read")?.enforced;
        let status = self.wait_until("the estate is in force", |status| {
            enforced().as_ref() == Some(&wanted)
                && status.agent_running
                && !status.nics.is_empty()
                && status.nics.iter().all(|nic| nic.attached && nic.in_force)
        });
        status.generation
    }

    /// What the agent said.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if self.process.is_some() {
            self.kill();
        }
        if let Err(error) = palisade_agent::remove(&self.instance) {
            eprintln!("the agent's instance is not fully removed: {error}");
        }
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

/// A lab's agent: started with the first estate, and told of the next ones by the files alone.
#[derive(Debug)]
pub struct LabAgent<'a> {
    stage: &'a Stage,
    part: &'static str,
    agent: Option<Agent>,
}

impl<'a> LabAgent<'a> {
    /// An agent for this part of the stage.
    pub const fn new(stage: &'a Stage, part: &'static str) -> Self {
        Self { stage, part, agent: None }
    }
}

impl Enforcer for LabAgent<'_> {
    fn enforce(&mut self, estate: &EstateFiles) -> anyhow::Result<u64> {
        let agent = self.agent.get_or_insert_with(|| {
            let mut agent = Agent::new(self.stage, sources(estate));
            agent.start(self.stage, self.part);
            agent
        });
        Ok(agent.wait_until_in_force())
    }
}

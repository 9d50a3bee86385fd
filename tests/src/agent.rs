//! The real agent in a process of its own, started and killed at a test's will.
//!
//! A test program runs itself again as the agent: it needs a test named [`SELF`] that calls [`be_the_agent`]. So what is tested
//! is always what was just built. When the value is dropped the process ends and its programs leave the kernel.

use std::{env, ffi::OsString, path::PathBuf};

use palisade_agent::{
    Instance, Options, Tuning,
    load::{self, EstateSources},
    state::State,
    status::{self, Status},
};
use palisade_lab::{
    Lab,
    netns::stage::Stage,
    policy::EstateFiles,
    topology::HYPERVISOR,
    wiring::{self, agent::AgentProcess},
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
        }
        .into(),
        detach_on_exit: false,
        tuning: Tuning::default(),
    };
    palisade_agent::run(&options, |event| eprintln!("{event}")).expect("the agent runs");
}

/// The agent of a lab's own estate, which is yet to be started.
///
/// # Panics
/// If the lab's namespace cannot be entered.
pub fn of_lab(lab: &Lab) -> AgentProcess {
    process(lab.stage(), HYPERVISOR, &wiring::sources(&EstateFiles::of_lab(lab.stage().name())))
}

/// An agent of a new instance in a namespace of the stage.
fn process(stage: &Stage, part: &str, sources: &EstateSources) -> AgentProcess {
    let folder = stage.folder();
    let instance = Instance { pin_dir: pins::fresh(), state_dir: folder.join("agent") };
    let list = |paths: &[PathBuf]| env::join_paths(paths).expect("paths of tests have no colon");
    let program = env::current_exe().expect("a test program has a file");
    let mut command = stage.command(part, program).expect("the namespace can be entered");
    let variables: [(&str, OsString); 5] = [
        (PINS, instance.pin_dir.clone().into()),
        (STATE, instance.state_dir.clone().into()),
        (ESTATE, list(&sources.paths)),
        (PARAMETERS, list(&sources.parameters)),
        (SERVICE_TAGS, list(&sources.service_tags)),
    ];
    command.args(["--exact", SELF, "--nocapture"]).envs(variables);
    AgentProcess::new(instance, command, folder.join("agent.log"))
}

/// An agent of its own instance, with the questions that tests ask.
#[derive(Debug)]
pub struct Agent {
    process: AgentProcess,
    sources: EstateSources,
}

impl Agent {
    /// An agent for a namespace of this stage that was not started yet.
    ///
    /// # Panics
    /// If the namespace cannot be entered.
    pub fn new(stage: &Stage, part: &str, sources: EstateSources) -> Self {
        Self { process: process(stage, part, &sources), sources }
    }

    /// Starts the process.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(&mut self) {
        self.process.start().expect("the agent starts");
    }

    /// Ends the process as a crash would: no chance to tidy up.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// What `palisade status` would say.
    ///
    /// # Panics
    /// If the instance cannot be read.
    pub fn status(&self) -> Status {
        status::status(self.process.instance()).unwrap_or_else(|error| panic!("{error}\n{}", self.log()))
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
        // The state first: a status read before it could still tell of the policy that this one replaced.
        let enforced = || State::read(self.process.instance()).expect("the state can be read")?.enforced;
        self.wait_until("the estate is enforced", |_| enforced().as_ref() == Some(&wanted));
        let status = self.wait_until("the estate is in force", |status| {
            status.agent_running
                && !status.nics.is_empty()
                && status.nics.iter().all(|nic| nic.attached && nic.in_force)
        });
        status.generation
    }

    /// What the agent said.
    pub fn log(&self) -> String {
        self.process.log()
    }
}

//! The lab as a value: up when made, removed when dropped.

use std::ffi::OsStr;
use std::process::Command;

use crate::error::{LabError, Result};
use crate::hosts::{HOSTS, Host, host};
use crate::netns::stage::{Lifetime, Stage};
use crate::netns::{Namespace, obstacle, registry};
use crate::probe::server::Servers;
use crate::topology::{HYPERVISOR, build, parts};

/// The name of the lab that the command line talks about.
pub const DEFAULT_NAME: &str = "lab";

/// A running lab.
#[derive(Debug)]
pub struct Lab {
    stage: Stage,
}

impl Lab {
    /// Builds a lab, with every host reachable and no server running.
    pub fn up(name: &str, lifetime: Lifetime) -> Result<Lab> {
        Ok(Lab { stage: Stage::up(name, lifetime, &parts(), build)? })
    }

    /// Removes the lab of this name, however it came about; nothing happens if there is none.
    pub fn remove(name: &str) -> Result<()> {
        obstacle().map_or(Ok(()), Err)?;
        registry::remove(name)
    }

    /// Namespaces, files and processes.
    pub fn stage(&self) -> &Stage {
        &self.stage
    }

    /// The namespace of a host.
    pub fn of(&self, host: &Host) -> Namespace {
        self.stage.namespace(host.name)
    }

    /// The host of this name.
    pub fn host(&self, name: &str) -> Result<&'static Host> {
        host(name).ok_or_else(|| LabError::UnknownHost {
            name: name.into(),
            known: HOSTS.map(|host| host.name).join(", "),
        })
    }

    /// Starts every service on every host.
    pub fn serve(&self) -> Result<Servers> {
        Servers::start(HOSTS.iter().map(|host| (self.of(host), host.name)))
    }

    /// A command that runs on the hypervisor, where every machine's interface ends. The agent goes here.
    pub fn on_hypervisor(&self, program: impl AsRef<OsStr>) -> Result<Command> {
        self.stage.command(HYPERVISOR, program)
    }

    /// Notes a process so that removing the lab ends it, even from another process.
    pub fn adopt(&mut self, process: u32) -> Result<()> {
        self.stage.adopt(process)
    }

    /// Removes the lab and says whether that worked.
    pub fn down(self) -> Result<()> {
        self.stage.down()
    }
}

//! A lab as a value: up when made, removed when dropped.

use std::path::PathBuf;
use std::process::Command;

use crate::error::{LabError, Result};
use crate::hosts::{HOSTS, Host, host};
use crate::netns::registry::{self, Process, Record, namespace_name};
use crate::netns::{Namespace, obstacle};
use crate::topology::{HYPERVISOR, build, parts};

/// The name of the lab that the command line talks about.
pub const DEFAULT_NAME: &str = "lab";

/// Who removes a lab that nobody removed by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// Dropping the value does; after a crash of this process, the next lab does.
    Process,
    /// Nobody: it stays until [`Lab::remove`].
    UntilRemoved,
}

/// A running lab.
#[derive(Debug)]
pub struct Lab {
    record: Record,
    lifetime: Lifetime,
}

impl Lab {
    /// Builds a lab. Labs left behind by dead processes are removed first.
    pub fn up(name: &str, lifetime: Lifetime) -> Result<Lab> {
        if let Some(obstacle) = obstacle() {
            return Err(obstacle);
        }
        registry::remove_abandoned()?;
        let owner = match lifetime {
            Lifetime::Process => Some(Process::current()?),
            Lifetime::UntilRemoved => None,
        };
        let record = Record::create(name, owner, &parts())?;
        // From here on a failure drops the value, which removes what was made.
        let mut lab = Lab { record, lifetime: Lifetime::Process };
        build(name)?;
        lab.lifetime = lifetime;
        Ok(lab)
    }

    /// Removes the lab of this name, however it came about; nothing happens if there is none.
    pub fn remove(name: &str) -> Result<()> {
        obstacle().map_or(Ok(()), Err)?;
        registry::remove(name)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.record.name()
    }

    /// The folder for its files, removed with it.
    pub fn folder(&self) -> PathBuf {
        registry::folder(self.name())
    }

    /// The namespace of one part: a host, the router or the hypervisor.
    pub fn namespace(&self, part: &str) -> Namespace {
        Namespace::named(namespace_name(self.name(), part))
    }

    /// The namespace of a host.
    pub fn of(&self, host: &Host) -> Namespace {
        self.namespace(host.name)
    }

    /// The host of this name.
    pub fn host(&self, name: &str) -> Result<&'static Host> {
        host(name).ok_or_else(|| LabError::UnknownHost {
            name: name.into(),
            known: HOSTS.map(|host| host.name).join(", "),
        })
    }

    /// A command that runs on the hypervisor, where every machine's interface ends. The agent goes here.
    pub fn on_hypervisor(&self, program: impl AsRef<std::ffi::OsStr>) -> Result<Command> {
        self.namespace(HYPERVISOR).command(program)
    }

    /// Notes a process so that removing the lab ends it, even from another process.
    pub fn adopt(&mut self, process: u32) -> Result<()> {
        self.record.add_process(process)
    }

    /// Removes the lab and says whether that worked.
    pub fn down(mut self) -> Result<()> {
        self.lifetime = Lifetime::UntilRemoved;
        registry::remove(self.name())
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if self.lifetime == Lifetime::Process
            && let Err(error) = registry::remove(self.name())
        {
            eprintln!("lab {:?} is not fully removed: {error}", self.name());
        }
    }
}

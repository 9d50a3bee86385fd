//! A set of namespaces as a value: made together, removed together, removed when dropped.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use super::registry::{self, Process, Record, namespace_name};
use super::{Namespace, obstacle};
use crate::error::Result;

/// Who removes a stage that nobody removed by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// Dropping the value does; after a crash of this process, whoever makes the next stage.
    Process,
    /// Nobody: it stays until it is removed by name.
    UntilRemoved,
}

/// Namespaces under one name, with a folder for files.
#[derive(Debug)]
pub struct Stage {
    record: Record,
    lifetime: Lifetime,
}

impl Stage {
    /// Makes empty namespaces and lets `build` furnish them. Stages of dead processes are removed first.
    ///
    /// When `build` fails, everything is removed again.
    pub fn up(
        name: &str,
        lifetime: Lifetime,
        parts: &[&str],
        build: impl FnOnce(&Stage) -> Result<()>,
    ) -> Result<Stage> {
        obstacle().map_or(Ok(()), Err)?;
        registry::remove_abandoned()?;
        let owner = match lifetime {
            Lifetime::Process => Some(Process::current()?),
            Lifetime::UntilRemoved => None,
        };
        let record = Record::create(name, owner, parts)?;
        let mut stage = Stage { record, lifetime: Lifetime::Process };
        build(&stage)?;
        stage.lifetime = lifetime;
        Ok(stage)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.record.name()
    }

    /// The folder for its files, removed with it.
    pub fn folder(&self) -> PathBuf {
        registry::folder(self.name())
    }

    /// The namespace of one part.
    pub fn namespace(&self, part: &str) -> Namespace {
        Namespace::named(namespace_name(self.name(), part))
    }

    /// A command that runs in one part and dies with the thread that spawns it.
    ///
    /// It is a process group of its own: Ctrl-C reaches whoever owns the stage, and nobody else.
    pub fn command(&self, part: &str, program: impl AsRef<OsStr>) -> Result<Command> {
        let mut command = self.namespace(part).command(program)?;
        command.process_group(0);
        Ok(command)
    }

    /// Notes a process so that removing the stage ends it, even from another process.
    pub fn adopt(&mut self, process: u32) -> Result<()> {
        self.record.add_process(process)
    }

    /// Removes everything and says whether that worked.
    pub fn down(mut self) -> Result<()> {
        self.lifetime = Lifetime::UntilRemoved;
        self.record.remove()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if self.lifetime == Lifetime::Process
            && let Err(error) = self.record.remove()
        {
            eprintln!("{:?} is not fully removed: {error}", self.name());
        }
    }
}

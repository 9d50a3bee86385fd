//! What the way back takes: the verification of a sealed disk, a revert until the machine boots, the audit of a guest, and flipped bits.
//!
//! Times are of the clock, on two processors. Disks are made, measured while the cache has them, and removed. Peers and QEMU are used if they
//! are installed; hives are not part of the repository. It must not know how anything is verified.

mod audit;
mod disk;
mod flips;
mod guest;
mod processors;
mod revert;
mod site;
mod verify;

use std::{io, path::PathBuf, process::Command};

use crate::{
    error::{Context as _, Error, Result},
    report::{Case, Report},
    scratch::Scratch,
};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// What to measure, and how thoroughly.
#[derive(Debug, Clone)]
pub struct Options {
    /// Fewer rounds, smaller disks.
    pub quick: bool,
    /// Groups to measure; all if there are none.
    pub groups: Vec<Group>,
    /// Where disks are made: 9 GB, or 600 MB of the quick run.
    pub scratch: PathBuf,
    /// The public collection, for the hives in it.
    pub collection: Option<PathBuf>,
}

/// Cases that are measured together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Every byte of a sealed disk, beside other hashes over it.
    Verify,
    /// From the beginning of a revert until the machine boots.
    Revert,
    /// Findings about a guest, from its disk or hives.
    Audit,
    /// One bit that is not what was sealed.
    Flips,
}

impl Group {
    /// All of them, in the order in which they are measured.
    pub const ALL: [Self; 4] = [Self::Verify, Self::Revert, Self::Audit, Self::Flips];

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.name() == name)
    }

    /// As it is asked for, and as the names of its cases begin.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Revert => "revert",
            Self::Audit => "audit",
            Self::Flips => "flips",
        }
    }
}

/// A run under way: what was asked for, and whom to tell how far it is.
struct Run<'r> {
    options: &'r Options,
    tell: &'r mut dyn FnMut(&str),
}

impl Run<'_> {
    /// The thorough one, or the quick one.
    fn choose<T: Copy>(&self, [thorough, quick]: [T; 2]) -> T {
        if self.options.quick { quick } else { thorough }
    }

    /// An empty folder that is gone with its value, if there is room for so many bytes in it.
    fn folder(&self, bytes: u64) -> Result<Scratch> {
        let folder = Scratch::make(&self.options.scratch)?;
        let path = folder.path();
        let room =
            nix::sys::statvfs::statvfs(path).context(|| format!("ask how full {} is", path.display()))?;
        let free = room.blocks_available() * room.fragment_size();
        if free < bytes {
            return Err(Error::Room { path: self.options.scratch.clone(), wanted: bytes, free });
        }
        Ok(folder)
    }
}

/// Measures what was asked for. `tell` is told what is measured now, and what is left out.
///
/// # Errors
/// The first thing that fails ends the run; a disk without room for what is made.
pub fn run(options: &Options, tell: &mut dyn FnMut(&str)) -> Result<Report> {
    let mut run = Run { options, tell };
    let mut report = Report::default();
    for group in Group::ALL {
        if !options.groups.is_empty() && !options.groups.contains(&group) {
            continue;
        }
        let cases: Vec<Case> = match group {
            Group::Verify => verify::measure(&mut run)?,
            Group::Revert => revert::measure(&mut run)?,
            Group::Audit => audit::measure(&mut run)?,
            Group::Flips => flips::measure(&mut run)?,
        };
        report.cases.extend(cases);
    }
    Ok(report)
}

/// Runs a tool to its end.
fn succeed(command: &mut Command) -> Result<()> {
    let context = |command: &Command| format!("run {}", command.get_program().to_string_lossy());
    let output = command.output().context(|| context(command))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(io::Error::other(said)).context(|| context(command))
}

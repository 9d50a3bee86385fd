//! The way back: from a machine that was taken to one that is known to be clean.
//!
//! A list of steps, each of which may be done again, and a journal that says which have been done. Whoever continues after a crash does the first
//! one that is not, which may have been done in part. Until the machine's disks are replaced the revert can be abandoned; after that it only goes
//! on. Memory is never brought back: the machine boots cold. Reference: docs/recovery.md.

mod hands;
pub mod inside;
mod journal;
pub mod libvirt;
pub mod qmp;
pub mod seed;
mod steps;

use std::{
    fmt, fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use hands::{Audit, Cold, HandError, Hands, Machine, Nothing, Policy, Prepare};
pub use journal::{JOURNAL_MAX, Journal, Record};

use crate::{
    evidence::EvidenceError,
    files::{self, FileError, Hold},
    key::SealCheck,
    scan::Progress,
    state::{Manifest, StateError, Store},
};

/// One step of a revert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    /// Policy first, so that the machine is alone even if its hypervisor does not answer; then the link.
    Quarantine,
    /// What held is written down.
    Record,
    /// Open grants end.
    Grants,
    /// Processors stop, memory is dumped.
    Freeze,
    /// The machine ends. What ran will not run again.
    PowerOff,
    /// Disks become evidence: read-only, hashed, in custody.
    Evidence,
    /// Every byte of the base is what was sealed.
    VerifyBase,
    /// New overlays take the names of the disks. From here on there is no way back.
    Overlay,
    /// Secrets and settings change before the guest meets anybody.
    Changes,
    /// What will be booted is judged.
    Audit,
    /// The machine boots, alone.
    Boot,
    /// A policy that allows less than the one it was taken under.
    Tighten,
    /// The machine meets the world.
    LinkUp,
    /// It is watched.
    Watch,
}

impl Step {
    /// All steps, in order.
    pub const ALL: [Self; 14] = [
        Self::Quarantine,
        Self::Record,
        Self::Grants,
        Self::Freeze,
        Self::PowerOff,
        Self::Evidence,
        Self::VerifyBase,
        Self::Overlay,
        Self::Changes,
        Self::Audit,
        Self::Boot,
        Self::Tighten,
        Self::LinkUp,
        Self::Watch,
    ];
    /// From this step on a revert cannot be abandoned.
    pub const POINT_OF_NO_RETURN: Self = Self::Overlay;

    /// What it is, in words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quarantine => "quarantine",
            Self::Record => "record",
            Self::Grants => "revoke grants",
            Self::Freeze => "freeze",
            Self::PowerOff => "power off",
            Self::Evidence => "take evidence",
            Self::VerifyBase => "verify the base",
            Self::Overlay => "new overlay",
            Self::Changes => "changes before first contact",
            Self::Audit => "audit",
            Self::Boot => "boot with the link down",
            Self::Tighten => "tighten the policy",
            Self::LinkUp => "link up",
            Self::Watch => "watch",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Permissions of a disk's new overlay.
const OVERLAY_MODE: u32 = 0o600;

/// What a revert is going to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Plan {
    /// Name of the revert, and of its evidence.
    pub id: String,
    /// Which machine.
    pub machine: String,
    /// To which clean state.
    pub state: String,
    /// Seconds since 1970.
    pub begun: u64,
    /// Who wants it.
    pub by: String,
    /// Why.
    pub why: String,
    /// Memory to dump at most, in bytes; 0 for none.
    pub memory_max: u64,
    /// What the caller needs to go on after a crash, such as where the hypervisor listens.
    #[serde(default)]
    pub hands: serde_json::Value,
    /// Permissions of the machine's disks, as [`Revert::begin`] finds them; what it is given here is not looked at.
    #[serde(default)]
    pub modes: Vec<u32>,
}

/// Why a revert stopped.
#[derive(Debug, Error)]
pub enum RevertError {
    /// A journal that was changed.
    #[error("the journal {} is broken at line {line} (keep it, and go on by hand: docs/recovery.md)", path.display())]
    Journal {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
    /// A revert that has not ended.
    #[error("{machine} has a revert that has not ended (continue or abandon it)")]
    Unfinished {
        /// The machine.
        machine: String,
    },
    /// No revert to go on with.
    #[error("{machine} has no revert that has not ended")]
    NoRevert {
        /// The machine.
        machine: String,
    },
    /// The state is of another machine.
    #[error("{state} is a state of {owner}, not of {machine}")]
    Foreign {
        /// The state.
        state: String,
        /// Whose it is.
        owner: String,
        /// Whose it should be.
        machine: String,
    },
    /// The disks have been replaced.
    #[error("the disks of {machine} have been replaced: the revert can only go on")]
    TooLate {
        /// The machine.
        machine: String,
    },
    /// A hand failed.
    #[error("{step}: {problem}")]
    Hand {
        /// At which step.
        step: Step,
        /// What it said.
        problem: String,
    },
    /// The base is not what was sealed.
    #[error("the base of {state} is not what was sealed; nothing was booted:\n  {}", problems.join("\n  "))]
    Damaged {
        /// The state.
        state: String,
        /// What is wrong, a line each.
        problems: Vec<String>,
    },
    /// A disk that somebody has open although the machine is off.
    #[error("{} is still in use (end whatever has it open)", path.display())]
    Running {
        /// The disk.
        path: PathBuf,
    },
    /// The caller did not want to go on.
    #[error("stopped at: {step}")]
    Stopped {
        /// Before it, or before it was written down.
        step: Step,
    },
    /// A file failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// The clean state.
    #[error(transparent)]
    State(#[from] StateError),
    /// The evidence.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
}

/// What the caller is told, and may stop at: steps that begin, and steps that were done and are going to be written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Nothing of the step has been done in this run.
    Before(Step),
    /// The step has been done, and the journal does not say so yet.
    Undocumented(Step),
}

/// A revert under way: nobody else can change the machine's states meanwhile.
#[derive(Debug)]
pub struct Revert<'s> {
    store: &'s Store,
    journal: Journal,
    manifest: Manifest,
    _hold: Hold,
}

impl<'s> Revert<'s> {
    /// Writes down what is going to be done. Nothing is done yet.
    ///
    /// # Errors
    /// Another revert of the machine, a state that is not its own or was changed.
    pub fn begin(store: &'s Store, mut plan: Plan, check: &SealCheck) -> Result<Self, RevertError> {
        let hold = store.hold(&plan.machine)?;
        let path = journal_file(store, &plan.machine);
        if Journal::find(&path)?.is_some() {
            return Err(RevertError::Unfinished { machine: plan.machine });
        }
        let manifest = store.state(&plan.state, check)?;
        if manifest.machine != plan.machine {
            let (state, owner) = (plan.state, manifest.machine);
            return Err(RevertError::Foreign { state, owner, machine: plan.machine });
        }
        plan.modes = manifest.disks.iter().map(|disk| mode(&disk.overlay)).collect();
        let journal = Journal::begin(&path, plan)?;
        Ok(Self { store, journal, manifest, _hold: hold })
    }

    /// Takes up a revert that was interrupted.
    ///
    /// # Errors
    /// There is none, somebody else is at it, or its state was changed.
    pub fn resume(store: &'s Store, machine: &str, check: &SealCheck) -> Result<Self, RevertError> {
        let hold = store.hold(machine)?;
        let none = || RevertError::NoRevert { machine: machine.to_owned() };
        let journal = Journal::find(&journal_file(store, machine))?.ok_or_else(none)?;
        let manifest = store.state(&journal.plan().state, check)?;
        Ok(Self { store, journal, manifest, _hold: hold })
    }

    /// What was planned and done.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Does what has not been done. `clock` tells seconds since 1970; `heed` is told each moment, and an answer of `false` stops there.
    ///
    /// # Errors
    /// The first step that failed; another run begins with it.
    pub fn run(
        mut self,
        hands: &mut Hands<'_>,
        progress: Progress<'_>,
        clock: &dyn Fn() -> u64,
        heed: &mut dyn FnMut(Moment) -> bool,
    ) -> Result<Journal, RevertError> {
        for step in Step::ALL {
            if self.journal.note(step).is_some() {
                continue;
            }
            let stopped = RevertError::Stopped { step };
            if !heed(Moment::Before(step)) {
                return Err(stopped);
            }
            let note = self.act(step, hands, progress)?;
            if !heed(Moment::Undocumented(step)) {
                return Err(stopped);
            }
            self.journal.add(Record::Done { step, at: clock(), note })?;
        }
        let kept = self.evidence_folder().join("journal.jsonl");
        self.journal.archive(&kept)
    }

    /// Gives the revert up: the machine keeps its disks, and its quarantine until somebody releases it. What was taken as evidence is given back.
    ///
    /// # Errors
    /// The disks have been replaced, or may have been.
    pub fn abandon(mut self, by: &str, now: u64) -> Result<Journal, RevertError> {
        let plan = self.journal.plan();
        // The step may have been done in part, without a word in the journal.
        if self.journal.note(Step::VerifyBase).is_some() {
            return Err(RevertError::TooLate { machine: plan.machine.clone() });
        }
        let (id, machine, modes) = (plan.id.clone(), plan.machine.clone(), plan.modes.clone());
        let folder = self.store.evidence_folder(&id);
        if let Ok(evidence) = self.store.evidence_named(&id) {
            self.store.record_custody(now, by, "returned", &evidence.id, "")?;
        }
        for (number, disk) in self.manifest.disks.iter().enumerate() {
            if folder.join(steps::disk_name(number)).exists() {
                files::set_mode(&disk.overlay, modes.get(number).copied().unwrap_or(OVERLAY_MODE))?;
            }
        }
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(FileError::at("delete", &folder))?;
        }
        self.journal.add(Record::Abandoned { at: now })?;
        let kept = self.store.root().join("reverts").join(format!("{machine}-{id}.abandoned.jsonl"));
        self.journal.archive(&kept)
    }

    fn evidence_folder(&self) -> PathBuf {
        self.store.evidence_folder(&self.journal.plan().id)
    }
}

/// Permissions of a disk; those of a new overlay if it cannot be looked at.
fn mode(disk: &Path) -> u32 {
    fs::metadata(disk).map_or(OVERLAY_MODE, |metadata| metadata.permissions().mode() & 0o7777)
}

fn journal_file(store: &Store, machine: &str) -> PathBuf {
    store.root().join("reverts").join(format!("{machine}.jsonl"))
}

/// Journals of reverts that have not ended.
///
/// # Errors
/// One that was changed.
pub fn unfinished(store: &Store) -> Result<Vec<Journal>, RevertError> {
    let folder = store.root().join("reverts");
    let mut found = Vec::new();
    for id in fs::read_dir(&folder).map_err(FileError::at("list", &folder))? {
        let path = id.map_err(FileError::at("list", &folder))?.path();
        let is_journal = |path: &Path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.ends_with(".jsonl") && !name.ends_with(".abandoned.jsonl")
        };
        if is_journal(&path) {
            found.extend(Journal::find(&path)?);
        }
    }
    Ok(found)
}

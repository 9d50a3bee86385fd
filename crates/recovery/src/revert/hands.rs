//! What a revert does to the world outside of its files, behind traits: the machine, its policy, its new disk.
//!
//! Everything here is asked for again after a crash, so everything must bear being done twice. An error stops the revert where it is; the next
//! run asks again.

use std::path::{Path, PathBuf};

use super::Plan;

/// Why a hand could not do what it was asked for, in words.
pub type HandError = Box<dyn std::error::Error + Send + Sync>;

/// Whoever runs the machine.
pub trait Machine {
    /// Takes its network away, or gives it back.
    ///
    /// # Errors
    /// It cannot be reached.
    fn set_link(&mut self, is_up: bool) -> Result<String, HandError>;
    /// Stops its processors, and dumps its memory into a file if it has no more than so many bytes. Returns what was done, in words.
    ///
    /// # Errors
    /// It cannot be reached, or the file not be written.
    fn freeze(&mut self, memory: Option<(&Path, u64)>) -> Result<String, HandError>;
    /// Ends it; nothing has its disks open afterwards.
    ///
    /// # Errors
    /// It does not end.
    fn power_off(&mut self) -> Result<String, HandError>;
    /// Boots it cold, its network still away. If it runs, it was this that started it.
    ///
    /// # Errors
    /// It does not start.
    fn boot(&mut self) -> Result<String, HandError>;
}

/// Whoever decides what passes.
pub trait Policy {
    /// Isolates the machine at its host's interface.
    ///
    /// # Errors
    /// It is not in force.
    fn quarantine(&mut self, plan: &Plan) -> Result<String, HandError>;
    /// What holds now and is worth remembering: revision, grants, alerts. A JSON document.
    ///
    /// # Errors
    /// It cannot be asked.
    fn record(&mut self, plan: &Plan) -> Result<serde_json::Value, HandError>;
    /// Ends all grants to the machine.
    ///
    /// # Errors
    /// One of them holds still.
    fn revoke_grants(&mut self, plan: &Plan) -> Result<String, HandError>;
    /// Notes elsewhere what the custody log ends with now, so that nobody can cut it here without being seen.
    ///
    /// # Errors
    /// It is not noted.
    fn note_custody(&mut self, plan: &Plan, head: &str) -> Result<String, HandError>;
    /// Puts in force what the machine may do after a revert: less than before.
    ///
    /// # Errors
    /// It is not in force.
    fn tighten(&mut self, plan: &Plan) -> Result<String, HandError>;
    /// Has the machine watched more closely for a time.
    ///
    /// # Errors
    /// It is not watched.
    fn watch(&mut self, plan: &Plan) -> Result<String, HandError>;
}

/// Whoever changes a new disk before it meets the world.
pub trait Prepare {
    /// Changes what the guest will find; the disks are not in use.
    ///
    /// # Errors
    /// It is not changed.
    fn prepare(&mut self, plan: &Plan, disks: &[PathBuf]) -> Result<String, HandError>;
}

/// Whoever judges a guest without running it.
pub trait Audit {
    /// Judges the new disks, changes included, before they are booted; an error refuses to boot them.
    ///
    /// # Errors
    /// They must not be booted.
    fn audit(&mut self, plan: &Plan, disks: &[PathBuf]) -> Result<String, HandError>;
}

/// All hands of a revert.
pub struct Hands<'h> {
    /// Runs the machine.
    pub machine: &'h mut dyn Machine,
    /// Decides what passes.
    pub policy: &'h mut dyn Policy,
    /// Changes new disks.
    pub prepare: &'h mut dyn Prepare,
    /// Judges new disks.
    pub audit: &'h mut dyn Audit,
}

/// A machine that no hypervisor runs: only its disks are there.
#[derive(Debug, Default)]
pub struct Cold;

impl Machine for Cold {
    fn set_link(&mut self, is_up: bool) -> Result<String, HandError> {
        Ok(format!(
            "no hypervisor: the link is {} when somebody makes it so",
            if is_up { "up" } else { "down" }
        ))
    }

    fn freeze(&mut self, _: Option<(&Path, u64)>) -> Result<String, HandError> {
        Ok("no hypervisor: nothing runs".into())
    }

    fn power_off(&mut self) -> Result<String, HandError> {
        Ok("no hypervisor: nothing runs".into())
    }

    fn boot(&mut self) -> Result<String, HandError> {
        Ok("no hypervisor: start the machine by hand".into())
    }
}

/// Changes and judges nothing, and says so.
#[derive(Debug, Default)]
pub struct Nothing;

impl Prepare for Nothing {
    fn prepare(&mut self, _: &Plan, _: &[PathBuf]) -> Result<String, HandError> {
        Ok("nothing changed: the guest has the secrets and settings that it was taken with".into())
    }
}

impl Audit for Nothing {
    fn audit(&mut self, _: &Plan, _: &[PathBuf]) -> Result<String, HandError> {
        Ok("no audit".into())
    }
}

//! What the third story asks of whoever watches: tell what was seen, and do something about it.
//!
//! Addresses are those that a machine's interface sees. [`crate::wiring::control`] has the answers of a real control plane; the lab's own tests bring
//! others, to show that the story is not told where nobody watches.

use std::net::IpAddr;

use crate::policy::Enforcer;

/// Something that somebody should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// How grave it is: `Critical`.
    pub severity: String,
    /// The numbers that made it, as a sentence.
    pub evidence: String,
}

/// What happened to a machine at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When, as a person reads it.
    pub time: String,
    /// What kind of thing: `alert`.
    pub what: String,
    /// What, as a sentence.
    pub summary: String,
}

/// A way into a machine that stays when it is isolated: from whom, to which TCP port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForensicPath {
    /// Who may come.
    pub source: IpAddr,
    /// To where.
    pub port: u16,
}

/// Watches what passes, and answers.
pub trait Guard: Enforcer {
    /// Waits for an alert of this name about what this address did; nothing if there is none in good time.
    ///
    /// # Errors
    /// What is there cannot be asked.
    fn alert(&mut self, name: &str, subject: IpAddr) -> anyhow::Result<Option<Alert>>;

    /// Lets nothing of an address in; in force when it returns.
    ///
    /// # Errors
    /// It is not in force.
    fn lock_out(&mut self, source: IpAddr) -> anyhow::Result<()>;

    /// From now on isolates machines that scan, but for these ways in.
    ///
    /// # Errors
    /// It will not.
    fn isolate_scanners(&mut self, forensic: &[ForensicPath]) -> anyhow::Result<()>;

    /// Lets isolated machines speak again; so when it returns.
    ///
    /// # Errors
    /// One of them is isolated still.
    fn release(&mut self) -> anyhow::Result<()>;

    /// What happened to the machine of this name, in order.
    ///
    /// # Errors
    /// Nobody can tell.
    fn timeline(&mut self, machine: &str) -> anyhow::Result<Vec<Event>>;
}

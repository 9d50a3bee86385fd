//! What the lab asks of those who know policy: put this estate in force, and say what should happen.
//!
//! Building, probing and telling stories know no more of policy than this. [`crate::wiring`] has the answers of the real
//! agent and of the oracle; the lab's own tests bring others, to show that a wrong answer is seen.

use std::path::PathBuf;

use palisade_net::Flow;

/// The files that describe a lab's estate, on disk and ready to be read.
#[derive(Debug, Clone)]
pub struct EstateFiles {
    /// The ARM template.
    pub template: PathBuf,
    /// Its parameters. Only this file changes when a lab changes its policy.
    pub parameters: PathBuf,
    /// The service tags, in Microsoft's format.
    pub service_tags: PathBuf,
}

/// Puts policy in force on the machines of a lab.
pub trait Enforcer {
    /// Returns when all of the estate, and nothing of an earlier one, is in force; the answer is its generation.
    fn enforce(&mut self, estate: &EstateFiles) -> anyhow::Result<u64>;
}

/// Says what policy decides, without sending anything.
pub trait Predictor {
    /// Reads the estate; later questions are about this one.
    fn load(&mut self, estate: &EstateFiles) -> anyhow::Result<()>;

    /// Judges a new connection at the NIC of this name: private addresses, whatever the router translates outside.
    fn predict(&mut self, nic: &str, flow: &Flow) -> anyhow::Result<Prediction>;
}

/// What policy decides about a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prediction {
    /// Whether it may pass.
    pub is_allowed: bool,
    /// Which rule decided, as people should read it: `web-nsg/allow-web`.
    pub rule: String,
}

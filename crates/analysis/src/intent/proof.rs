//! What is found of an intent.

use std::sync::Arc;

use palisade_model::{EffectivePolicy, ResourceId};
use palisade_net::{Direction, Flow};

use super::{Effect, Severity, Shape};
use crate::{PerFamily, Region, Side, Volume};

/// What is found of one intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Name of the intent.
    pub intent: String,
    /// What it claims.
    pub shape: Shape,
    /// What a control plane does with a change that violates it.
    pub effect: Effect,
    /// How bad a violation is.
    pub severity: Severity,
    /// Whether it holds.
    pub outcome: Outcome,
    /// What is not known: it may violate the intent, or not. Beside violations too.
    pub doubts: Vec<Doubt>,
    /// Interfaces, and what stands for machines to come, whose rules were asked. If there is none the intent holds of nothing.
    pub asked: usize,
}

/// Whether an intent holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// For every packet, however what is not known turns out.
    Holds,
    /// Surely not; everything that violates it surely.
    Violated(Vec<Violation>),
    /// That depends on what is not known.
    Undetermined,
}

/// Packets that violate an intent, and that the same rules judge at the same kind of interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// What judges them: where they leave, where they arrive, or both. What passes has been let through by all of these; what
    /// does not is stopped by the one.
    pub ends: Vec<End>,
    /// All of them. Where the sender and the receiver may be one machine, two different ones are meant.
    pub region: Region,
    /// How many there are.
    pub volume: PerFamily<Volume>,
    /// One of them, seen from the first end.
    pub example: Flow,
}

/// Interfaces with the same rules, at one end of packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// Network interfaces; subnets without any, and NSGs that are attached to nothing, where rules stand for machines to come.
    pub members: Vec<ResourceId>,
    /// The one of them that sees the example.
    pub witness: ResourceId,
    /// Outbound where packets leave, inbound where they arrive.
    pub direction: Direction,
    /// What the rules say, and which one decides.
    pub side: Side,
    /// The rules.
    pub policy: Arc<EffectivePolicy>,
}

/// Something that is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// What it is, as a phrase.
    pub why: String,
    /// Packets that may violate the intent because of it; `None` if not even that can be told.
    pub possible: Option<Violation>,
}

impl Proof {
    /// What violates the intent surely.
    pub fn violations(&self) -> &[Violation] {
        match &self.outcome {
            Outcome::Violated(violations) => violations,
            Outcome::Holds | Outcome::Undetermined => &[],
        }
    }
}

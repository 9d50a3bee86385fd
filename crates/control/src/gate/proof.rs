//! Intents proven for some interfaces of a world.
//!
//! What judges these interfaces is known whole. Others are there only as members of what intents name, without what judges
//! them, or not at all, and are taken to let everything through. What is found may therefore be too much, and never too little:
//! [`others`] names those that must be known before it is believed.

use std::collections::BTreeSet;
use std::sync::Arc;

use palisade_analysis::intent::{Doubt, Effect, Intent, Intents, Outcome, Proof, Prover, Shape, Violation};
use palisade_analysis::{AnalysisError, Block, Limits};
use palisade_model::{Estate, ResourceId, Rule};
use palisade_net::{AddressSet, Direction};

use super::concerned::Asked;
use super::covered::is_covered;
use super::names;
use super::sets::Set;
use crate::{ControlError, World};

/// Most moments at which rules begin or end to hold, and that one write is proven for.
pub(super) const MOMENTS_MAX: usize = 64;

/// Some interfaces of a world with all that judges them.
pub(super) struct Place {
    estate: Estate,
}

/// Something that an intent finds.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub(super) set: Arc<Set>,
    /// Name of the intent.
    pub(super) intent: String,
    pub(super) shape: Shape,
    pub(super) effect: Effect,
    /// When, in seconds since 1970.
    pub(super) at: u32,
    pub(super) what: What,
}

/// What is found.
#[derive(Debug, Clone)]
pub(super) enum What {
    /// It is surely violated.
    Violated(Violation),
    /// It cannot be said.
    Doubted(Doubt),
}

impl Place {
    pub(super) fn new(
        world: &World,
        nics: &BTreeSet<ResourceId>,
        asked: &[Asked],
    ) -> Result<Self, ControlError> {
        let named = names::documents(world, asked.iter().map(|one| &one.intents));
        let nics: Vec<ResourceId> = nics.iter().cloned().collect();
        let parts = world.closure_with(&nics, named.iter());
        Ok(Self { estate: crate::plan::estate_of(world, &parts)? })
    }

    /// Now, and every later moment at which a rule begins or ends to hold.
    pub(super) fn moments(&self, now: u32) -> Result<Vec<u32>, ControlError> {
        let rules = self.estate.nsgs().flat_map(|nsg| Direction::ALL.map(|way| nsg.rules(way)));
        let windows = rules.flatten().map(Rule::window);
        let edges = windows.flat_map(|window| [window.not_before(), window.expires_at()]).flatten();
        let moments: BTreeSet<u32> = edges.filter(|edge| *edge > now).chain([now]).collect();
        if moments.len() > MOMENTS_MAX {
            let message = format!(
                "The rules that this write concerns begin and end at {} moments, more than {MOMENTS_MAX}, at which intents would have \
                 to be proven. Remove rules that have ended, or give them the same times.",
                moments.len()
            );
            return Err(ControlError::new(403, "PolicyUndetermined", message));
        }
        Ok(moments.into_iter().collect())
    }

    /// What is found at the interfaces at which each set is asked.
    pub(super) fn prove(&self, asked: &[Asked], moments: &[u32]) -> Vec<Finding> {
        let prover = Prover::new(&self.estate);
        let each = asked.iter().flat_map(|one| moments.iter().map(move |at| (one, *at)));
        each.flat_map(|(one, at)| prove_at(&prover, one, at)).collect()
    }
}

/// What one set finds at a moment.
fn prove_at(prover: &Prover<'_>, asked: &Asked, at: u32) -> Vec<Finding> {
    let mut intents = asked.intents.clone();
    let mut found = Vec::new();
    loop {
        let is_asked = |id: &ResourceId| asked.about.contains(id);
        match prover.prove_at(&intents, &is_asked, at, Limits::default()) {
            Ok(proofs) => {
                found.extend(proofs.into_iter().flat_map(|proof| findings(&asked.set, proof, at)));
                return found;
            }
            // One that cannot be proven says nothing of the others.
            Err(error) => {
                let failed = |one: &Intent| match &error {
                    AnalysisError::Intent { intent, .. } => one.name == *intent,
                    _ => true,
                };
                let (lost, left): (Vec<Intent>, Vec<Intent>) = intents.intents.into_iter().partition(failed);
                found.extend(lost.iter().map(|one| unproven(&asked.set, one, at, &error)));
                if lost.is_empty() || left.is_empty() {
                    return found;
                }
                intents = Intents { intents: left };
            }
        }
    }
}

/// What a proof finds.
fn findings(set: &Arc<Set>, proof: Proof, at: u32) -> Vec<Finding> {
    let violated = match proof.outcome {
        Outcome::Violated(violations) => violations,
        Outcome::Holds | Outcome::Undetermined => Vec::new(),
    };
    let all = violated.into_iter().map(What::Violated).chain(proof.doubts.into_iter().map(What::Doubted));
    let one = |what| Finding {
        set: set.clone(),
        intent: proof.intent.clone(),
        shape: proof.shape,
        effect: proof.effect,
        at,
        what,
    };
    all.map(one).collect()
}

/// An intent of which nothing can be said.
fn unproven(set: &Arc<Set>, intent: &Intent, at: u32, error: &AnalysisError) -> Finding {
    let why = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    Finding {
        set: set.clone(),
        intent: intent.name.clone(),
        shape: intent.shape,
        effect: intent.effect,
        at,
        what: What::Doubted(Doubt { why, possible: None }),
    }
}

impl Finding {
    /// Its packets, if they are known.
    pub(super) const fn packets(&self) -> Option<&Violation> {
        match &self.what {
            What::Violated(violation) => Some(violation),
            What::Doubted(doubt) => doubt.possible.as_ref(),
        }
    }

    /// Whether everything of it was found before: the same intent, at every interface of it, of all its packets.
    pub(super) fn is_among(&self, before: &[Self]) -> bool {
        let is_sure = matches!(self.what, What::Violated(_));
        let Some(packets) = self.packets().filter(|packets| packets.region.rest.is_zero()) else {
            return false;
        };
        let same = |other: &&Self| {
            other.set.id == self.set.id && other.intent == self.intent && other.at == self.at
                // What was only possible and is certain now is new.
                && (!is_sure || matches!(other.what, What::Violated(_)))
        };
        let known: Vec<&Violation> = before.iter().filter(same).filter_map(Self::packets).collect();
        packets.ends.iter().all(|end| {
            end.members.iter().all(|member| {
                let here = known.iter().filter(|one| {
                    one.ends.iter().any(|own| own.direction == end.direction && own.members.contains(member))
                });
                let blocks: Vec<&Block> = here.flat_map(|one| &one.region.blocks).collect();
                packets.region.blocks.iter().all(|block| is_covered(block, &blocks))
            })
        })
    }
}

/// The interfaces that could stop what was found, if they were asked. What must pass and does not is stopped already.
pub(super) fn others(world: &World, found: &[Finding]) -> BTreeSet<ResourceId> {
    let mut addresses = AddressSet::empty();
    for finding in found.iter().filter(|finding| finding.shape != Shape::Allowed) {
        let Some(packets) = finding.packets() else { continue };
        if !packets.region.rest.is_zero() {
            return super::interfaces(world, &ResourceId::new(""));
        }
        for block in &packets.region.blocks {
            addresses = addresses.union(&block.sources).union(&block.destinations);
        }
    }
    world.holders_in(&addresses)
}

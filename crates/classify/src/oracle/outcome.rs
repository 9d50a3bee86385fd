//! What the layers may say, and what follows from it.
//!
//! It must not know how a layer finds its outcomes: the oracle asks its rules about one flow, and an analysis about many at
//! once; both conclude here.

use palisade_model::{Access, EffectiveLayer, Layer};

use crate::{Hit, Verdict};

/// What one layer may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Nothing: no rule matched, or there is no such layer.
    Silent,
    /// What this hit does.
    Says(Access, Hit),
}

/// Everything that `layer` may say, where its rules may find what was `found`, silence included. The last is what it says
/// if nothing exists or matches that is not sure to.
pub fn settle(layer: &EffectiveLayer, mut found: Vec<Outcome>) -> Vec<Outcome> {
    if layer.layer != Layer::Admin {
        // Every NSG ends with a rule that matches everything; a list that does not is incomplete, and fails closed.
        found = replace_silence(found, Outcome::Says(Access::Deny, Hit::Nothing));
    }
    if layer.layer == Layer::PublicAddress {
        // Where it is not closed, it has no say.
        found.iter_mut().for_each(silence_allow);
    }
    if !layer.certain {
        found.push(Outcome::Silent);
    }
    found
}

/// The verdict and what decided, from everything that each layer may say, in order; `None` if one choice of outcomes lets the
/// flow pass and another drops it. A layer has at least one outcome.
pub fn conclude(layers: &[Vec<Outcome>]) -> Option<(Verdict, Hit)> {
    let surely = || layers.iter().map(|outcomes| *outcomes.last().expect("a layer has an outcome"));
    (!verdicts_differ(layers)).then(|| walk(surely()))
}

/// One outcome a layer, in order: the first layer that denies or always allows decides; otherwise every layer let the flow
/// pass, and the last one that said so is named.
fn walk(outcomes: impl Iterator<Item = Outcome>) -> (Verdict, Hit) {
    let mut allowed = Hit::Nothing;
    for outcome in outcomes {
        match outcome {
            Outcome::Silent => {}
            Outcome::Says(Access::Allow, hit) => allowed = hit,
            Outcome::Says(Access::AlwaysAllow, hit) => return (Verdict::Allow, hit),
            Outcome::Says(Access::Deny, hit) => return (Verdict::Deny, hit),
        }
    }
    (Verdict::Allow, allowed)
}

/// Whether one choice of outcomes lets the flow pass and another drops it.
fn verdicts_differ(layers: &[Vec<Outcome>]) -> bool {
    let (mut passes, mut drops) = (false, false);
    for outcomes in layers {
        let says = |access| outcomes.iter().any(|o| matches!(o, Outcome::Says(said, _) if *said == access));
        passes |= says(Access::AlwaysAllow);
        drops |= says(Access::Deny);
        let goes_on = says(Access::Allow) || outcomes.iter().any(|o| matches!(o, Outcome::Silent));
        if !goes_on {
            return passes && drops;
        }
    }
    drops
}

const fn silence_allow(outcome: &mut Outcome) {
    if matches!(outcome, Outcome::Says(Access::Allow, _)) {
        *outcome = Outcome::Silent;
    }
}

pub(super) fn replace_silence(mut outcomes: Vec<Outcome>, with: Outcome) -> Vec<Outcome> {
    for outcome in &mut outcomes {
        if matches!(outcome, Outcome::Silent) {
            *outcome = with;
        }
    }
    outcomes
}

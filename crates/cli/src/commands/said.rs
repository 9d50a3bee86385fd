//! A verdict and what decides it, in words and in the shape that scripts rely on.

use palisade_analysis::what_if::Decider;
use palisade_classify::{Hit, Reason, Verdict};
use palisade_model::EffectivePolicy;
use palisade_net::{Direction, Flow};
use serde::Serialize;

/// A verdict, and what decides.
#[derive(Debug, Serialize)]
pub struct Said<'a> {
    /// `Allow`, `Deny` or `Unknown`.
    pub access: String,
    rule: Option<&'a str>,
    nsg: Option<&'a str>,
    layer: String,
    reason: String,
}

impl<'a> Said<'a> {
    /// What a policy says.
    pub fn new(
        policy: &'a EffectivePolicy,
        direction: Direction,
        verdict: Verdict,
        hit: Hit,
        reason: Reason,
    ) -> Self {
        let explanation = hit.explain(policy, direction);
        Self {
            access: verdict.to_string(),
            rule: explanation.rule.map(|rule| rule.path.as_str()),
            nsg: explanation.nsg,
            layer: explanation.layer.map_or_else(|| "None".to_owned(), |layer| layer.to_string()),
            reason: reason.to_string(),
        }
    }

    /// What decides, as an analysis names it.
    pub fn of(decider: &'a Decider) -> Self {
        Self {
            access: decider.verdict.to_string(),
            rule: decider.rule.as_deref(),
            nsg: decider.nsg.as_deref(),
            layer: decider.layer.map_or_else(|| "None".to_owned(), |layer| layer.to_string()),
            reason: decider.reason.to_string(),
        }
    }

    /// What decides, in words.
    pub fn by(&self) -> String {
        match (self.rule, self.nsg) {
            (Some(rule), Some(nsg)) => format!("{rule} of {nsg} ({})", self.layer),
            _ => self.reason.clone(),
        }
    }
}

/// A flow in words.
pub fn flow(flow: &Flow) -> String {
    format!("{} {flow}", flow.direction())
}

//! A verdict and what decides it, in words and in the shape that scripts rely on.

use palisade_analysis::what_if::Decider;
use palisade_classify::{Hit, Reason, Verdict};
use palisade_control::{time::rfc3339, watcher::own};
use palisade_model::EffectivePolicy;
use palisade_net::{Direction, Flow};
use serde::Serialize;
use serde_json::Value;

/// A verdict, and what decides.
#[derive(Debug, Serialize)]
pub struct Said<'a> {
    /// `Allow`, `Deny` or `Unknown`.
    pub access: String,
    rule: Option<&'a str>,
    nsg: Option<&'a str>,
    layer: String,
    reason: String,
    /// The second in which the deciding rule ends.
    #[serde(skip)]
    until: Option<u32>,
    /// What Azure has no word for in the deciding rule: its list, its window.
    #[serde(skip_serializing_if = "Option::is_none")]
    palisade: Option<Value>,
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
            until: explanation.rule.and_then(|rule| rule.window.expires_at()),
            palisade: explanation.rule.and_then(own::of_rule),
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
            until: None,
            palisade: None,
        }
    }

    /// What decides, in words.
    pub fn by(&self) -> String {
        match (self.rule, self.nsg) {
            (Some(rule), Some(nsg)) => {
                format!("{rule} of {nsg} ({}){}", self.layer, until(self.until))
            }
            _ => self.reason.clone(),
        }
    }
}

/// The end of what ends, in words.
pub fn until(second: Option<u32>) -> String {
    second.map(|second| format!(" until {}", rfc3339(u64::from(second)))).unwrap_or_default()
}

/// A flow in words.
pub fn flow(flow: &Flow) -> String {
    format!("{} {flow}", flow.direction())
}

//! What decides a flow, in names: they are the same at many interfaces, whose indexes are not.

use palisade_classify::{Decision, Hit, Reason, Verdict};
use palisade_model::{EffectivePolicy, Layer};
use palisade_net::Direction;

/// What decides a flow.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decider {
    /// What happens to it.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// Where the rule stands; `None` if none decided.
    pub layer: Option<Layer>,
    /// Name of the rule's NSG or collection.
    pub nsg: Option<String>,
    /// `securityRules/x` and the like.
    pub rule: Option<String>,
}

impl Decider {
    pub(super) fn new(decision: &Decision, policy: &EffectivePolicy, direction: Direction) -> Self {
        let explanation = decision.explain(policy, direction);
        Self {
            verdict: decision.verdict,
            reason: decision.reason,
            layer: explanation.layer,
            nsg: explanation.nsg.map(str::to_owned),
            rule: explanation.rule.map(|rule| rule.path.clone()),
        }
    }

    /// The rule's own name.
    pub fn rule_name(&self) -> Option<&str> {
        self.rule.as_deref().map(|path| path.rsplit('/').next().unwrap_or(path))
    }
}

/// Whether live flows are judged again by what decides. Whatever is no NSG takes part always.
pub(super) fn flushes(decision: &Decision, policy: &EffectivePolicy, direction: Direction) -> bool {
    match decision.hit {
        Hit::Rule { layer, .. } | Hit::Exempt { layer } => policy.layers(direction)[layer].flush,
        Hit::Nothing => true,
    }
}

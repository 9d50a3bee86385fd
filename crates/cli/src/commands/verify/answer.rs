//! An answer: the verdict, the deciding rule, and why.

use palisade_classify::{Decision, Engine};
use palisade_control::watcher::own;
use palisade_model::Throttle;
use palisade_net::Flow;
use serde::Serialize;
use serde_json::Value;

use super::explanation::Explanation;
use crate::commands::said::{self, Said};

/// The answer to one question, in the shape that scripts rely on.
#[derive(Debug, Serialize)]
pub struct Answer<'a> {
    #[serde(flatten)]
    enforced: Said<'a>,
    /// What the answer would be if nothing were in audit, where it is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    audit: Option<Said<'a>>,
    /// The rate that a new destination is held to, though the rules allow it.
    #[serde(skip_serializing_if = "Option::is_none")]
    throttle: Option<Value>,
    #[serde(skip)]
    pace: Option<&'a Throttle>,
    /// Why, and what would have to change, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<Value>,
}

impl<'a> Answer<'a> {
    /// The answer that a decision gives.
    pub fn new(
        engine: &'a Engine,
        flow: &Flow,
        decision: &Decision,
        throttle: Option<&'a Throttle>,
        explanation: Option<&Explanation>,
    ) -> Self {
        let said = |verdict, hit, reason| Said::new(engine.policy(), flow.direction(), verdict, hit, reason);
        Self {
            enforced: said(decision.verdict, decision.hit, decision.reason),
            audit: decision.shadow.map(|shadow| said(shadow.verdict, shadow.hit, shadow.reason)),
            throttle: throttle.map(own::of_throttle),
            pace: throttle,
            explanation: explanation.map(Explanation::document),
        }
    }

    /// The answer as a sentence.
    pub fn sentence(&self, flow: &Flow) -> String {
        let audit = self.audit.as_ref().map(|audit| format!("; in audit {} by {}", audit.access, audit.by()));
        let rate = self.pace.map(|throttle| {
            let until = said::until(throttle.until());
            let (number, rule) = (throttle.pace().per_second, throttle.rule());
            format!("; at most {number} new destinations a second by {rule}{until}")
        });
        format!(
            "{:<7}  {}  by {}{}{}",
            self.enforced.access,
            said::flow(flow),
            self.enforced.by(),
            audit.unwrap_or_default(),
            rate.unwrap_or_default(),
        )
    }
}

//! An answer: the verdict, the deciding rule, and why.

use palisade_classify::{Decision, Engine, Hit, Reason, Verdict};
use palisade_net::Flow;
use serde::Serialize;

/// The answer to one question, in the shape that scripts rely on.
#[derive(Debug, Serialize)]
pub struct Answer<'a> {
    #[serde(flatten)]
    enforced: Said<'a>,
    /// What the answer would be if nothing were in audit, where it is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    audit: Option<Said<'a>>,
}

/// A verdict, and what decides.
#[derive(Debug, Serialize)]
struct Said<'a> {
    access: String,
    rule: Option<&'a str>,
    nsg: Option<&'a str>,
    layer: String,
    reason: String,
}

impl<'a> Answer<'a> {
    /// The answer that a decision gives.
    pub fn new(engine: &'a Engine, flow: &Flow, decision: &Decision) -> Self {
        let said = |verdict, hit, reason| Said::new(engine, flow, verdict, hit, reason);
        Self {
            enforced: said(decision.verdict, decision.hit, decision.reason),
            audit: decision.shadow.map(|shadow| said(shadow.verdict, shadow.hit, shadow.reason)),
        }
    }

    /// The answer as a sentence.
    pub fn sentence(&self, flow: &Flow) -> String {
        let audit = self.audit.as_ref().map(|audit| format!("; in audit {} by {}", audit.access, audit.by()));
        format!(
            "{:<7}  {} {} {} -> {}  by {}{}",
            self.enforced.access,
            flow.direction(),
            flow.protocol(),
            endpoint(flow, flow.source(), flow.source_port()),
            endpoint(flow, flow.destination(), flow.destination_port()),
            self.enforced.by(),
            audit.unwrap_or_default(),
        )
    }
}

impl<'a> Said<'a> {
    fn new(engine: &'a Engine, flow: &Flow, verdict: Verdict, hit: Hit, reason: Reason) -> Self {
        let explanation = hit.explain(engine.policy(), flow.direction());
        Self {
            access: verdict.to_string(),
            rule: explanation.rule.map(|rule| rule.path.as_str()),
            nsg: explanation.nsg,
            layer: explanation.layer.map_or_else(|| "None".to_owned(), |layer| layer.to_string()),
            reason: reason.to_string(),
        }
    }

    /// What decides, in words.
    fn by(&self) -> String {
        match (self.rule, self.nsg) {
            (Some(rule), Some(nsg)) => format!("{rule} of {nsg} ({})", self.layer),
            _ => self.reason.clone(),
        }
    }
}

fn endpoint(flow: &Flow, address: std::net::IpAddr, port: u16) -> String {
    if flow.protocol().has_ports() {
        std::net::SocketAddr::new(address, port).to_string()
    } else {
        address.to_string()
    }
}

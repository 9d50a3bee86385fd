//! An answer: the verdict, the deciding rule, and why.

use palisade_classify::{Decision, Engine};
use palisade_net::Flow;
use serde::Serialize;

/// The answer to one question, in the shape that scripts rely on.
#[derive(Debug, Serialize)]
pub struct Answer<'a> {
    access: String,
    rule: Option<&'a str>,
    nsg: Option<&'a str>,
    layer: String,
    reason: String,
}

impl<'a> Answer<'a> {
    /// The answer that a decision gives.
    pub fn new(engine: &'a Engine, flow: &Flow, decision: &Decision) -> Self {
        let explanation = decision.explain(engine.policy(), flow.direction());
        Self {
            access: decision.verdict.to_string(),
            rule: explanation.rule.map(|rule| rule.path.as_str()),
            nsg: explanation.nsg,
            layer: explanation.layer.map_or_else(|| "None".to_owned(), |layer| layer.to_string()),
            reason: decision.reason.to_string(),
        }
    }

    /// The answer as a sentence.
    pub fn sentence(&self, flow: &Flow) -> String {
        let by = match (self.rule, self.nsg) {
            (Some(rule), Some(nsg)) => format!("{rule} of {nsg} ({})", self.layer),
            _ => self.reason.clone(),
        };
        format!(
            "{:<7}  {} {} {} -> {}  by {by}",
            self.access,
            flow.direction(),
            flow.protocol(),
            endpoint(flow, flow.source(), flow.source_port()),
            endpoint(flow, flow.destination(), flow.destination_port()),
        )
    }
}

fn endpoint(flow: &Flow, address: std::net::IpAddr, port: u16) -> String {
    if flow.protocol().has_ports() {
        std::net::SocketAddr::new(address, port).to_string()
    } else {
        address.to_string()
    }
}

//! Prediction in a lab: the oracle, asked about the estate that is enforced.

use std::collections::HashMap;

use anyhow::{Context as _, anyhow};
use palisade_agent::load;
use palisade_classify::{Verdict, oracle};
use palisade_lab::{
    policy::{Direction, EstateFiles, Flow, Prediction, Predictor},
    probe::Transport,
};
use palisade_model::{EffectivePolicy, Estate};
use palisade_net::{self as net, Family, Protocol};

use super::enforcer;

/// The naive evaluator over the estate that was loaded last.
#[derive(Default)]
pub struct Oracle {
    estate: Option<Estate>,
    policies: HashMap<&'static str, EffectivePolicy>,
}

impl Predictor for Oracle {
    fn load(&mut self, estate: &EstateFiles) -> anyhow::Result<()> {
        self.estate = Some(load::estate(&enforcer::sources(estate))?.estate);
        self.policies.clear();
        Ok(())
    }

    fn predict(&mut self, flow: &Flow) -> anyhow::Result<Prediction> {
        let estate = self.estate.as_ref().context("no estate is loaded")?;
        if !self.policies.contains_key(flow.nic) {
            let nics = estate.nics_named(flow.nic);
            let nic = nics.first().with_context(|| format!("the estate has no NIC {}", flow.nic))?;
            self.policies.insert(flow.nic, estate.effective(nic));
        }
        let policy = &self.policies[flow.nic];
        let flow = translate(flow).ok_or_else(|| anyhow!("addresses of two families"))?;
        let decision = oracle::decide(policy, &flow);
        let explanation = decision.explain(policy, flow.direction());
        let rule = match (explanation.nsg, explanation.rule) {
            (Some(nsg), Some(rule)) => format!("{nsg}/{}", rule.rule.name()),
            _ => decision.reason.to_string(),
        };
        Ok(Prediction { is_allowed: decision.verdict == Verdict::Allow, rule })
    }
}

fn translate(flow: &Flow) -> Option<net::Flow> {
    let protocol = match flow.transport {
        Transport::Tcp => Protocol::TCP,
        Transport::Udp => Protocol::UDP,
        Transport::Icmp => Protocol::icmp_of(Family::of(flow.local)),
    };
    let (sender, receiver) = (flow.source_port, flow.destination_port);
    let (direction, local, remote) = match flow.direction {
        Direction::Inbound => (net::Direction::Inbound, receiver, sender),
        Direction::Outbound => (net::Direction::Outbound, sender, receiver),
    };
    net::Flow::between(direction, protocol, (flow.local, local), (flow.remote, remote))
}

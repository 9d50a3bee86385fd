//! Prediction in a lab: the oracle, asked about the estate that is enforced.

use std::collections::HashMap;

use anyhow::Context as _;
use palisade_agent::{clock::window_s, load};
use palisade_classify::{Verdict, oracle};
use palisade_model::{EffectivePolicy, Estate};
use palisade_net::Flow;

use super::sources;
use crate::policy::{EstateFiles, Prediction, Predictor};

/// The naive evaluator over the estate that was loaded last.
#[derive(Debug, Default)]
pub struct Oracle {
    estate: Option<Estate>,
    /// Of each NIC that was asked about, since the effective policy is the expensive part of an answer.
    policies: HashMap<String, EffectivePolicy>,
}

impl Oracle {
    fn policy(&mut self, nic: &str) -> anyhow::Result<&EffectivePolicy> {
        if !self.policies.contains_key(nic) {
            let estate = self.estate.as_ref().context("no estate is loaded")?;
            let nics = estate.nics_named(nic);
            let id = nics.first().with_context(|| format!("the estate has no NIC {nic}"))?;
            self.policies.insert(nic.to_owned(), estate.effective(id));
        }
        Ok(&self.policies[nic])
    }
}

impl Predictor for Oracle {
    fn load(&mut self, estate: &EstateFiles) -> anyhow::Result<()> {
        self.estate = Some(load::estate(&sources(estate))?.estate);
        self.policies.clear();
        Ok(())
    }

    fn predict(&mut self, nic: &str, flow: &Flow) -> anyhow::Result<Prediction> {
        let policy = self.policy(nic)?;
        let decision = oracle::decide(policy, flow, window_s());
        let explanation = decision.explain(policy, flow.direction());
        let rule = match (explanation.nsg, explanation.rule) {
            (Some(nsg), Some(rule)) => format!("{nsg}/{}", rule.name),
            _ => decision.reason.to_string(),
        };
        Ok(Prediction { is_allowed: decision.verdict == Verdict::Allow, rule })
    }
}

//! What is told of an intent that a write breaks: to its caller, and to the audit log.

use palisade_analysis::intent::{Doubt, Effect, End, Violation};
use palisade_arm::flow;
use palisade_model::ResourceId;
use serde_json::{Value, json};

use super::proof::{Finding, What};
use crate::audit::Broken;
use crate::error::Info;
use crate::{ControlError, time};

/// Findings of one intent that are told one by one.
const TOLD_MAX: usize = 10;
/// Interfaces of one finding that are told by name.
const MEMBERS_MAX: usize = 20;

/// One intent that a write breaks, or that cannot be shown to hold.
#[derive(Debug)]
pub(crate) struct Breach {
    /// The resource with the intent.
    pub(super) set: ResourceId,
    pub(super) intent: String,
    pub(super) effect: Effect,
    /// Whether it is surely broken.
    is_sure: bool,
    /// The first finding in words.
    said: String,
    /// The first witness, as `verify` takes a flow.
    witness: Option<Value>,
    info: Value,
}

impl Breach {
    /// Findings by their intents.
    pub(super) fn of(findings: Vec<Finding>) -> Vec<Self> {
        let mut groups: Vec<Vec<Finding>> = Vec::new();
        for finding in findings {
            let is_same = |first: &Finding| first.set.id == finding.set.id && first.intent == finding.intent;
            match groups.iter_mut().find(|group| group.first().is_some_and(is_same)) {
                Some(group) => group.push(finding),
                None => groups.push(vec![finding]),
            }
        }
        groups.into_iter().map(Self::one).collect()
    }

    fn one(mut findings: Vec<Finding>) -> Self {
        // What is sure speaks for the rest.
        findings.sort_by_key(|finding| !matches!(finding.what, What::Violated(_)));
        let first = &findings[0];
        let witness = first.packets().map(|packets| flow::document(&packets.example));
        let count = findings.len();
        let info = json!({
            "intents": first.set.id.as_str(),
            "intent": first.intent,
            "claim": first.shape.name(),
            "effect": first.effect.name(),
            "findings": findings.iter().take(TOLD_MAX).map(told).collect::<Vec<_>>(),
            "count": count,
        });
        let more = if count > 1 { format!(" (and {} more)", count - 1) } else { String::new() };
        Self {
            set: first.set.id.clone(),
            intent: first.intent.clone(),
            effect: first.effect,
            is_sure: matches!(first.what, What::Violated(_)),
            said: format!("{}{more}", sentence(first)),
            witness,
            info,
        }
    }

    const fn code(&self) -> &'static str {
        if self.is_sure { "PolicyViolation" } else { "PolicyUndetermined" }
    }

    /// As a refusal or a warning.
    pub(super) fn error(&self) -> ControlError {
        let how = if self.is_sure { "is violated" } else { "cannot be shown to hold" };
        let message = format!("Intent '{}' of {} {how}: {}", self.intent, self.set, self.said);
        let info = [Info { kind: self.code().into(), info: self.info.clone() }].into();
        ControlError { info, ..ControlError::new(403, self.code(), message).about(self.set.as_str()) }
    }

    /// The refusal of a write that breaks these, if there are any.
    pub(super) fn refusal(denied: &[Self], is_asked_for: bool) -> Option<ControlError> {
        // What is surely violated gives the code.
        let first = denied.iter().find(|breach| breach.is_sure).or(denied.first())?;
        let own = first.error();
        let rest = denied.len() - 1;
        let more = if rest > 0 { format!(" {rest} more intents forbid it.") } else { String::new() };
        let remedy = if is_asked_for {
            "The permission Palisade.Network/intents/override/action is missing at these intents."
        } else {
            "Change the write, or give a reason for an override."
        };
        let message = format!("The write was refused by policy. {}{more} {remedy}", own.message);
        let details = if denied.len() > 1 { denied.iter().map(Self::error).collect() } else { Vec::new() };
        let info = if denied.len() > 1 { Box::default() } else { own.info.clone() };
        Some(ControlError { message, details, info, ..own })
    }

    /// As the audit log keeps it.
    pub(super) fn entry(&self) -> Broken {
        let fate = if self.effect == Effect::Deny { "Overridden" } else { "Warned" };
        Broken {
            intents: self.set.to_string(),
            intent: self.intent.clone(),
            fate: fate.to_owned(),
            said: self.said.clone(),
            witness: self.witness.clone(),
        }
    }
}

/// A finding in words.
fn sentence(finding: &Finding) -> String {
    match &finding.what {
        What::Violated(packets) => format!("{}.", seen(packets)),
        What::Doubted(Doubt { why, possible: Some(packets) }) => format!("{why}; perhaps {}.", seen(packets)),
        What::Doubted(Doubt { why, possible: None }) => format!("{why}."),
    }
}

/// One of some packets, and what decides it.
fn seen(packets: &Violation) -> String {
    let ends: Vec<String> = packets.ends.iter().map(|end| format!("{} at {}", by(end), place(end))).collect();
    format!("{}, by {}", packets.example, ends.join(" and "))
}

fn place(end: &End) -> String {
    let first = end.members.first().map_or("", |id| id.name());
    match end.members.len() {
        0 | 1 => first.to_owned(),
        count => format!("{first} and {} more", count - 1),
    }
}

fn told(finding: &Finding) -> Value {
    let mut told = json!({ "at": time::rfc3339(u64::from(finding.at)) });
    if let What::Doubted(doubt) = &finding.what {
        told["unknown"] = doubt.why.as_str().into();
    }
    if let Some(packets) = finding.packets() {
        told["witness"] = flow::document(&packets.example);
        told["volume"] = packets.volume.total().to_string().into();
        told["decidedBy"] = packets.ends.iter().map(decider).collect();
    }
    told
}

/// What decides at one end.
fn decider(end: &End) -> Value {
    let decision = end.side.decision(&end.policy, end.direction);
    let explanation = decision.explain(&end.policy, end.direction);
    let members: Vec<&str> = end.members.iter().take(MEMBERS_MAX).map(ResourceId::as_str).collect();
    json!({
        "interfaces": members,
        "interfaceCount": end.members.len(),
        "direction": end.direction.to_string(),
        "access": decision.verdict.to_string(),
        "nsg": explanation.nsg,
        "rule": explanation.rule.map(|rule| rule.path.as_str()),
        "layer": explanation.layer.map(|layer| layer.to_string()),
        "reason": decision.reason.to_string(),
    })
}

fn by(end: &End) -> String {
    let decision = end.side.decision(&end.policy, end.direction);
    let explanation = decision.explain(&end.policy, end.direction);
    let access = decision.verdict;
    match (explanation.rule, explanation.nsg) {
        (Some(rule), Some(nsg)) => format!("{} of {nsg} ({access})", rule.path),
        _ => format!("{} ({access})", decision.reason),
    }
}

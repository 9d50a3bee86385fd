//! Proofs as JSON.

use palisade_analysis::intent::{Doubt, End, Outcome, Proof, Violation};
use palisade_arm::flow;
use serde_json::{Value, json};

use super::{Told, outcome, said};
use crate::commands::diff;

/// All proofs, as one document.
pub fn document(told: &Told<'_>) -> Value {
    let count = |is: fn(&Outcome) -> bool| told.proofs.iter().filter(|proof| is(&proof.outcome)).count();
    json!({
        "holds": told.proofs.iter().all(|proof| proof.outcome == Outcome::Holds),
        "intents": told.proofs.iter().map(|proof| of_proof(told, proof)).collect::<Vec<_>>(),
        "summary": {
            "holds": count(|outcome| *outcome == Outcome::Holds),
            "violated": count(|outcome| matches!(outcome, Outcome::Violated(_))),
            "undetermined": count(|outcome| *outcome == Outcome::Undetermined),
        },
    })
}

fn of_proof(told: &Told<'_>, proof: &Proof) -> Value {
    let violations = proof.violations().iter().map(|violation| of_violation(told, violation));
    let doubt = |doubt: &Doubt| {
        let possible = doubt.possible.as_ref().map(|possible| of_violation(told, possible));
        json!({ "reason": doubt.why, "possible": possible })
    };
    json!({
        "name": proof.intent,
        "shape": proof.shape.name(),
        "effect": proof.effect.name(),
        "severity": proof.severity.name(),
        "outcome": outcome(proof),
        "asked": proof.asked,
        "violations": violations.collect::<Vec<_>>(),
        "unknown": proof.doubts.iter().map(doubt).collect::<Vec<_>>(),
    })
}

fn of_violation(told: &Told<'_>, violation: &Violation) -> Value {
    let words = told.names(violation).words(&violation.region);
    let region = words.iter().map(diff::text::block).collect::<Vec<_>>().join("; ");
    let mut witness = flow::document(&violation.example);
    if let Some(end) = violation.ends.first().filter(|end| end.witness.segment("networkInterfaces").is_some())
    {
        witness["nic"] = json!(end.witness.to_string());
    }
    json!({
        "ends": violation.ends.iter().map(of_end).collect::<Vec<_>>(),
        "region": region,
        "blocks": violation.region.blocks.iter().map(diff::document::block).collect::<Vec<_>>(),
        "rest": violation.region.rest.to_string(),
        "witness": witness,
        "volume": violation.volume.total().to_string(),
    })
}

fn of_end(end: &End) -> Value {
    let members: Vec<String> = end.members.iter().map(ToString::to_string).collect();
    json!({ "places": members, "direction": end.direction.to_string(), "decision": said(end) })
}

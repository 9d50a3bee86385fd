//! Findings as JSON.

use palisade_analysis::findings::Severity;
use palisade_arm::flow;
use palisade_model::{Place, ResourceId, spec::Unknown};
use serde_json::{Value, json};

use super::ask::{Answer, Of, Told};
use crate::commands::diff::text::block;

/// All that was found, as one document.
pub fn document(answer: &Answer) -> Value {
    json!({
        "findings": answer.told.iter().map(finding).collect::<Vec<_>>(),
        "unknown": unknown(answer),
        "leftOut": answer.left_out.iter().map(|left| json!({
            "estate": left.estate,
            "what": left.what.what,
            "code": left.what.problem.code,
            "message": left.what.problem.message,
            "location": location(&left.what.problem.file, left.what.problem.line, &left.what.problem.pointer),
        })).collect::<Vec<_>>(),
        "summary": summary(answer),
    })
}

/// One finding.
pub fn finding(told: &Told) -> Value {
    let finding = &told.finding;
    let subject = &finding.subject;
    let name = |id: &Option<ResourceId>| id.as_ref().map(|id| id.name().to_owned());
    let nics: Vec<&str> = subject.nics.iter().map(ResourceId::name).collect();
    json!({
        "id": finding.check.id,
        "severity": finding.severity.to_string(),
        "estate": told.estate,
        "nsg": name(&subject.nsg),
        "rule": subject.rule,
        "nic": nics.first(),
        "nics": nics,
        "subnet": name(&subject.subnet),
        "resource": subject.anchor().map(ToString::to_string),
        "direction": subject.direction.map(|direction| direction.to_string()),
        "message": finding.message,
        "region": region(told),
        "witness": witness(told),
        "coveredBy": finding.covered_by,
        "remedy": finding.check.remedy,
        "aliases": finding.check.aliases,
        "location": told.place.as_ref().map(|place| location(&place.file, place.line, &place.pointer)),
        "suppressed": told.accepted.as_ref().map(|accepted| json!({
            "reason": accepted.reason,
            "until": accepted.until,
        })),
    })
}

/// The packets of a finding in words; empty where it is not about packets.
pub fn region(told: &Told) -> String {
    told.finding.region.iter().map(block).collect::<Vec<_>>().join("; ")
}

/// A packet as `verify` takes it, with the place to ask.
fn witness(told: &Told) -> Option<Value> {
    let subject = &told.finding.subject;
    let mut witness = told.finding.witness.as_ref().map(flow::document)?;
    match (subject.nics.first(), &subject.nsg) {
        (Some(nic), _) => witness["nic"] = json!(nic.to_string()),
        (None, Some(nsg)) => witness["nsg"] = json!(nsg.to_string()),
        (None, None) => {}
    }
    Some(witness)
}

/// A place in a file; `null` where there is none.
fn location(file: &str, line: u32, pointer: &str) -> Value {
    if file.is_empty() {
        return Value::Null;
    }
    json!({ "file": file, "line": (line > 0).then_some(line), "pointer": pointer })
}

/// What the input leaves open, and what could not be told because of it.
fn unknown(answer: &Answer) -> Vec<Value> {
    let input = answer.unknowns.iter().map(|Of { estate, what: Unknown { what, reason, place } }| {
        let Place { file, line, pointer } = place;
        json!({ "estate": estate, "what": what, "reason": reason, "location": location(file, *line, pointer) })
    });
    let open = answer.open.iter().map(|open| {
        json!({ "estate": open.estate, "what": open.what.place.to_string(), "reason": open.what.message, "location": null })
    });
    input.chain(open).collect()
}

/// How much there is of everything.
pub fn summary(answer: &Answer) -> Value {
    let of = |severity: Severity| {
        answer.told.iter().filter(|told| told.is_open() && told.finding.severity == severity).count()
    };
    json!({
        "errors": of(Severity::Error),
        "warnings": of(Severity::Warning),
        "notes": of(Severity::Note),
        "suppressed": answer.told.iter().filter(|told| !told.is_open()).count(),
        "unknown": answer.open.len() + answer.unknowns.len(),
        "leftOut": answer.left_out.len(),
        "estates": answer.estates,
        "nsgs": answer.nsgs,
        "nics": answer.nics,
    })
}

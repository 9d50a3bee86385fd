//! The answer as JSON.

use palisade_analysis::what_if::{Change, Count, Effect, Peer, Said as Disagreement, Service};
use palisade_arm::flow;
use serde_json::{Value, json};

use super::{
    Told,
    text::{logged, word},
};
use crate::commands::{log::moment, said::Said};

/// The whole answer, as one document.
pub fn document(told: &Told<'_>) -> Value {
    let drift = &told.answer.drift;
    let mut document = changes(told);
    document["drift"] = json!({
        "agreeing": drift.agreeing.flows,
        "unknown": drift.open.flows,
        "disagreements": drift.disagreements.iter().map(|one| disagreement(told, one)).collect::<Vec<_>>(),
    });
    document
}

/// What a change would do, and not what the log says of the rules before.
pub fn changes(told: &Told<'_>) -> Value {
    let answer = told.answer;
    let summary = told.has_change.then(|| {
        json!({
            "breaks": counted(&answer.sum(Effect::Breaks)),
            "opens": counted(&answer.sum(Effect::Opens)),
            "unchanged": counted(&answer.unchanged),
            "unknown": counted(&answer.unknown),
            "gone": counted(&answer.gone),
        })
    });
    json!({
        "log": told.log.document(),
        "summary": summary,
        "changes": answer.changes.iter().map(|one| change(told, one)).collect::<Vec<_>>(),
        "caveats": told.caveats(),
    })
}

fn change(told: &Told<'_>, change: &Change) -> Value {
    let mut value = counted(&change.count);
    value["effect"] = json!(word(change.effect));
    value["places"] = json!(told.log.places(&change.places));
    value["direction"] = json!(change.direction.to_string());
    value["before"] = json!(Said::of(&change.before));
    value["after"] = json!(Said::of(&change.after));
    value["flushConnection"] = json!(change.flushes);
    value["witness"] = witness(told, &change.count);
    value["services"] = change.services.iter().map(|one| service(told, one)).collect();
    value
}

fn service(told: &Told<'_>, service: &Service) -> Value {
    let mut value = counted(&service.count);
    value["protocol"] = json!(service.protocol.to_string());
    value["port"] = json!(service.protocol.has_ports().then_some(service.port));
    value["peers"] = service.peers.iter().map(|one| peer(told, one)).collect();
    value
}

fn peer(told: &Told<'_>, peer: &Peer) -> Value {
    let mut value = counted(&peer.count);
    value["name"] = json!(peer.name);
    value["addresses"] = json!(peer.addresses);
    value["witness"] = witness(told, &peer.count);
    value
}

fn disagreement(told: &Told<'_>, said: &Disagreement) -> Value {
    let mut value = counted(&said.count);
    value["differs"] = json!(if said.is_verdict { "verdict" } else { "rule" });
    value["places"] = json!(told.log.places(&said.places));
    value["direction"] = json!(said.direction.to_string());
    value["logged"] =
        json!({ "access": logged(said.logged), "rule": said.logged_rule, "nsg": said.logged_nsg });
    value["rules"] = json!(Said::of(&said.present));
    value["witness"] = witness(told, &said.count);
    value
}

/// A flow of them as `verify` takes it, and where.
fn witness(told: &Told<'_>, count: &Count) -> Value {
    let observed = told.what_if.witness(count);
    let place = &told.log.observed.places()[observed.place];
    let mut value = flow::document(&observed.flow);
    let key = if matches!(place, palisade_analysis::observed::Place::Nic(_)) { "nic" } else { "nsg" };
    value[key] = json!(place.id().name());
    value
}

fn counted(count: &Count) -> Value {
    let tally = &count.tally;
    let time = |ms: u64| (count.flows > 0).then(|| moment(ms));
    json!({
        "flows": count.flows,
        "attempts": count.attempts,
        "existing": count.established,
        "records": tally.records,
        "packets": tally.packets,
        "bytes": tally.bytes,
        "first": time(tally.first_ms),
        "last": time(tally.last_ms),
    })
}

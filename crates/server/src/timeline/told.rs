//! What the audit log and the alerts tell, as items.

use palisade_control::{
    alerts::{KeptAlert, moment},
    audit::Event,
};
use palisade_model::calendar::Moment;
use serde_json::{Map, Value, json};

use super::{Item, What};

/// What is done with requests for access, as the audit log calls it.
const GRANT_VERBS: [&str; 4] = ["initiate", "approve", "revoke", "extend"];
/// Where answers to attacks are, in lower case, and what else is there.
const ANSWERS: &str = "/providers/palisade.network/";
const NO_ANSWERS: [&str; 2] = ["intents/", "answerpolicies/"];
/// What the audit log calls an answer that was not given.
const WITHHOLD: &str = "withhold";
/// What the audit log calls the acknowledgement of an alert, and that one was raised, which the alert itself tells.
const ACKNOWLEDGE: &str = "acknowledge alert";
const RAISE: &str = "raise alert";

/// An entry of the audit log; `None` if something else tells of it.
pub(crate) fn of_entry(event: &Event) -> Option<Item> {
    if event.verb == RAISE {
        return None;
    }
    let target = event.target.to_lowercase();
    let what = if event.verb == ACKNOWLEDGE {
        What::Acknowledgement
    } else if event.verb == WITHHOLD || is_answer(&target) {
        What::Answer
    } else if GRANT_VERBS.contains(&event.verb.as_str()) {
        What::Grant
    } else {
        What::Policy
    };
    let after = event.after.as_ref().and_then(|body| body.document.as_ref());
    let why = ["justification", "note", "reason"]
        .into_iter()
        .find_map(|field| after?.get(field)?.as_str().filter(|text| !text.is_empty()));
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    let (who, verb, target) = (&event.caller.name, &event.verb, &event.target);
    let summary = format!("{who} did {verb} {} ({}){why}", short(target), event.outcome);
    let more = json!({
        "verb": verb, "target": target, "by": who, "from": event.address, "outcome": event.outcome,
        "correlation": event.correlation, "details": after,
    });
    // The log has whole seconds: what lets flows pass stands before what else was in that second, what follows alerts behind it.
    let at_ms = milliseconds(&event.time)?;
    let follows = matches!(what, What::Answer | What::Acknowledgement);
    let at_ms = if follows { at_ms + 999 } else { at_ms };
    Some(Item { time: event.time.clone(), ..item(at_ms, what, summary, more) })
}

fn is_answer(target: &str) -> bool {
    let kind = target.split_once(ANSWERS).map(|(_, kind)| kind);
    kind.is_some_and(|kind| !NO_ANSWERS.iter().any(|other| kind.starts_with(other)))
}

/// An alert: when it was raised first, and when it was raised last if that was another time.
pub(crate) fn of_alert(kept: &KeptAlert) -> Vec<Item> {
    let port = kept.seen.get("port").and_then(Value::as_u64);
    let port = port.map(|port| format!(" port {port}")).unwrap_or_default();
    let sentence = format!(
        "{} {}: {}{port}: {}",
        kept.text("severity"),
        kept.text("name"),
        kept.text("subject"),
        kept.text("evidence")
    );
    let mut more = kept.to_value();
    if let Value::Object(fields) = &mut more {
        fields.retain(|field, _| !["machine", "nic", "series"].contains(&field.as_str()));
    }
    let first = milliseconds(&kept.raised_at).map(|at| item(at, What::Alert, sentence.clone(), more.clone()));
    let last =
        milliseconds(kept.text("last")).filter(|_| kept.count > 1 && kept.text("last") != kept.raised_at);
    let last = last
        .map(|at| item(at, What::Alert, format!("once more, {} times in all: {sentence}", kept.count), more));
    first.into_iter().chain(last).collect()
}

/// A grant whose time has run out.
pub(crate) fn of_expiry((policy, request): &(String, Value)) -> Option<Item> {
    let text = |field: &str| request[field].as_str().unwrap_or_default();
    let summary = format!(
        "the grant {} of {} to port {} has run out",
        text("request"),
        text("requestor"),
        request["port"]
    );
    let more = json!({ "verb": "expire", "target": policy, "details": request });
    Some(item(milliseconds(text("endTimeUtc"))?, What::Grant, summary, more))
}

pub(super) fn item(at_ms: u64, what: What, summary: String, more: Value) -> Item {
    let more = match more {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    Item { at_ms, time: moment(at_ms), what, summary, more }
}

/// A time of a document, in milliseconds since 1970.
fn milliseconds(text: &str) -> Option<u64> {
    let seconds = u64::try_from(Moment::parse(text)?.seconds).ok()?;
    let fraction = text.split_once('.').and_then(|(_, rest)| rest.get(..3)?.parse::<u64>().ok());
    Some(seconds * 1_000 + fraction.unwrap_or(0))
}

/// The last two parts of an id, which tell people enough.
fn short(target: &str) -> &str {
    let mut slashes = target.rmatch_indices('/').map(|(at, _)| at);
    slashes.nth(1).map_or(target, |at| &target[at + 1..])
}

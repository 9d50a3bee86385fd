//! An alert in words and in the shape that scripts rely on.
//!
//! It must not work out more than names: the numbers are the detectors'.

use std::{collections::BTreeSet, net::IpAddr};

use palisade_control::time::rfc3339;
use palisade_guard::{Alert, Guest, Joined, Kind, Severity, Shape};
use serde_json::{Map, Value, json};

use super::{
    Gathered,
    related::{About, LISTED_MAX},
};

/// One object of the stream.
pub fn document(alert: &Alert, about: &About) -> Value {
    let list = |addresses: &BTreeSet<IpAddr>| -> Vec<String> {
        addresses.iter().take(LISTED_MAX).map(ToString::to_string).collect()
    };
    let explain: Map<String, Value> =
        alert.evidence.numbers().into_iter().map(|(name, value)| (name.to_owned(), number(value))).collect();
    let victims = victims(alert, about);
    let mut document = json!({
        "kind": alert.kind.word(),
        "name": alert.name(),
        "subject": subject(alert, about),
        "victims": list(&victims),
        "victimCount": victims.len(),
        "port": alert.port,
        "protocol": alert.protocol.to_string(),
        "direction": alert.direction.to_string(),
        "first": moment(alert.since_ms),
        "last": moment(alert.time_ms),
        "severity": alert.severity().to_string(),
        "score": number(alert.evidence.score()),
        "explain": explain,
        "evidence": alert.evidence.to_string(),
        "flows": about.flows,
    });
    if let Some(Guest { machine, account }) = &alert.guest {
        document["machine"] = json!(machine);
        document["account"] = json!(account);
        document["victims"] = json!([machine]);
        document["victimCount"] = json!(1);
    } else if is_many_to_one(alert) {
        document["sources"] = json!(list(&about.sources));
        document["sourceCount"] = json!(about.sources.len());
    }
    document
}

/// Lines for people: what, who and whom, then when and why.
pub fn text(alert: &Alert, about: &About) -> [String; 2] {
    let port = alert.port.map(|port| format!(" port {port}")).unwrap_or_default();
    let whom = match victims(alert, about) {
        _ if alert.guest.is_some() => {
            alert.guest.as_ref().map(|guest| format!(" at {}", guest.name())).unwrap_or_default()
        }
        victims if victims.is_empty() => String::new(),
        victims if victims.len() == 1 => format!(" to {}", victims.iter().next().expect("it has one")),
        victims => format!(" to {} addresses", victims.len()),
    };
    let who = match about.sources.len() {
        _ if is_many_to_one(alert) && alert.guest.is_some() => "a pool of addresses".to_owned(),
        count if is_many_to_one(alert) => format!("{count} sources"),
        _ => subject(alert, about),
    };
    let severity = alert.severity().to_string();
    [
        format!("{severity:<14}{}: {who}{whom}{port}", alert.name()),
        format!(
            "{:14}{} to {}, {} flows: {}",
            "",
            moment(alert.since_ms),
            moment(alert.time_ms),
            about.flows,
            alert.evidence
        ),
    ]
}

/// How many there are of each severity, and in what.
pub fn summary(alerts: &[Alert], gathered: &Gathered) -> String {
    let grades =
        [Severity::Critical, Severity::High, Severity::Medium, Severity::Low, Severity::Informational];
    let count = |grade: Severity| alerts.iter().filter(|alert| alert.severity() == grade).count();
    let parts: Vec<String> = grades
        .into_iter()
        .map(|grade| (count(grade), grade))
        .filter(|(count, _)| *count > 0)
        .map(|(count, grade)| format!("{count} {}", grade.to_string().to_lowercase()))
        .collect();
    let graded = if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) };
    let flows = &gathered.log.connections;
    let span = match (flows.iter().map(|flow| flow.start_ms).min(), flows.last()) {
        (Some(first), Some(last)) => format!(", {} to {}", moment(first), moment(last.end_ms)),
        _ => String::new(),
    };
    let logons = match &gathered.logons {
        joined if joined.logons.is_empty() => String::new(),
        joined => format!(" and {} logons{}", joined.logons.len(), named(joined)),
    };
    let (count, files) = (flows.len(), gathered.files);
    format!("{} alerts{graded} in {count} flows{logons} of {files} files{span}", alerts.len())
}

/// How logons without an address got one.
fn named(joined: &Joined) -> String {
    let Joined { by_event, by_flow, ambiguous, unknown, .. } = joined;
    match by_event + by_flow + ambiguous + unknown {
        0 => String::new(),
        _ => format!(
            " (of those without an address {by_event} got one by another event, {by_flow} by a flow, {ambiguous} could be of several, {unknown} of nobody)"
        ),
    }
}

const fn is_many_to_one(alert: &Alert) -> bool {
    matches!(alert.kind, Kind::BruteForce(_, Shape::ManyToOne))
}

/// Who is to blame: an address; of a crowd the network that all are in, or else the machine or the account that they are at.
fn subject(alert: &Alert, about: &About) -> String {
    if let (None, Some(guest)) = (alert.source, &alert.guest) {
        return guest.name();
    }
    let crowd = if is_many_to_one(alert) { network(&about.sources) } else { None };
    let one = match alert.kind {
        Kind::Deviation => alert.machine(),
        _ => alert.source.or(alert.destination),
    };
    crowd.or_else(|| one.map(|address| address.to_string())).unwrap_or_default()
}

/// The other ends.
fn victims(alert: &Alert, about: &About) -> BTreeSet<IpAddr> {
    match (alert.kind, alert.destination) {
        (Kind::Deviation, _) => BTreeSet::new(),
        (_, Some(destination)) => BTreeSet::from([destination]),
        (Kind::Exfiltration, None) => {
            let ends = about.sources.union(&about.destinations).copied();
            ends.filter(|end| Some(*end) != alert.source).collect()
        }
        _ => about.destinations.clone(),
    }
}

/// The /24 or /64 that all addresses are in, if there are several.
fn network(addresses: &BTreeSet<IpAddr>) -> Option<String> {
    let block = |address: IpAddr| match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(v6) => {
            format!("{}/64", std::net::Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)))
        }
    };
    let (first, last) = (block(*addresses.first()?), block(*addresses.last()?));
    (addresses.len() > 1 && first == last).then_some(first)
}

/// To a thousandth; a whole number as one.
fn number(value: f64) -> Value {
    let rounded = (value * 1_000.0).round() / 1_000.0;
    if rounded.fract() == 0.0 && rounded.abs() < 9e15 { json!(rounded as i64) } else { json!(rounded) }
}

/// `2026-01-31T08:00:00.250Z`.
fn moment(ms: u64) -> String {
    let seconds = rfc3339(ms / 1_000);
    format!("{}.{:03}Z", seconds.trim_end_matches('Z'), ms % 1_000)
}

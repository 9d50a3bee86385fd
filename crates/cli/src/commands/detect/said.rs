//! Alerts in words; their shape for programs is [`palisade_control::alerts::document`].
//!
//! It must not work out anything: the numbers are the detectors'.

use palisade_control::alerts::moment;
use palisade_guard::{About, Alert, Joined, Severity};

use super::Gathered;

/// Lines for people: what, who and whom, then when and why.
pub fn text(alert: &Alert, about: &About) -> [String; 2] {
    let port = alert.port.map(|port| format!(" port {port}")).unwrap_or_default();
    let whom = match alert.victims(about) {
        _ if alert.guest.is_some() => {
            alert.guest.as_ref().map(|guest| format!(" at {}", guest.name())).unwrap_or_default()
        }
        victims if victims.is_empty() => String::new(),
        victims if victims.len() == 1 => format!(" to {}", victims.iter().next().expect("it has one")),
        victims => format!(" to {} addresses", victims.len()),
    };
    let who = match about.sources.len() {
        _ if alert.is_many_to_one() && alert.guest.is_some() => "a pool of addresses".to_owned(),
        count if alert.is_many_to_one() => format!("{count} sources"),
        _ => alert.subject(about),
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

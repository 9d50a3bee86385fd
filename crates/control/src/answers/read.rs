//! Quarantines, lock-outs and policies from the `properties` of their documents.

use palisade_guard::Severity;
use palisade_guard::answer::{
    Barred, Budgets, Draft, ForensicPath, HOUR, Pattern, Policy, PolicyError, Rule, Step, Terms, Unit,
};
use palisade_model::{ResourceId, calendar::Moment};
use palisade_net::{Direction, Prefix, ProtocolMatch};
use serde_json::{Value, json};

use super::throttle;
use crate::access::{duration, seconds, sentence};
use crate::{ControlError, time};

/// Severities by their names.
const SEVERITIES: [Severity; 5] =
    [Severity::Informational, Severity::Low, Severity::Medium, Severity::High, Severity::Critical];

/// A refusal of a policy on the wire.
pub(crate) fn refused(error: &PolicyError) -> ControlError {
    ControlError::bad("InvalidAnswerPolicy", sentence(&error.to_string()))
}

/// What is wrong with a member of a body.
pub(crate) fn wrong(path: &str, problem: impl std::fmt::Display) -> ControlError {
    ControlError::bad("InvalidAnswer", format!("'{path}' {problem}.")).about(path)
}

/// A prefix as one writes it: an address alone for a single one.
pub(crate) fn shown(prefix: Prefix) -> String {
    let is_single = prefix.length() == prefix.family().width();
    if is_single { prefix.address().to_string() } else { prefix.to_string() }
}

/// The subscription or the group that a document stands at.
pub(crate) fn scope_of(id: &ResourceId) -> ResourceId {
    let text = id.as_str();
    ResourceId::new(text.rsplit_once("/providers/").map_or(text, |(scope, _)| scope))
}

/// Whom a lock-out is about, and until when.
pub(crate) fn lockout(properties: &Value) -> Result<Barred, ControlError> {
    let until = moment(&properties["endTimeUtc"], "properties.endTimeUtc")?;
    Ok(Barred {
        prefix: prefix(&properties["source"], "properties.source")?,
        machine: properties["target"]["id"].as_str().map(ResourceId::new),
        from: moment(&properties["startTimeUtc"], "properties.startTimeUtc").unwrap_or(until),
        until,
    })
}

/// When something that is written now is to end: `endTimeUtc`, or `duration` from now.
pub(crate) fn until(properties: &Value, now: u64) -> Result<u32, ControlError> {
    let (end, length) = (&properties["endTimeUtc"], &properties["duration"]);
    match (end.is_null(), length.is_null()) {
        (false, true) => moment(end, "properties.endTimeUtc"),
        (true, false) => Ok(seconds(now).saturating_add(time_of(length, "properties.duration")?)),
        (false, false) => {
            Err(wrong("properties.endTimeUtc", "and duration exclude each other (give one of them)"))
        }
        (true, true) => Err(wrong("properties.endTimeUtc", "is missing (it must end: say when)")),
    }
}

/// The forensic paths of a quarantine.
pub(crate) fn quarantine_paths(properties: &Value) -> Result<Vec<ForensicPath>, ControlError> {
    paths(&properties["forensic"], "properties.forensic")
}

/// Forensic paths as they are stored.
pub(crate) fn paths_written(paths: &[ForensicPath]) -> Value {
    let one = |path: &ForensicPath| {
        let protocol = match path.protocol {
            ProtocolMatch::Any => "*".to_owned(),
            other => other.to_string().to_uppercase(),
        };
        json!({"source": shown(path.source), "port": path.port, "protocol": protocol})
    };
    paths.iter().map(one).collect()
}

/// When a policy took which step, as far as it is stored.
pub(crate) fn acts(properties: &Value, now: u32) -> Vec<(Step, u32)> {
    let read = |act: &Value| {
        let step = Step::ALL.into_iter().find(|step| act["step"] == step.name())?;
        Some((step, moment(&act["timeUtc"], "timeUtc").ok()?))
    };
    let all = properties["acts"].as_array().into_iter().flatten().filter_map(read);
    all.filter(|(_, at)| now < at.saturating_add(HOUR)).collect()
}

/// The machine that a policy is about, if it is about one alone.
pub(crate) fn policy_target(properties: &Value) -> Option<ResourceId> {
    properties["target"]["id"].as_str().map(ResourceId::new)
}

/// When a policy ends, if it ends by itself.
pub(crate) fn policy_end(properties: &Value) -> Result<Option<u32>, ControlError> {
    let end = &properties["endTimeUtc"];
    if end.is_null() { Ok(None) } else { moment(end, "properties.endTimeUtc").map(Some) }
}

/// A policy; the first thing that is wrong is told, with its place.
pub(crate) fn policy(properties: &Value) -> Result<Policy, ControlError> {
    const MEMBERS: [&str; 10] = [
        "provisioningState",
        "acts",
        "target",
        "endTimeUtc",
        "rules",
        "lockout",
        "throttle",
        "budgets",
        "allow",
        "forensic",
    ];
    only(properties, "properties", &MEMBERS)?;
    let rules = elements(&properties["rules"]).enumerate();
    let rules = rules.map(|(index, value)| rule(value, &format!("properties.rules[{index}]")));
    let allowed = elements(&properties["allow"]).enumerate();
    let allowed = allowed.map(|(index, value)| prefix(value, &format!("properties.allow[{index}]")));
    let draft = Draft {
        rules: rules.collect::<Result<_, _>>()?,
        terms: terms(&properties["lockout"])?,
        slowing: throttle::slowing(&properties["throttle"])?,
        budgets: budgets(&properties["budgets"])?,
        allowed: allowed.collect::<Result<_, _>>()?,
        forensic: paths(&properties["forensic"], "properties.forensic")?,
    };
    Policy::new(draft).map_err(|error| refused(&error))
}

fn rule(value: &Value, path: &str) -> Result<Rule, ControlError> {
    only(value, path, &["alerts", "minSeverity", "direction", "step"])?;
    let alerts = elements(&value["alerts"]).map(|text| Pattern::new(text.as_str().unwrap_or_default()));
    let alerts =
        alerts.collect::<Result<_, _>>().map_err(|error| refused(&error).about(format!("{path}.alerts")))?;
    let severity = match &value["minSeverity"] {
        Value::Null => Severity::Informational,
        given => word(given, &SEVERITIES.map(|one| (one.to_string(), one)), &format!("{path}.minSeverity"))?,
    };
    let direction = match &value["direction"] {
        Value::Null => None,
        given => {
            let known = Direction::ALL.map(|one| (one.to_string(), one));
            Some(word(given, &known, &format!("{path}.direction"))?)
        }
    };
    let steps = Step::ALL.map(|step| (step.name().to_owned(), step));
    Ok(Rule { alerts, severity, direction, step: word(&value["step"], &steps, &format!("{path}.step"))? })
}

fn terms(value: &Value) -> Result<Terms, ControlError> {
    let path = "properties.lockout";
    only(value, path, &["unit", "first", "factor", "longest", "memory", "neighbours"])?;
    let mut terms = Terms::default();
    if !value["unit"].is_null() {
        let known = [("Address".to_owned(), Unit::Address), ("Network".to_owned(), Unit::Network)];
        terms.unit = word(&value["unit"], &known, &format!("{path}.unit"))?;
    }
    for (key, own) in
        [("first", &mut terms.first), ("longest", &mut terms.longest), ("memory", &mut terms.memory)]
    {
        if !value[key].is_null() {
            *own = time_of(&value[key], &format!("{path}.{key}"))?;
        }
    }
    if !value["factor"].is_null() {
        terms.factor = number(&value["factor"], &format!("{path}.factor"))?;
    }
    match &value["neighbours"] {
        Value::Null => {}
        given => {
            let count: usize = number(given, &format!("{path}.neighbours"))?;
            terms.neighbours = (count > 0).then_some(count);
        }
    }
    Ok(terms)
}

fn budgets(value: &Value) -> Result<Budgets, ControlError> {
    let path = "properties.budgets";
    only(value, path, &["throttle", "block", "lockout", "quarantine"])?;
    let mut budgets = Budgets::default();
    for (key, own) in [
        ("throttle", &mut budgets.throttle),
        ("block", &mut budgets.block),
        ("lockout", &mut budgets.lockout),
        ("quarantine", &mut budgets.quarantine),
    ] {
        if !value[key].is_null() {
            *own = number(&value[key], &format!("{path}.{key}"))?;
        }
    }
    Ok(budgets)
}

fn paths(value: &Value, path: &str) -> Result<Vec<ForensicPath>, ControlError> {
    let one = |(index, value): (usize, &Value)| {
        let path = format!("{path}[{index}]");
        only(value, &path, &["source", "port", "protocol"])?;
        let protocol = match &value["protocol"] {
            Value::Null => ProtocolMatch::TCP,
            given => {
                let known =
                    [("TCP", ProtocolMatch::TCP), ("UDP", ProtocolMatch::UDP), ("*", ProtocolMatch::Any)];
                word(given, &known.map(|(name, one)| (name.to_owned(), one)), &format!("{path}.protocol"))?
            }
        };
        let source = prefix(&value["source"], &format!("{path}.source"))?;
        Ok(ForensicPath { source, port: number(&value["port"], &format!("{path}.port"))?, protocol })
    };
    elements(value).enumerate().map(one).collect()
}

fn elements(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A misspelt member must not be a policy that says less than its author thinks.
pub(super) fn only(value: &Value, path: &str, members: &[&str]) -> Result<(), ControlError> {
    let unknown = value.as_object().into_iter().flat_map(|object| object.keys());
    match unknown.into_iter().find(|key| !members.contains(&key.as_str())) {
        Some(key) => Err(wrong(&format!("{path}.{key}"), format!("is none of {}", members.join(", ")))),
        None => Ok(()),
    }
}

fn word<T: Copy>(value: &Value, known: &[(String, T)], path: &str) -> Result<T, ControlError> {
    let text = value.as_str().unwrap_or_default();
    let found = known.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    let names = || known.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
    found
        .map(|(_, one)| *one)
        .ok_or_else(|| wrong(path, format!("is {value} and must be one of {}", names())))
}

pub(super) fn number<T: TryFrom<u64>>(value: &Value, path: &str) -> Result<T, ControlError> {
    let number = value.as_u64().and_then(|number| T::try_from(number).ok());
    number.ok_or_else(|| wrong(path, format!("is {value}, which is no number that it may be")))
}

fn prefix(value: &Value, path: &str) -> Result<Prefix, ControlError> {
    let text = value.as_str().unwrap_or_default().trim();
    text.parse().map_err(|error| wrong(path, format!("is \"{text}\": {error}")))
}

pub(super) fn time_of(value: &Value, path: &str) -> Result<u32, ControlError> {
    let text = value.as_str().unwrap_or_default();
    let read = duration::seconds(text);
    read.ok_or_else(|| wrong(path, format!("is \"{text}\" and must be a duration such as PT1H")))
}

pub(super) fn moment(value: &Value, path: &str) -> Result<u32, ControlError> {
    let text = value.as_str().unwrap_or_default();
    let read = Moment::parse(text).and_then(Moment::rounded_down);
    let example = time::rfc3339(0);
    read.ok_or_else(|| wrong(path, format!("is \"{text}\" and must be a time such as {example}")))
}

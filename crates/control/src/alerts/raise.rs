//! What is written when alerts are raised or acknowledged: plans against one world, that hold only for it.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use palisade_guard::Alert;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{ALERTS_MAX, AlertState, KeptAlert, NOTE_MAX, PREFIX, all};
use crate::{ControlError, Expect, RecordChange, World};

/// Hexadecimal digits of an id.
const ID_DIGITS: usize = 12;

/// An alert that was raised.
#[derive(Debug, Clone, PartialEq)]
pub struct NewAlert {
    /// Its id.
    pub id: String,
    /// What it has in common with others that are about the same.
    pub series: String,
    /// The host that told of the flows.
    pub host: String,
    /// The interface that is concerned, if it is one.
    pub nic: Option<String>,
    /// The machine that it belongs to.
    pub machine: Option<String>,
    /// What was seen: [`super::document`].
    pub seen: Map<String, Value>,
}

/// What alerts have in common that are about the same: name, who, whom, port, and the interface.
pub fn series(alert: &Alert, nic: Option<&str>) -> String {
    let text = |part: Option<String>| part.unwrap_or_default();
    digest(&[
        &alert.name(),
        &text(alert.source.map(|address| address.to_string())),
        &text(alert.destination.map(|address| address.to_string())),
        &text(alert.port.map(|port| port.to_string())),
        &alert.protocol.to_string(),
        &text(alert.guest.as_ref().map(palisade_guard::Guest::name)),
        &text(nic.map(str::to_lowercase)),
    ])
}

/// The id of the alert that the next one of a series counts for: the open one's, or else a new one, made of when and where it was seen.
pub fn open_of(world: &World, series: &str, at_ms: u64, host: &str) -> String {
    // It is asked for every alert, so that not all of each is read.
    let is_open = |value: &&Value| value["series"] == series && value["state"] == "Open";
    let open = world.records(PREFIX).map(|(_, value)| value).find(is_open);
    let id = open.and_then(|value| value["id"].as_str()).map(str::to_owned);
    id.unwrap_or_else(|| digest(&[series, &at_ms.to_string(), host]))
}

fn digest(parts: &[&str]) -> String {
    let mut hash = HEXLOWER.encode(&Sha256::digest(parts.join("\n")));
    hash.truncate(ID_DIGITS);
    hash
}

/// The writes that raise alerts, and how many older ones they push out.
pub fn raise(world: &World, new: &[NewAlert]) -> (Vec<RecordChange>, usize) {
    let mut written: BTreeMap<&str, KeptAlert> = BTreeMap::new();
    for alert in new {
        let stored = written.remove(&*alert.id).or_else(|| super::find(world, &alert.id));
        written.insert(&alert.id, stored.map_or_else(|| first(alert), |kept| again(kept, alert)));
    }
    let mut changes: Vec<RecordChange> = written.values().map(|kept| write(world, kept)).collect();
    let added = changes.iter().filter(|change| change.expect == Expect::Absent).count();
    let surplus = (world.records(PREFIX).count() + added).saturating_sub(ALERTS_MAX);
    let pushed = if surplus == 0 { Vec::new() } else { oldest(world, &written, surplus) };
    changes.extend(pushed.iter().map(|id| change(world, id, None)));
    (changes, pushed.len())
}

/// So many alerts besides those that are written: those that somebody has looked at first, the oldest before the others.
fn oldest(world: &World, written: &BTreeMap<&str, KeptAlert>, count: usize) -> Vec<String> {
    let mut rest: Vec<KeptAlert> =
        all(world).into_iter().filter(|kept| !written.contains_key(&*kept.id)).collect();
    rest.sort_by_key(|kept| (kept.state == AlertState::Open, kept.text("last").to_owned()));
    rest.into_iter().take(count).map(|kept| kept.id).collect()
}

fn first(alert: &NewAlert) -> KeptAlert {
    KeptAlert {
        id: alert.id.clone(),
        series: alert.series.clone(),
        state: AlertState::Open,
        count: 1,
        raised_at: alert.seen.get("last").and_then(Value::as_str).unwrap_or_default().to_owned(),
        host: alert.host.clone(),
        nic: alert.nic.clone(),
        machine: alert.machine.clone(),
        acknowledged_by: None,
        acknowledged_at: None,
        note: None,
        seen: alert.seen.clone(),
    }
}

/// The same alert, raised once more: its numbers are the newest, its beginning stays.
fn again(kept: KeptAlert, alert: &NewAlert) -> KeptAlert {
    let mut seen = alert.seen.clone();
    for (field, is_better) in [("first", std::cmp::Ordering::Less), ("last", std::cmp::Ordering::Greater)] {
        if let (Some(old), Some(new)) = (kept.seen.get(field), seen.get(field))
            && old.as_str().cmp(&new.as_str()) == is_better
        {
            seen.insert(field.to_owned(), old.clone());
        }
    }
    KeptAlert { count: kept.count + 1, seen, ..kept }
}

fn write(world: &World, kept: &KeptAlert) -> RecordChange {
    change(world, &kept.id, Some(kept.to_value()))
}

/// A write that holds only as long as the alert is what it is in this world.
fn change(world: &World, id: &str, value: Option<Value>) -> RecordChange {
    let key = KeptAlert::key(id);
    let expect = world.record(&key).map_or(Expect::Absent, |value| Expect::Equals(value.clone()));
    RecordChange { key, value, expect }
}

/// The write that acknowledges an alert; none if it is acknowledged already. `now` is RFC 3339.
///
/// # Errors
/// If there is no such alert, or the note is too long.
pub fn acknowledge(
    world: &World,
    id: &str,
    who: &str,
    note: Option<&str>,
    now: &str,
) -> Result<Option<RecordChange>, ControlError> {
    let kept = super::find(world, id).ok_or_else(|| {
        ControlError::new(404, "AlertNotFound", format!("There is no alert '{id}', or it was forgotten."))
    })?;
    if note.is_some_and(|note| note.chars().count() > NOTE_MAX) {
        let message = format!("'note' is longer than {NOTE_MAX} characters: say it in fewer.");
        return Err(ControlError::bad("InvalidNote", message).about("note"));
    }
    if kept.state == AlertState::Acknowledged {
        return Ok(None);
    }
    let after = KeptAlert {
        state: AlertState::Acknowledged,
        acknowledged_by: Some(who.to_owned()),
        acknowledged_at: Some(now.to_owned()),
        note: note.map(str::to_owned),
        ..kept
    };
    Ok(Some(write(world, &after)))
}

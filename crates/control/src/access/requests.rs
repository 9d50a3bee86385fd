//! Requests as a policy's document has them: Azure's shape, with our own members beside it.
//!
//! What Azure calls status follows from a grant's state at a time and is written anew whenever it is told. Everything else is read back.

use palisade_guard::access::{Closing, End, Grant, Ledger, Once, Person, Request, State, Used};
use palisade_model::{ResourceId, calendar::Moment};
use palisade_net::{Prefix, ProtocolMatch};
use serde_json::{Map, Value, json};

use super::policy;
use crate::{ControlError, time};

/// All requests of a ledger, oldest first.
pub(super) fn write(ledger: &Ledger, now: u32) -> Value {
    ledger.requests().iter().map(|request| one(request, now)).collect()
}

/// A request.
pub(crate) fn one(request: &Request, now: u32) -> Value {
    let mut machines: Vec<(&ResourceId, Vec<Value>)> = Vec::new();
    for grant in &request.grants {
        let port = port(grant, request, now);
        match machines.iter_mut().find(|(id, _)| **id == grant.machine) {
            Some((_, ports)) => ports.push(port),
            None => machines.push((&grant.machine, vec![port])),
        }
    }
    let machines = machines.into_iter().map(|(id, ports)| json!({"id": id.as_str(), "ports": ports}));
    let mut value = json!({
        "name": request.name,
        "virtualMachines": machines.collect::<Vec<_>>(),
        "startTimeUtc": stamp(request.at),
        "requestor": request.requester.name,
        "requestorId": request.requester.id,
        "requestorAddress": request.address,
        "justification": request.reason,
    });
    if let Some(ticket) = &request.ticket {
        value["ticket"] = ticket.as_str().into();
    }
    if let Some((approver, at)) = &request.approval {
        value["approver"] = approver.name.as_str().into();
        value["approverId"] = approver.id.as_str().into();
        value["approvedTimeUtc"] = stamp(*at).into();
    }
    value
}

fn port(grant: &Grant, request: &Request, now: u32) -> Value {
    let state = grant.state(request, now);
    let (status, reason) = status(grant, state);
    let mut value = Map::new();
    value.insert("number".to_owned(), grant.port.into());
    value.insert("protocol".to_owned(), grant.protocol.to_string().to_uppercase().into());
    match &grant.sources[..] {
        [one] => value.insert("allowedSourceAddressPrefix".to_owned(), shown(*one).into()),
        all if is_any(all) => value.insert("allowedSourceAddressPrefix".to_owned(), "*".into()),
        all => {
            let all = all.iter().map(|prefix| Value::from(shown(*prefix))).collect();
            value.insert("allowedSourceAddressPrefixes".to_owned(), all)
        }
    };
    value.insert("endTimeUtc".to_owned(), stamp(grant.not_after).into());
    value.insert("status".to_owned(), status.into());
    value.insert("statusReason".to_owned(), reason.into());
    value.insert("state".to_owned(), state.name().into());
    if grant.needs_approval {
        value.insert("needsApproval".to_owned(), true.into());
    }
    if let Some(once) = &grant.once {
        value.insert("oneUse".to_owned(), true.into());
        if let Once::By(used) = once {
            value.insert("usedBy".to_owned(), use_of(used));
        }
    }
    if let Some(Closing { at, end, by }) = &grant.closing {
        value.insert("closedTimeUtc".to_owned(), stamp(*at).into());
        value.insert("closedFor".to_owned(), end.name().into());
        if let Some(by) = by {
            value.insert("closedBy".to_owned(), by.name.as_str().into());
            value.insert("closedById".to_owned(), by.id.as_str().into());
        }
    }
    value.into()
}

/// Azure's words for a state.
fn status(grant: &Grant, state: State) -> (&'static str, &'static str) {
    let is_replaced = matches!(grant.closing, Some(Closing { end: End::Replaced, .. }));
    match state {
        State::Pending | State::Active => ("Initiated", "UserRequested"),
        State::Expired => ("Revoked", "Expired"),
        State::EndedEarly if is_replaced => ("Revoked", "NewerRequestInitiated"),
        State::EndedEarly | State::Revoked | State::UsedUp => ("Revoked", "UserRequested"),
    }
}

/// A prefix as Azure writes it: an address alone for a single one.
pub(super) fn shown(prefix: Prefix) -> String {
    if prefix.length() == prefix.family().width() { prefix.address().to_string() } else { prefix.to_string() }
}

/// Whether prefixes are all addresses of both families.
pub(super) fn is_any(prefixes: &[Prefix]) -> bool {
    let set: palisade_net::AddressSet = prefixes.iter().copied().collect();
    set.is_full()
}

fn stamp(seconds: u32) -> String {
    time::rfc3339(u64::from(seconds))
}

/// Reads requests back.
pub(super) fn read(requests: &Value) -> Result<Vec<Request>, ControlError> {
    requests.as_array().into_iter().flatten().map(request).collect()
}

fn request(value: &Value) -> Result<Request, ControlError> {
    let mut grants = Vec::new();
    for machine in value["virtualMachines"].as_array().into_iter().flatten() {
        let id = ResourceId::new(&text(machine, "id")?);
        for port in machine["ports"].as_array().into_iter().flatten() {
            grants.push(grant(port, &id)?);
        }
    }
    let approval = match value.get("approverId") {
        None => None,
        Some(_) => Some((person(value, "approver")?, moment(value, "approvedTimeUtc")?)),
    };
    Ok(Request {
        name: text(value, "name")?,
        requester: person(value, "requestor")?,
        address: text(value, "requestorAddress")?,
        at: moment(value, "startTimeUtc")?,
        reason: text(value, "justification")?,
        ticket: value["ticket"].as_str().map(str::to_owned),
        approval,
        grants,
    })
}

fn grant(value: &Value, machine: &ResourceId) -> Result<Grant, ControlError> {
    let closing = match value["closedFor"].as_str() {
        None => None,
        Some(name) => Some(Closing {
            at: moment(value, "closedTimeUtc")?,
            end: End::ALL.into_iter().find(|end| end.name() == name).ok_or_else(|| damaged("closedFor"))?,
            by: value.get("closedById").map(|_| person(value, "closedBy")).transpose()?,
        }),
    };
    let sources = policy::sources(value, "ports")?.ok_or_else(|| damaged("allowedSourceAddressPrefix"))?;
    let any = || ["0.0.0.0/0", "::/0"].map(|text| text.parse().expect("a prefix")).to_vec();
    Ok(Grant {
        machine: machine.clone(),
        port: policy::port(&value["number"], "number")?,
        protocol: policy::protocol(&value["protocol"], "protocol")?,
        sources: if sources.is_empty() { any() } else { sources },
        not_after: moment(value, "endTimeUtc")?,
        needs_approval: value["needsApproval"].as_bool().unwrap_or_default(),
        once: if value["oneUse"] == true { Some(once(&value["usedBy"])?) } else { None },
        closing,
    })
}

/// The connection that used a grant.
fn use_of(used: &Used) -> Value {
    let (address, port) = used.source;
    let protocol = ProtocolMatch::Number(used.protocol).to_string().to_uppercase();
    json!({"address": address.to_string(), "port": port, "protocol": protocol, "timeUtc": stamp(used.at)})
}

fn once(used: &Value) -> Result<Once, ControlError> {
    if used.is_null() {
        return Ok(Once::Unused);
    }
    let address = text(used, "address")?.parse().map_err(|_| damaged("usedBy.address"))?;
    let ProtocolMatch::Number(protocol) = policy::protocol(&used["protocol"], "usedBy.protocol")? else {
        return Err(damaged("usedBy.protocol"));
    };
    let source = (address, policy::port(&used["port"], "usedBy.port")?);
    Ok(Once::By(Used { protocol, source, at: moment(used, "timeUtc")? }))
}

fn person(value: &Value, key: &str) -> Result<Person, ControlError> {
    Ok(Person { id: text(value, &format!("{key}Id"))?, name: text(value, key)? })
}

fn text(value: &Value, key: &str) -> Result<String, ControlError> {
    value[key].as_str().map(str::to_owned).ok_or_else(|| damaged(key))
}

fn moment(value: &Value, key: &str) -> Result<u32, ControlError> {
    let read = value[key].as_str().and_then(Moment::parse).and_then(Moment::rounded_down);
    read.ok_or_else(|| damaged(key))
}

fn damaged(key: &str) -> ControlError {
    let message = format!("A stored request cannot be read: '{key}' is missing or none.");
    ControlError::new(500, "StoreDamaged", message)
}

//! What `initiate` asks for, from its body: Azure's shape, and beside it ticket, one use, protocol and duration.

use std::net::IpAddr;

use palisade_guard::access::{Ask, Wanted};
use palisade_model::calendar::Moment;
use palisade_net::Prefix;
use serde_json::Value;

use super::{Actor, duration, invalid, machine_id, policy, seconds};
use crate::ControlError;

/// What a policy wants of every request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    justification: bool,
    ticket: bool,
}

impl Terms {
    /// Those of a policy's `properties`.
    pub(crate) fn of(properties: &Value) -> Self {
        let is = |key: &str| properties[key].as_bool().unwrap_or_default();
        Self { justification: is("requiresJustification"), ticket: is("requiresTicket") }
    }

    /// Whether what was said is enough.
    pub(crate) fn check(self, reason: &str, ticket: Option<&str>) -> Result<(), ControlError> {
        if self.justification && reason.is_empty() {
            return Err(invalid("justification", "is missing, and the policy wants one (say why)"));
        }
        if self.ticket && ticket.is_none() {
            return Err(invalid("ticket", "is missing, and the policy wants one (name it)"));
        }
        Ok(())
    }
}

/// Reads the body of `initiate`.
pub(crate) fn ask(body: &Value, terms: Terms, actor: &Actor, now: u64) -> Result<Ask, ControlError> {
    let text =
        |key: &str| body[key].as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    let (reason, ticket) = (text("justification").unwrap_or_default(), text("ticket"));
    terms.check(&reason, ticket.as_deref())?;
    let machines = body["virtualMachines"].as_array();
    let machines =
        machines.ok_or_else(|| invalid("virtualMachines", "is missing (give a list of virtual machines)"))?;
    let mut wanted = Vec::new();
    for (index, machine) in machines.iter().enumerate() {
        let path = format!("virtualMachines[{index}]");
        let id = machine_id(&machine["id"], &format!("{path}.id"))?;
        for (index, port) in machine["ports"].as_array().into_iter().flatten().enumerate() {
            let path = format!("{path}.ports[{index}]");
            let protocol = match &port["protocol"] {
                Value::Null => None,
                given => Some(policy::protocol(given, &format!("{path}.protocol"))?),
            };
            wanted.push(Wanted {
                machine: id.clone(),
                port: policy::port(&port["number"], &format!("{path}.number"))?,
                protocol,
                sources: sources(port, &path, actor)?,
                until: until(port, &path, now)?,
            });
        }
    }
    Ok(Ask {
        name: uuid::Uuid::new_v4().simple().to_string()[..12].to_owned(),
        requester: actor.person(),
        address: actor.address.clone(),
        reason,
        ticket,
        once: match &body["oneUse"] {
            Value::Null => false,
            Value::Bool(once) => *once,
            _ => return Err(invalid("oneUse", "must be true or false")),
        },
        wanted,
    })
}

/// To whom a port is to be opened: what is said, else to the caller's address as the server sees it.
fn sources(port: &Value, path: &str, actor: &Actor) -> Result<Vec<Prefix>, ControlError> {
    match policy::sources(port, path)? {
        Some(any) if any.is_empty() => {
            Ok(["0.0.0.0/0", "::/0"].map(|text| text.parse().expect("a prefix")).into())
        }
        Some(given) => Ok(given),
        None => {
            let address: IpAddr = actor.address.parse().map_err(|_| {
                invalid(
                    &format!("{path}.allowedSourceAddressPrefix"),
                    "is missing, and your address is not known",
                )
            })?;
            Ok(vec![Prefix::host(address.to_canonical())])
        }
    }
}

/// When something is to end: `endTimeUtc`, or `duration` from now.
pub(crate) fn until(value: &Value, path: &str, now: u64) -> Result<u32, ControlError> {
    let at = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match (value["endTimeUtc"].as_str(), value["duration"].as_str()) {
        (Some(end), None) => Moment::parse(end).and_then(Moment::rounded_down).ok_or_else(|| {
            invalid(
                &at("endTimeUtc"),
                format!("is \"{end}\" and must be a time such as 2026-01-31T08:00:00Z"),
            )
        }),
        (None, Some(text)) => {
            let wrong =
                || invalid(&at("duration"), format!("is \"{text}\" and must be a duration such as PT1H"));
            Ok(seconds(now).saturating_add(duration::seconds(text).ok_or_else(wrong)?))
        }
        (Some(_), Some(_)) => {
            Err(invalid(&at("endTimeUtc"), "and duration exclude each other (give one of them)"))
        }
        (None, None) => {
            Err(invalid(&at("endTimeUtc"), "is missing (say when the port is to be closed again)"))
        }
    }
}

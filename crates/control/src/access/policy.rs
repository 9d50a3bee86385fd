//! A policy from the `properties` of its document.

use palisade_guard::access::{Door, Machine, Policy};
use palisade_net::{Prefix, ProtocolMatch};
use serde_json::Value;

use super::{duration, invalid, machine_id, refused};
use crate::ControlError;

/// Reads a policy; the first thing that is wrong is told, with its place.
pub(super) fn read(properties: &Value) -> Result<Policy, ControlError> {
    let path = "properties.virtualMachines";
    let machines = properties["virtualMachines"].as_array();
    let machines = machines.ok_or_else(|| invalid(path, "is missing (give a list of virtual machines)"))?;
    let each = machines.iter().enumerate().map(|(index, value)| machine(value, &format!("{path}[{index}]")));
    Policy::new(each.collect::<Result<_, _>>()?).map_err(|error| refused(&error).about(path))
}

fn machine(value: &Value, path: &str) -> Result<Machine, ControlError> {
    let id = machine_id(&value["id"], &format!("{path}.id"))?;
    let ports = value["ports"].as_array();
    let ports =
        ports.ok_or_else(|| invalid(&format!("{path}.ports"), "is missing (give a list of ports)"))?;
    let each = ports.iter().enumerate().map(|(index, value)| door(value, &format!("{path}.ports[{index}]")));
    Ok(Machine { id, doors: each.collect::<Result<_, _>>()? })
}

fn door(value: &Value, path: &str) -> Result<Door, ControlError> {
    let limit = value["maxRequestAccessDuration"].as_str().unwrap_or_default();
    let limit = duration::seconds(limit).ok_or_else(|| {
        let problem = format!("is \"{limit}\" and must be a duration such as PT3H");
        invalid(&format!("{path}.maxRequestAccessDuration"), problem)
    })?;
    Ok(Door {
        port: port(&value["number"], &format!("{path}.number"))?,
        protocol: protocol(&value["protocol"], &format!("{path}.protocol"))?,
        sources: sources(value, path)?.unwrap_or_default(),
        limit,
        needs_approval: value["requiresApproval"].as_bool().unwrap_or_default(),
    })
}

/// A port's number.
pub(super) fn port(value: &Value, path: &str) -> Result<u16, ControlError> {
    let number = value.as_u64().and_then(|number| u16::try_from(number).ok());
    number.ok_or_else(|| invalid(path, format!("is {value} and must be a port, 1 to 65535")))
}

/// A port's protocol, in Azure's words.
pub(super) fn protocol(value: &Value, path: &str) -> Result<ProtocolMatch, ControlError> {
    let text = value.as_str().unwrap_or_default();
    Ok(match text.to_ascii_lowercase().as_str() {
        "tcp" => ProtocolMatch::TCP,
        "udp" => ProtocolMatch::UDP,
        "*" | "all" => ProtocolMatch::Any,
        _ => return Err(invalid(path, format!("is {value} and must be TCP, UDP or *"))),
    })
}

/// `allowedSourceAddressPrefix` or `allowedSourceAddressPrefixes`: `None` if neither is there, empty for any address.
pub(super) fn sources(value: &Value, path: &str) -> Result<Option<Vec<Prefix>>, ControlError> {
    let (one, many) = (&value["allowedSourceAddressPrefix"], &value["allowedSourceAddressPrefixes"]);
    let one = one.as_str().map(str::trim).filter(|text| !text.is_empty());
    let many = many.as_array().filter(|list| !list.is_empty());
    let path = format!("{path}.allowedSourceAddressPrefix");
    let texts: Vec<&str> = match (one, many) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            return Err(invalid(
                &path,
                "and allowedSourceAddressPrefixes exclude each other (give one of them)",
            ));
        }
        (Some(one), None) => vec![one],
        (None, Some(many)) => many.iter().map(|text| text.as_str().unwrap_or_default().trim()).collect(),
    };
    if texts.contains(&"*") {
        return Ok(Some(Vec::new()));
    }
    let prefix = |text: &&str| {
        let problem = |error| invalid(&path, format!("has \"{text}\": {error}"));
        text.parse::<Prefix>().map_err(problem)
    };
    texts.iter().map(prefix).collect::<Result<_, _>>().map(Some)
}

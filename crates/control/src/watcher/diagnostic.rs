//! Network configuration diagnostics: what each rule list says of the traffic of a profile, rule by rule.
//!
//! A profile may be about many packets. `Allow` means that all of them pass; if any is dropped the answer is `Deny` and the rule
//! that drops is named. A rule's fields count as matched if they and the profile have something in common. Reference:
//! docs/arm.md, "What Network Watcher answers".

use palisade_model::{Access, EffectiveRule, Estate, Layer, Nic, ResourceId, TagName};
use palisade_net::{AddressSet, Direction, Family, PortSet, Prefix, Protocol};
use serde_json::{Value, json};

use super::effective::subnet_of;
use super::flow::direction;
use super::input::{Body, invalid, list, missing};
use super::own::manager_of;
use super::region::{self, Region, Said, matched_ports, undetermined};
use super::rules::Dialect;
use crate::ControlError;

/// Most profiles of one question.
pub const PROFILES_MAX: usize = 100;

/// Every protocol that a rule can tell apart from others, and one that no rule names.
const PROTOCOLS: [Protocol; 7] = [
    Protocol::TCP,
    Protocol::UDP,
    Protocol::ICMP,
    Protocol::ICMPV6,
    Protocol::ESP,
    Protocol::AH,
    Protocol::IGMP,
];

/// The traffic of one profile.
struct Profile {
    direction: Direction,
    protocols: Vec<Protocol>,
    sources: AddressSet,
    destinations: AddressSet,
    destination_ports: PortSet,
}

/// Answers `networkConfigurationDiagnostic` for one interface.
pub fn diagnose(estate: &Estate, nic: &Nic, body: &Value, now: u32) -> Result<Value, ControlError> {
    let profiles = list(body, &["profiles"]);
    if profiles.is_empty() {
        return Err(missing("profiles"));
    }
    if profiles.len() > PROFILES_MAX {
        let message =
            format!("A question has at most {PROFILES_MAX} profiles, this one has {}.", profiles.len());
        return Err(ControlError::bad("TooManyProfiles", message).about("profiles"));
    }
    let results: Result<Vec<Value>, ControlError> =
        profiles.iter().map(|profile| result(estate, nic, profile, now)).collect();
    Ok(json!({"results": results?}))
}

fn result(estate: &Estate, nic: &Nic, written: &Value, now: u32) -> Result<Value, ControlError> {
    let profile = read(estate, nic, Body(written))?;
    let policy = estate.effective(nic);
    let answer = region::ask(&policy, profile.direction, profile.regions(), now)?;
    let groups = answer.said.iter().filter(|said| said.layer.layer != Layer::PublicAddress);
    let groups: Vec<Value> = groups.map(|said| evaluated(said, nic, &profile)).collect();
    Ok(json!({
        "profile": written,
        "networkSecurityGroupResult": {
            "securityRuleAccessResult": if answer.drops { "Deny" } else { "Allow" },
            "evaluatedNetworkSecurityGroups": groups,
        },
    }))
}

impl Profile {
    fn regions(&self) -> Vec<Region> {
        let (sources, destinations) = (&self.sources, &self.destinations);
        let region = |protocol: &Protocol| {
            let source = (sources, &PortSet::full());
            Region::new(*protocol, source, (destinations, &self.destination_ports))
        };
        self.protocols.iter().map(region).collect()
    }
}

fn read(estate: &Estate, nic: &Nic, body: Body<'_>) -> Result<Profile, ControlError> {
    let protocols = match body.text("protocol")? {
        "*" => PROTOCOLS.to_vec(),
        text if text.eq_ignore_ascii_case("Any") => PROTOCOLS.to_vec(),
        text if text.eq_ignore_ascii_case("TCP") => vec![Protocol::TCP],
        text if text.eq_ignore_ascii_case("UDP") => vec![Protocol::UDP],
        text if text.eq_ignore_ascii_case("ICMP") => vec![Protocol::ICMP, Protocol::ICMPV6],
        other => return Err(invalid("protocol", &other.into(), "*, TCP, UDP or ICMP")),
    };
    let ports = body.port("destinationPort")?;
    let sources = addresses(estate, nic, body, "source")?;
    let destinations = addresses(estate, nic, body, "destination")?;
    let both = [Family::V4, Family::V6].into_iter().any(|family| {
        let has = |set: &AddressSet| match family {
            Family::V4 => !set.v4().is_empty(),
            Family::V6 => !set.v6().is_empty(),
        };
        has(&sources) && has(&destinations)
    });
    if !both {
        let expected = "of the same address family as the source";
        return Err(invalid("destination", body.get("destination").unwrap_or(&Value::Null), expected));
    }
    Ok(Profile {
        direction: direction(body)?,
        protocols,
        sources,
        destinations,
        destination_ports: ports.map_or_else(PortSet::full, |port| [(port, port)].into_iter().collect()),
    })
}

/// `*`, an address, a prefix or a service tag.
fn addresses(estate: &Estate, nic: &Nic, body: Body<'_>, key: &str) -> Result<AddressSet, ControlError> {
    let text = body.text(key)?;
    if text == "*" {
        return Ok(AddressSet::full());
    }
    if let Ok(prefix) = text.parse::<Prefix>() {
        return Ok([prefix].into_iter().collect());
    }
    let wrong = || invalid(key, &text.into(), "*, an address, a prefix without host bits, or a service tag");
    let tag: TagName = text.parse().map_err(|_| wrong())?;
    let found = estate.tag_at(nic, &tag);
    if found.is_certain() { Ok(found.may().clone()) } else { Err(undetermined(tag.as_str())) }
}

/// What one rule list says, in Azure's shape.
fn evaluated(said: &Said<'_>, nic: &Nic, profile: &Profile) -> Value {
    let layer = said.layer;
    let source = layer.source.as_ref();
    let (group, applied_to) = match layer.layer {
        Layer::Admin => match source.and_then(manager_of) {
            Some(manager) => (Some(manager), subnet_of(nic).and_then(ResourceId::parent)),
            None => (source.cloned(), Some(nic.id().clone())),
        },
        Layer::Subnet => (source.cloned(), subnet_of(nic).cloned()),
        _ => (source.cloned(), Some(nic.id().clone())),
    };
    let matched = said.decided.map(|(rule, access)| {
        let action = if access == Access::Deny { "Deny" } else { "Allow" };
        json!({"ruleName": Dialect::Log.name(layer.layer, rule), "action": action})
    });
    let rules = said.asked.iter().map(|rule| {
        let mut fields = fields(rule, profile);
        fields["name"] = Dialect::Log.name(layer.layer, rule).into();
        fields
    });
    json!({
        "networkSecurityGroupId": group.as_ref().map(ResourceId::as_str),
        "appliedTo": applied_to.as_ref().map(ResourceId::as_str),
        "matchedRule": matched,
        "rulesEvaluationResult": rules.collect::<Vec<_>>(),
    })
}

/// Which fields of a rule have something in common with a profile.
fn fields(rule: &EffectiveRule, profile: &Profile) -> Value {
    let protocols = || {
        let known = rule.protocol.known();
        profile.protocols.iter().filter(move |protocol| known.is_none_or(|field| field.matches(**protocol)))
    };
    let meets = |field: &AddressSet, asked: &AddressSet| field.intersects(asked);
    let ports = |ports, destination| {
        let mut sets = profile
            .protocols
            .iter()
            .filter_map(|protocol| matched_ports(rule, ports, *protocol, destination));
        sets.any(|set| !destination || set.intersects(&profile.destination_ports))
    };
    json!({
        "protocolMatched": protocols().next().is_some(),
        "sourceMatched": meets(rule.source.may(), &profile.sources),
        "sourcePortMatched": ports(&rule.source_ports, false),
        "destinationMatched": meets(rule.destination.may(), &profile.destinations),
        "destinationPortMatched": ports(&rule.destination_ports, true),
    })
}

//! IP flow verify: whether one packet to or from a machine passes, and the rule that says so.
//!
//! The answer is the oracle's, for the interface that owns the local address. Where the source port is `*`, all source ports are
//! asked together, and the packet passes only if it passes from each. Reference: docs/arm.md, "What Network Watcher answers".

use std::net::IpAddr;

use palisade_classify::{Decision, Verdict, oracle};
use palisade_model::{EffectivePolicy, Estate, Nic, ResourceId, Truth};
use palisade_net::{AddressSet, Direction, Family, Flow, PortSet, Prefix, Protocol};
use serde_json::{Value, json};

use super::input::{Body, invalid};
use super::own;
use super::region::{self, Region, undetermined};
use super::rules::Dialect;
use crate::ControlError;

/// The question of one flow, checked.
struct Question {
    direction: Direction,
    protocol: Protocol,
    local: (IpAddr, Option<u16>),
    remote: (IpAddr, Option<u16>),
}

/// Answers `ipFlowVerify` for a machine with these interfaces.
pub fn verify(estate: &Estate, nics: &[&Nic], body: &Value, now: u32) -> Result<Value, ControlError> {
    let body = Body(body);
    let question = question(body)?;
    let nic = owner(
        estate,
        nics,
        body.id_or_none("targetNicResourceId")?.as_ref(),
        question.local.0,
        "localIPAddress",
    )?;
    let policy = estate.effective(nic);
    let (access, rule) = match question.flow() {
        Some(flow) => of_flow(&policy, &flow, now)?,
        None => of_all_ports(&policy, &question, now)?,
    };
    let mut answer = json!({"access": access});
    if let Some(rule) = rule {
        answer["ruleName"] = rule.into();
    }
    let throttle = nic.throttle().filter(|throttle| throttle.holds_at(now));
    if let Some(throttle) =
        throttle.filter(|_| question.direction == Direction::Outbound && access == "Allow")
    {
        answer["throttle"] = own::of_throttle(throttle);
    }
    Ok(answer)
}

impl Question {
    /// The flow, unless it has any source port.
    fn flow(&self) -> Option<Flow> {
        let (local, remote) = ((self.local.0, self.local.1?), (self.remote.0, self.remote.1?));
        Flow::between(self.direction, self.protocol, local, remote)
    }
}

fn question(body: Body<'_>) -> Result<Question, ControlError> {
    let direction = direction(body)?;
    let protocol = match body.text("protocol")? {
        text if text.eq_ignore_ascii_case("TCP") => Protocol::TCP,
        text if text.eq_ignore_ascii_case("UDP") => Protocol::UDP,
        other => {
            return Err(invalid(
                "protocol",
                &other.into(),
                "TCP or UDP (network configuration diagnostics take others)",
            ));
        }
    };
    let local = (body.address("localIPAddress")?, body.port("localPort")?);
    let remote = (body.address("remoteIPAddress")?, body.port("remotePort")?);
    if Family::of(local.0) != Family::of(remote.0) {
        let expected = "an address of the same family as localIPAddress";
        return Err(invalid("remoteIPAddress", &remote.0.to_string().into(), expected));
    }
    let (name, destination_port) = match direction {
        Direction::Inbound => ("localPort", local.1),
        Direction::Outbound => ("remotePort", remote.1),
    };
    if destination_port.is_none() {
        return Err(invalid(name, &"*".into(), "a port: only the source port may be *"));
    }
    Ok(Question { direction, protocol, local, remote })
}

/// The direction that a body names.
pub(super) fn direction(body: Body<'_>) -> Result<Direction, ControlError> {
    let text = body.text("direction")?;
    text.parse().map_err(|()| invalid("direction", &text.into(), "Inbound or Outbound"))
}

/// The interface that an address belongs to: the one named, or the only one that has it. An interface that forwards may send from
/// any address, and is taken only where it is named or has no rival.
pub(super) fn owner<'a>(
    estate: &Estate,
    nics: &[&'a Nic],
    named: Option<&ResourceId>,
    address: IpAddr,
    key: &str,
) -> Result<&'a Nic, ControlError> {
    let candidates: Vec<&'a Nic> =
        nics.iter().copied().filter(|nic| named.is_none_or(|named| named == nic.id())).collect();
    if let (Some(named), []) = (named, candidates.as_slice()) {
        let expected = "the id of a network interface of the target virtual machine";
        return Err(invalid("targetNicResourceId", &named.as_str().into(), expected));
    }
    let owns = |nic: &&&Nic| estate.addresses_of(nic).must().contains(address);
    let owners: Vec<&&Nic> = candidates.iter().filter(owns).collect();
    let forwarding: Vec<&&Nic> = candidates.iter().filter(|nic| nic.ip_forwarding() == Truth::Yes).collect();
    match (owners.as_slice(), forwarding.as_slice()) {
        ([owner], _) | ([], [owner]) => Ok(**owner),
        ([], []) => {
            let expected = "an address of a network interface of the target virtual machine";
            Err(invalid(key, &address.to_string().into(), expected))
        }
        _ => {
            let message = format!(
                "The target virtual machine has several network interfaces that may use {address}. Name one with \
                 'targetNicResourceId'."
            );
            Err(ControlError::bad("TargetNicRequired", message).about("targetNicResourceId"))
        }
    }
}

type Answer = (&'static str, Option<String>);

fn of_flow(policy: &EffectivePolicy, flow: &Flow, now: u32) -> Result<Answer, ControlError> {
    let decision = oracle::decide(policy, flow, now);
    let access = match decision.verdict {
        Verdict::Allow => "Allow",
        Verdict::Deny => "Deny",
        Verdict::Unknown => return Err(undetermined(&open_rule(policy, flow.direction()))),
    };
    Ok((access, rule_name(&decision, policy, flow.direction())))
}

/// The path of the deciding rule; a security admin rule has its bare name, and where no rule decided there is none.
fn rule_name(decision: &Decision, policy: &EffectivePolicy, direction: Direction) -> Option<String> {
    let explanation = decision.explain(policy, direction);
    Some(Dialect::Path.name(explanation.layer?, explanation.rule?))
}

/// The first rule whose addresses are not known.
fn open_rule(policy: &EffectivePolicy, direction: Direction) -> String {
    let mut rules = policy.layers(direction).iter().flat_map(|layer| &layer.rules);
    let open = rules.find(|rule| !rule.source.is_certain() || !rule.destination.is_certain());
    open.map_or_else(|| "a rule".to_owned(), |rule| rule.path.clone())
}

fn of_all_ports(policy: &EffectivePolicy, question: &Question, now: u32) -> Result<Answer, ControlError> {
    let host = |address: IpAddr| -> AddressSet { [Prefix::host(address)].into_iter().collect() };
    let ports = |port: Option<u16>| -> PortSet {
        port.map_or_else(PortSet::full, |port| [(port, port)].into_iter().collect())
    };
    let local = (host(question.local.0), ports(question.local.1));
    let remote = (host(question.remote.0), ports(question.remote.1));
    let (source, destination) = match question.direction {
        Direction::Inbound => (remote, local),
        Direction::Outbound => (local, remote),
    };
    let region = Region::new(question.protocol, (&source.0, &source.1), (&destination.0, &destination.1));
    let answer = region::ask(policy, question.direction, vec![region], now)?;
    let mut decided = answer.said.iter().filter_map(|said| Some((said.layer.layer, said.decided?)));
    let name = decided.rfind(|(layer, (_, access))| region::decides(*layer, *access, answer.drops));
    let name = name.map(|(layer, (rule, _))| Dialect::Path.name(layer, rule));
    Ok((if answer.drops { "Deny" } else { "Allow" }, name))
}

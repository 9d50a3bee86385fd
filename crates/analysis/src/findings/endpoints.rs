//! Inbound NAT rules of public frontends: ports that everybody tries first, and management ports without a list of sources.
//!
//! A rule is no permission: NSGs judge what it has translated. So the witness is a packet after the translation, from a public
//! source that the rule takes, which every list lets pass; where there is none the finding says so and matters less.

use palisade_classify::Verdict;
use palisade_model::{InboundNatRule, MANAGEMENT_PORTS, Truth, spec::Given};
use palisade_net::{AddressSet, Direction, Flow, PortSet, ProtocolMatch};

use super::{
    Asking, Check, Finding, Findings, Severity, Subject,
    chain::{self, Asked},
    checks::{ENDPOINT_PORT, ENDPOINT_SOURCES},
    exposure::foreign,
    sites::{self, Site},
};
use crate::{AnalysisError, Query, Words};

/// Public ports that are tried at every address of the Internet: SSH and RDP.
const TRIED_FIRST: [u16; 2] = [22, 3389];

/// Looks at every inbound NAT rule that has, or may have, a public frontend.
pub(super) fn check(asking: &Asking<'_>, found: &mut Findings) -> Result<(), AnalysisError> {
    for rule in asking.estate.inbound_nat_rules().filter(|rule| rule.is_public() != Truth::No) {
        let sure = rule.is_certain() && rule.is_public() == Truth::Yes;
        let told = match (sure, rule.public_port()) {
            (true, Given::Known(port)) => of_rule(asking, rule, *port),
            (true, Given::Unknown(reason)) => {
                found.open(rule.id(), format!("its public port is not known: {reason}"));
                continue;
            }
            (false, _) => {
                found.open(
                    rule.id(),
                    "it is not known whether it is there and has a public address".to_owned(),
                );
                continue;
            }
        };
        found.take(rule.id(), told)?;
    }
    Ok(())
}

fn of_rule(asking: &Asking<'_>, rule: &InboundNatRule, port: u16) -> Result<Vec<Finding>, AnalysisError> {
    let private = rule.private_port().known().copied();
    let leads_to_management = private.is_some_and(|private| MANAGEMENT_PORTS.contains(&private));
    let is_tried = TRIED_FIRST.contains(&port);
    let is_for_all = leads_to_management && rule.sources().is_none();
    if !is_tried && !is_for_all {
        return Ok(Vec::new());
    }
    let passing = passing(asking, rule)?;
    let to =
        private.map_or_else(|| "a port that is not known".to_owned(), |private| format!("port {private}"));
    let mut found = Vec::new();
    if is_tried {
        let message = format!("{} has public port {port}, which leads to {to}", rule.id().name());
        found.push(finding(&ENDPOINT_PORT, rule, message, &passing));
    }
    if is_for_all {
        let message =
            format!("{} leads from public port {port} to management {to} for every source", rule.id().name());
        found.push(finding(&ENDPOINT_SOURCES, rule, message, &passing));
    }
    Ok(found)
}

/// What NSGs do with what a rule has translated.
enum Passing {
    /// They let this packet pass, which is one of these.
    Some(Box<Flow>, Vec<Words>),
    /// They let none pass.
    None,
    /// It cannot be told: the machine is not known, nothing guards it, or something of it is open.
    Open,
}

fn finding(check: &'static Check, rule: &InboundNatRule, message: String, passing: &Passing) -> Finding {
    let subject = Subject {
        endpoint: Some(rule.id().clone()),
        nics: Vec::from_iter(rule.nic().cloned()),
        ..Subject::default()
    };
    let (severity, told, witness, region) = match passing {
        Passing::Some(flow, region) => {
            (check.severity, "; NSGs let public sources pass", Some(**flow), region.clone())
        }
        Passing::None => (Severity::Note, "; NSGs let no public source pass", None, Vec::new()),
        Passing::Open => (check.severity, "", None, Vec::new()),
    };
    let message = message + told;
    Finding { check, severity, subject, message, region, witness, covered_by: Vec::new() }
}

/// Asks the lists of the machine's interface about what a rule takes from the Internet.
fn passing(asking: &Asking<'_>, rule: &InboundNatRule) -> Result<Passing, AnalysisError> {
    let site = asking.sites.iter().find(|site| site.nics.iter().any(|nic| Some(nic.id()) == rule.nic()));
    let (Some(site), Some(&port), Some(protocol)) =
        (site, rule.private_port().known(), rule.protocol().known())
    else {
        return Ok(Passing::Open);
    };
    let public = foreign(asking.estate);
    let source = match rule.sources() {
        None => public,
        Some(Given::Known(sources)) => public.intersection(sources),
        Some(Given::Unknown(_)) => return Ok(Passing::Open),
    };
    let ports: PortSet = [(port, port)].into_iter().collect();
    let mut is_open = !site.is_guarded();
    for transport in protocol.transports() {
        let query = Query {
            protocol: ProtocolMatch::Number(*transport),
            source: source.clone(),
            destination: own(site, rule),
            destination_ports: ports.clone(),
            ..Query::default()
        };
        let asked =
            Asked { site, direction: Direction::Inbound, query, now: asking.now, limits: asking.limits };
        for reached in asked.ask()? {
            match reached.side.verdict {
                Verdict::Allow if site.is_guarded() => {
                    let part = chain::restricted(&reached.region, &source, *transport, &ports);
                    if let Some(flow) = asked.witness(&part, &reached)? {
                        return Ok(Passing::Some(Box::new(flow), site.names().words(&part)));
                    }
                }
                Verdict::Unknown => is_open = true,
                Verdict::Allow | Verdict::Deny => {}
            }
        }
    }
    Ok(if is_open { Passing::Open } else { Passing::None })
}

/// The addresses of the machine that a rule leads to.
fn own(site: &Site<'_>, rule: &InboundNatRule) -> AddressSet {
    match rule.endpoint() {
        Ok(endpoint) => [endpoint.address].into_iter().collect(),
        Err(_) => {
            let nic = site.nics.iter().find(|nic| Some(nic.id()) == rule.nic());
            nic.map_or_else(AddressSet::empty, |nic| sites::own(site.estate, nic))
        }
    }
}

//! Rules and routes that mean something else than they seem to.

use std::collections::HashSet;

use palisade_classify::Verdict;
use palisade_model::{Access, ComputedTag, EffectiveLayer, EffectiveRule, TagName};
use palisade_net::{AddressSet, Direction, Family, Protocol, ProtocolMatch};

use super::{
    Asking, Check, Finding, Findings, Severity, Subject,
    chain::Asked,
    checks::{PLATFORM, PROBES, TAG_IDLE, WIDENED},
    exposure::foreign,
    sites::{Site, is_nsg},
    tell::{half, is_user_rule, matched, named},
};
use crate::{AnalysisError, Query};

/// Tags that a rule may name and that the platform does not act on.
/// Source: <https://github.com/MicrosoftDocs/azure-docs/issues/108992>.
const IDLE: [&str; 1] = ["AzurePortal"];

/// Looks for the shapes at every place.
pub(super) fn check(asking: &Asking<'_>, found: &mut Findings) -> Result<(), AnalysisError> {
    let foreign = foreign(asking.estate);
    for site in asking.sites.iter().filter(|site| site.is_guarded()) {
        found.take(site.place(), widened(asking, site, &foreign).map(Vec::from_iter))?;
        found.take(site.place(), probes(asking, site).map(Vec::from_iter))?;
    }
    found.findings.extend(of_tags(asking));
    Ok(())
}

/// `VirtualNetwork` where a route to everywhere made it everything.
fn widened(
    asking: &Asking<'_>,
    site: &Site<'_>,
    foreign: &AddressSet,
) -> Result<Option<Finding>, AnalysisError> {
    let tag: TagName = ComputedTag::VirtualNetwork.name().parse().expect("computed tags have valid names");
    let rules = site.policy.inbound.iter().filter(|layer| is_nsg(layer)).flat_map(|layer| &layer.rules);
    let meanings = rules.filter(|rule| rule.source_field.names_tag(&tag)).map(|rule| rule.source.must());
    let is_wide = |meaning: &AddressSet| {
        Family::ALL.into_iter().any(|family| half(foreign, family).difference(meaning).is_empty())
    };
    let Some(meaning) = meanings.into_iter().find(|meaning| is_wide(meaning)) else { return Ok(None) };
    let source = foreign.intersection(meaning);
    let query = Query { source, destination: site.own.clone(), ..Query::default() };
    let asked = Asked { site, direction: Direction::Inbound, query, now: asking.now, limits: asking.limits };
    let let_in = asked.ask()?.into_iter().find(|reached| {
        let by = reached.rule().map(|(layer, rule)| &site.policy.inbound[layer].rules[rule]);
        reached.side.verdict == Verdict::Allow && by.is_some_and(|rule| rule.source_field.names_tag(&tag))
    });
    let mut subject = site.subject(None);
    let (region, witness, lets) = match let_in {
        Some(reached) => {
            subject = asked.subject(&reached, &reached.region);
            let lets = format!("; {} lets them in", named(&subject));
            (site.names().words(&reached.region), Some(reached.example), lets)
        }
        None => (Vec::new(), None, String::new()),
    };
    let message = format!("a route makes VirtualNetwork mean every public address{lets}");
    let (check, severity) = (&WIDENED, WIDENED.severity);
    Ok(Some(Finding { check, severity, subject, message, region, witness, covered_by: Vec::new() }))
}

/// Health probes that no list lets in on any TCP port.
fn probes(asking: &Asking<'_>, site: &Site<'_>) -> Result<Option<Finding>, AnalysisError> {
    let host = ComputedTag::AzureLoadBalancer.fixed_addresses().expect("health probes come from one address");
    let query = Query {
        protocol: ProtocolMatch::Number(Protocol::TCP),
        source: half(&host, Family::V4),
        destination: half(&site.own, Family::V4),
        ..Query::default()
    };
    let asked = Asked { site, direction: Direction::Inbound, query, now: asking.now, limits: asking.limits };
    let reached = asked.ask()?;
    if reached.is_empty() || reached.iter().any(|reached| reached.side.verdict != Verdict::Deny) {
        return Ok(None);
    }
    let Some(by_user) = reached.iter().find(|reached| {
        reached.rule().is_some_and(|(layer, rule)| is_user_rule(&site.policy.inbound[layer].rules[rule]))
    }) else {
        return Ok(None);
    };
    let (layer, rule) = by_user.rule().expect("it was found by its rule");
    let is_named = !site.policy.inbound[layer].rules[rule].source.may().is_full();
    let subject = asked.subject(by_user, &by_user.region);
    let message = format!(
        "{} denies the health probes of load balancers on every TCP port (no matter if none stands before these machines)",
        named(&subject)
    );
    Ok(Some(Finding {
        check: &PROBES,
        severity: if is_named { PROBES.severity } else { Severity::Note },
        subject,
        message,
        region: site.names().words(&by_user.region),
        witness: Some(by_user.example),
        covered_by: Vec::new(),
    }))
}

/// What there is to say of tags, once of each rule.
fn of_tags(asking: &Asking<'_>) -> Vec<Finding> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for site in &asking.sites {
        for direction in Direction::ALL {
            for layer in site.policy.layers(direction).iter().filter(|layer| is_nsg(layer)) {
                let new =
                    layer.rules.iter().filter(|rule| seen.insert((layer.source.clone(), rule.path.clone())));
                found.extend(new.filter_map(|rule| of_tag(site, layer, rule, direction)));
            }
        }
    }
    found
}

/// Tags that do nothing, and those by which alone the platform's own traffic is reached.
fn of_tag(
    site: &Site<'_>,
    layer: &EffectiveLayer,
    rule: &EffectiveRule,
    direction: Direction,
) -> Option<Finding> {
    let fields = [&rule.source_field, &rule.destination_field];
    let names =
        |name: &str| name.parse().is_ok_and(|tag: TagName| fields.iter().any(|field| field.names_tag(&tag)));
    let idle = IDLE.into_iter().find(|tag| names(tag));
    let platform =
        [ComputedTag::AzurePlatformDns, ComputedTag::AzurePlatformImds, ComputedTag::AzurePlatformLkm];
    let platform = platform.into_iter().map(ComputedTag::name).find(|tag| names(tag));
    let (check, message): (&'static Check, String) = match (idle, platform) {
        (Some(tag), _) => (&TAG_IDLE, format!("{} names {tag}, which does nothing in an NSG", rule.name)),
        (None, Some(tag))
            if rule.access.known() == Some(Access::Deny) && direction == Direction::Outbound =>
        {
            (&PLATFORM, format!("{} denies {tag}, which other rules do not reach", rule.name))
        }
        _ => return None,
    };
    let nsg = layer.source.clone();
    let subject =
        Subject { nsg, rule: Some(rule.path.clone()), direction: Some(direction), ..Subject::default() };
    let (severity, region) = (check.severity, matched(rule, site.names()));
    Some(Finding { check, severity, subject, message, region, witness: None, covered_by: Vec::new() })
}

//! What public addresses reach, and what machines reach in the Internet: through all lists of an interface together.
//!
//! One walk of the lists answers for all services. A source is public if it is in the `Internet` tag and in no virtual network
//! of the estate; health probes come from the platform and are none.

use palisade_classify::Verdict;
use palisade_model::{ComputedTag, Estate};
use palisade_net::{AddressSet, Direction, PortSet, Protocol, ProtocolMatch};

use super::{
    Asking, Check, Finding, Findings, Open, Severity,
    chain::{self, Asked},
    checks::{ALL_PORTS, EGRESS, INGRESS, UDP},
    services::{SERVICES, Service},
    sites::Site,
    tell::{self, Amount, amount},
};
use crate::{AnalysisError, Query, Reached, Region};

/// Sources up to so many IPv4 addresses, or IPv6 networks, are a site or a customer, and not the public.
const FEW: u64 = 1 << 8;
/// From so many on, a source is the Internet at large: a sixteenth of IPv4.
const LARGE_V4: u64 = 1 << 28;
/// The same of IPv6, in networks of 64 bits: all of a region's allocations.
const LARGE_V6: u128 = 1 << 40;

/// Addresses of the Internet.
pub(super) fn public() -> AddressSet {
    let internet = ComputedTag::Internet.fixed_addresses().expect("Internet is the same everywhere");
    let host = ComputedTag::AzureLoadBalancer.fixed_addresses().expect("so are health probes");
    internet.difference(&host)
}

/// Addresses of the Internet that are of no network of the estate.
pub(super) fn foreign(estate: &Estate) -> AddressSet {
    let networks = estate.virtual_networks().map(|network| network.addresses().must());
    networks.fold(public(), |rest, network| rest.difference(network))
}

/// Asks every place in both directions. An interface that no NSG governs has a finding of its own.
pub(super) fn check(asking: &Asking<'_>, found: &mut Findings) -> Result<(), AnalysisError> {
    let foreign = foreign(asking.estate);
    for site in asking.sites.iter().filter(|site| site.is_guarded()) {
        let entries = inbound(asking, site, &foreign, &mut found.open);
        found.take(site.place(), entries)?;
        found.take(site.place(), outbound(asking, site, &foreign))?;
    }
    Ok(())
}

/// What public addresses reach at a place, and what of it cannot be told.
fn inbound(
    asking: &Asking<'_>,
    site: &Site<'_>,
    foreign: &AddressSet,
    open: &mut Vec<Open>,
) -> Result<Vec<Finding>, AnalysisError> {
    let query = Query { source: foreign.clone(), destination: site.own.clone(), ..Query::default() };
    let asked = Asked { site, direction: Direction::Inbound, query, now: asking.now, limits: asking.limits };
    let mut found = Vec::new();
    let mut unknown = Vec::new();
    for reached in asked.ask()? {
        match reached.side.verdict {
            Verdict::Allow => found.extend(Entry { asked: &asked, reached: &reached }.findings()?),
            Verdict::Unknown => unknown.push(reached.region),
            Verdict::Deny => {}
        }
    }
    let services = SERVICES.iter().filter(|service| unknown.iter().any(|region| touches(service, region)));
    let names: Vec<&str> = services.map(|service| service.name).collect();
    if !names.is_empty() {
        let message = match names.len() == SERVICES.len() {
            true => "it is not known what public addresses reach".to_owned(),
            false => format!("it is not known whether public addresses reach {}", names.join(", ")),
        };
        open.push(Open { place: site.place().clone(), message });
    }
    Ok(found)
}

fn touches(service: &Service, region: &Region) -> bool {
    let of = |protocol| chain::sources(region, protocol, &service.ports(protocol));
    [Protocol::TCP, Protocol::UDP].into_iter().any(|protocol| !of(protocol).is_empty())
}

/// What one thing lets in.
struct Entry<'q, 's, 'e> {
    asked: &'q Asked<'s, 'e>,
    reached: &'q Reached,
}

impl Entry<'_, '_, '_> {
    /// Where every port is open, services that only hold data are not told apart.
    fn findings(&self) -> Result<Vec<Finding>, AnalysisError> {
        let open = self.all_ports()?;
        let is_told = |service: &&Service| service.is_management || open.is_none();
        let services = SERVICES.iter().filter(is_told).map(|service| self.service(service));
        let services: Vec<Option<Finding>> = services.collect::<Result<_, _>>()?;
        let found: Vec<Finding> = services.into_iter().chain([open.clone(), self.udp()?]).flatten().collect();
        if found.is_empty() { Ok(vec![self.any()]) } else { Ok(found) }
    }

    /// Every port of TCP, from the same sources.
    fn all_ports(&self) -> Result<Option<Finding>, AnalysisError> {
        let sources = chain::sources_of_all_ports(&self.reached.region, Protocol::TCP);
        let message = |from: &str| format!("{from} reach every TCP port");
        self.finding(&ALL_PORTS, &sources, (Protocol::TCP, &PortSet::full()), &message)
    }

    fn service(&self, service: &'static Service) -> Result<Option<Finding>, AnalysisError> {
        for protocol in [Protocol::TCP, Protocol::UDP] {
            let ports = service.ports(protocol);
            let sources = chain::sources(&self.reached.region, protocol, &ports);
            let open = chain::ports(&self.reached.region, protocol, &ports);
            let message =
                |from: &str| format!("{from} reach {} ({protocol} {})", service.name, tell::ports(&open));
            if let Some(found) = self.finding(&service.check, &sources, (protocol, &ports), &message)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// UDP ports, whatever listens there.
    fn udp(&self) -> Result<Option<Finding>, AnalysisError> {
        let full = PortSet::full();
        let sources = chain::sources(&self.reached.region, Protocol::UDP, &full);
        let open = chain::ports(&self.reached.region, Protocol::UDP, &full);
        let message = |from: &str| match open.is_full() {
            true => format!("{from} reach every UDP port"),
            false => format!("{from} reach UDP ports {}", tell::ports(&open)),
        };
        self.finding(&UDP, &sources, (Protocol::UDP, &full), &message)
    }

    /// What is let in that no other check is about.
    fn any(&self) -> Finding {
        let blocks = self.reached.region.blocks.iter();
        let sources = blocks.fold(AddressSet::empty(), |all, block| all.union(&block.sources));
        let subject = self.asked.subject(self.reached, &self.reached.region);
        Finding {
            check: &INGRESS,
            severity: INGRESS.severity,
            message: format!("{} are let in by {}", who(&sources), tell::named(&subject)),
            subject,
            region: self.asked.site.names().words(&self.reached.region),
            witness: Some(self.reached.example),
            covered_by: Vec::new(),
        }
    }

    /// The finding that `sources` reach ports, if there are any, with a packet that the oracle lets pass.
    fn finding(
        &self,
        check: &'static Check,
        sources: &AddressSet,
        (protocol, ports): (Protocol, &PortSet),
        message: &dyn Fn(&str) -> String,
    ) -> Result<Option<Finding>, AnalysisError> {
        let part = chain::restricted(&self.reached.region, sources, protocol, ports);
        let Some(witness) = self.asked.witness(&part, self.reached)? else { return Ok(None) };
        let subject = self.asked.subject(self.reached, &part);
        let assigned = self.asked.depends_on_assignment(&part);
        let hedge = if assigned { ", if the deployment assigns such an address" } else { "" };
        let by = tell::named(&subject);
        let told = format!("{} by {by}{hedge}", message(&who(sources)));
        Ok(Some(Finding {
            check,
            severity: check.severity.min(severity_of(sources)),
            subject,
            message: told,
            region: self.asked.site.names().words(&part),
            witness: Some(witness),
            covered_by: Vec::new(),
        }))
    }
}

/// Sources by their number.
fn who(sources: &AddressSet) -> String {
    let Amount { v4, v6 } = Amount::of(sources);
    if is_large(v4, v6) {
        format!("public addresses at large ({})", amount(sources))
    } else {
        format!("{} of the Internet", amount(sources))
    }
}

const fn is_large(v4: u64, v6: u128) -> bool {
    v4 >= LARGE_V4 || v6 >= LARGE_V6
}

/// How much it matters that such sources are let in.
fn severity_of(sources: &AddressSet) -> Severity {
    match Amount::of(sources) {
        Amount { v4, v6 } if is_large(v4, v6) => Severity::Error,
        Amount { v4, v6 } if v4 > FEW || v6 > u128::from(FEW) => Severity::Warning,
        _ => Severity::Note,
    }
}

/// Whether a place may open connections to every port of the Internet at large. A rule that somebody wrote for it matters more
/// than the default.
fn outbound(
    asking: &Asking<'_>,
    site: &Site<'_>,
    foreign: &AddressSet,
) -> Result<Vec<Finding>, AnalysisError> {
    let protocol = ProtocolMatch::Number(Protocol::TCP);
    let query =
        Query { protocol, source: site.own.clone(), destination: foreign.clone(), ..Query::default() };
    let asked = Asked { site, direction: Direction::Outbound, query, now: asking.now, limits: asking.limits };
    let mut found = Vec::new();
    for reached in asked.ask()?.iter().filter(|reached| reached.side.verdict == Verdict::Allow) {
        let destinations = chain::destinations_of_all_ports(&reached.region, Protocol::TCP);
        let Amount { v4, v6 } = Amount::of(&destinations);
        if !is_large(v4, v6) {
            continue;
        }
        let subject = asked.subject(reached, &reached.region);
        let is_user = subject.rule.as_ref().is_some_and(|rule| rule.starts_with("securityRules/"));
        found.push(Finding {
            check: &EGRESS,
            severity: if is_user { Severity::Warning } else { EGRESS.severity },
            message: format!(
                "every TCP port of {} is open by {}",
                amount(&destinations),
                tell::named(&subject)
            ),
            subject,
            region: site.names().words(&reached.region),
            witness: Some(reached.example),
            covered_by: Vec::new(),
        });
    }
    Ok(found)
}

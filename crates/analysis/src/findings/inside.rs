//! What machines of one network may do to each other.
//!
//! A connection is made if the sender's lists let it out and the receiver's let it in; both are asked, each alone.

use std::collections::BTreeMap;

use palisade_classify::Verdict;
use palisade_model::{ResourceId, Subnet};
use palisade_net::{AddressSet, Direction, Flow, PortSet, Protocol, ProtocolMatch};

use super::{
    Asking, Finding, Findings, Subject,
    chain::{self, Asked},
    checks::{LATERAL, SUBNET_OPEN},
    sites::{Site, own},
    tell,
};
use crate::{AnalysisError, Query, Words};

/// TCP ports by which machines are managed: SSH, Windows RPC, SMB, RDP, WinRM.
const MANAGEMENT: [u16; 6] = [22, 135, 445, 3389, 5985, 5986];

/// Asks every place what it may manage, and every subnet whether its machines are apart.
pub(super) fn check(asking: &Asking<'_>, found: &mut Findings) -> Result<(), AnalysisError> {
    let mut subnets: BTreeMap<&ResourceId, (&Subnet, Vec<&Site<'_>>)> = BTreeMap::new();
    for site in asking.sites.iter().filter(|site| site.is_guarded()) {
        found.take(site.place(), lateral(asking, site))?;
        for (_, subnet) in &site.subnets {
            subnets.entry(subnet.id()).or_insert_with(|| (subnet, Vec::new())).1.push(site);
        }
    }
    for (id, (subnet, sites)) in subnets {
        let open = Inside { asking, subnet, sites }.finding();
        found.take(id, open.map(|open| open.into_iter().collect()))?;
    }
    Ok(())
}

/// Management connections that a place may open to its network.
fn lateral(asking: &Asking<'_>, site: &Site<'_>) -> Result<Vec<Finding>, AnalysisError> {
    let networks = site.subnets.iter().map(|(network, _)| network.addresses().must());
    let destination = networks.fold(AddressSet::empty(), |all, network| all.union(network));
    if destination.is_empty() {
        return Ok(Vec::new());
    }
    let ports: PortSet = MANAGEMENT.iter().map(|port| (*port, *port)).collect();
    let query = Query {
        protocol: ProtocolMatch::Number(Protocol::TCP),
        source: site.own.clone(),
        destination,
        destination_ports: ports.clone(),
        ..Query::default()
    };
    let asked = Asked { site, direction: Direction::Outbound, query, now: asking.now, limits: asking.limits };
    let reached = asked.ask()?;
    let open = reached.iter().filter(|reached| reached.side.verdict == Verdict::Allow);
    let finding = open.map(|reached| {
        let open = chain::ports(&reached.region, Protocol::TCP, &ports);
        let subject = asked.subject(reached, &reached.region);
        Finding {
            check: &LATERAL,
            severity: LATERAL.severity,
            message: format!(
                "machines may open connections to TCP {} of their network by {}",
                tell::ports(&open),
                tell::named(&subject)
            ),
            subject,
            region: site.names().words(&reached.region),
            witness: Some(reached.example),
            covered_by: Vec::new(),
        }
    });
    Ok(finding.collect())
}

/// A subnet and the places of its machines.
struct Inside<'q, 'e> {
    asking: &'q Asking<'e>,
    subnet: &'q Subnet,
    sites: Vec<&'q Site<'e>>,
}

/// What one place lets out to its subnet, or in from it, on every TCP port.
struct Open {
    addresses: AddressSet,
    example: Option<(Subject, Flow, Vec<Words>)>,
}

impl Inside<'_, '_> {
    /// Whether machines reach each other on every TCP port, and which.
    fn finding(&self) -> Result<Option<Finding>, AnalysisError> {
        let space = self.subnet.addresses().must();
        if space.is_empty() {
            return Ok(None);
        }
        let out = self
            .sites
            .iter()
            .map(|site| self.open(site, Direction::Outbound))
            .collect::<Result<Vec<_>, _>>()?;
        let mut into = self
            .sites
            .iter()
            .map(|site| self.open(site, Direction::Inbound))
            .collect::<Result<Vec<_>, _>>()?;
        let (mut open, mut shut, mut receiver) = (Vec::new(), 0, None);
        for (from, sender) in self.sites.iter().enumerate() {
            for (to, receives) in self.sites.iter().enumerate() {
                let is_sent = out[from].addresses.intersects(&self.here(receives));
                let is_taken = into[to].addresses.intersects(&self.here(sender));
                match is_sent && is_taken {
                    true => {
                        open.push((sender.place().name(), receives.place().name()));
                        receiver.get_or_insert(to);
                    }
                    false => shut += 1,
                }
            }
        }
        let Some(receiver) = receiver else { return Ok(None) };
        let Some((subject, witness, region)) = into[receiver].example.take() else { return Ok(None) };
        let which = match (shut, open.first()) {
            (0, _) | (_, None) => "machines".to_owned(),
            (_, Some((from, to))) => format!("some machines ({from} and {to} for one)"),
        };
        let message = format!("{which} of {} reach each other on every TCP port", self.subnet.name());
        let subject = Subject { subnet: Some(self.subnet.id().clone()), nics: Vec::new(), ..subject };
        let severity = SUBNET_OPEN.severity;
        let witness = Some(witness);
        Ok(Some(Finding {
            check: &SUBNET_OPEN,
            severity,
            subject,
            message,
            region,
            witness,
            covered_by: Vec::new(),
        }))
    }

    /// Addresses of a place's machines in the subnet, or that they may get.
    fn here(&self, site: &Site<'_>) -> AddressSet {
        let owns = site.nics.iter().map(|nic| own(self.asking.estate, nic));
        let all = owns.reduce(|all, set| all.union(&set)).unwrap_or_else(|| site.own.clone());
        all.intersection(self.subnet.addresses().must())
    }

    fn open(&self, site: &Site<'_>, direction: Direction) -> Result<Open, AnalysisError> {
        let (here, all) = (self.here(site), self.subnet.addresses().must().clone());
        let (source, destination) = match direction {
            Direction::Inbound => (all, here),
            Direction::Outbound => (here, all),
        };
        let protocol = ProtocolMatch::Number(Protocol::TCP);
        let query = Query { protocol, source, destination, ..Query::default() };
        let asked = Asked { site, direction, query, now: self.asking.now, limits: self.asking.limits };
        let mut open = Open { addresses: AddressSet::empty(), example: None };
        for reached in asked.ask()?.iter().filter(|reached| reached.side.verdict == Verdict::Allow) {
            let addresses = match direction {
                Direction::Inbound => chain::sources_of_all_ports(&reached.region, Protocol::TCP),
                Direction::Outbound => chain::destinations_of_all_ports(&reached.region, Protocol::TCP),
            };
            if !addresses.is_empty() && open.example.is_none() {
                let subject = asked.subject(reached, &reached.region);
                open.example = Some((subject, reached.example, site.names().words(&reached.region)));
            }
            open.addresses = open.addresses.union(&addresses);
        }
        Ok(open)
    }
}

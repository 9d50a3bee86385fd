//! Puts cells to the oracle: one packet of what a cell claims, asked at both ends.
//!
//! It must not know how a cell was found. An address that the deployment assigns is tried at every place where it may be; the
//! oracle cannot see there that it is in the groups of its interface, so it may know less than the cell, but must not
//! contradict it.

use std::{collections::HashMap, net::IpAddr};

use palisade_classify::{Verdict, oracle};
use palisade_model::{EffectivePolicy, Estate, ResourceId};
use palisade_net::{Direction, Flow, Protocol};

use super::{
    cells::{Matrix, ServiceSet},
    ends::Node,
};
use crate::{AnalysisError, check::refuted};

/// What a cell says of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It passes, from and to every address.
    Allowed,
    /// It passes from or to some address of a peer outside.
    Partly,
    /// It passes or not: the estate does not tell.
    Unknown,
    /// It does not pass.
    Denied,
}

/// Asks the oracle at interfaces of an estate.
#[derive(Debug)]
pub struct Judge<'e> {
    estate: &'e Estate,
    now: u32,
    policies: HashMap<ResourceId, EffectivePolicy>,
}

impl<'e> Judge<'e> {
    /// One for an estate at `now`, in seconds since 1970.
    pub fn new(estate: &'e Estate, now: u32) -> Self {
        Self { estate, now, policies: HashMap::new() }
    }

    /// A packet of some services from one end to another, as its sender sees it, of which the oracle says what the cell does;
    /// `None` if the services are none.
    ///
    /// # Errors
    /// [`AnalysisError::Refuted`].
    pub fn example(
        &mut self,
        matrix: &Matrix<'_>,
        (from, to): (usize, usize),
        outcome: Outcome,
        services: &ServiceSet,
    ) -> Result<Option<Flow>, AnalysisError> {
        let nodes = matrix.plan().nodes();
        let (from, to) = (&nodes[from], &nodes[to]);
        let Some(service) = Service::best(matrix, services) else { return Ok(None) };
        let is_exact = [from, to].iter().all(|node| node.is_outside() || node.places.len() == 1);
        let is_known =
            [from, to].iter().all(|node| node.members.iter().all(|member| member.address.is_some()));
        let mut other = None;
        for ((_, source), (_, destination)) in
            from.places.iter().flat_map(|sender| to.places.iter().map(move |receiver| (sender, receiver)))
        {
            let flow = service.flow(Direction::Outbound, *source, *destination);
            let verdict = self.both(from, to, service, (*source, *destination));
            let agrees = match (outcome, verdict) {
                (Outcome::Allowed | Outcome::Partly, Verdict::Allow) => true,
                (Outcome::Denied, Verdict::Deny) | (Outcome::Unknown, Verdict::Unknown) => true,
                (Outcome::Allowed, Verdict::Deny) | (Outcome::Denied, Verdict::Allow) => {
                    return Err(refuted(&format!("{} to {} is {outcome:?}", from.name, to.name), &flow));
                }
                _ => false,
            };
            if agrees {
                return Ok(Some(flow));
            }
            other.get_or_insert(flow);
        }
        match other {
            Some(flow) if is_exact && is_known => {
                Err(refuted(&format!("{} to {} is {outcome:?}", from.name, to.name), &flow))
            }
            other => Ok(other),
        }
    }

    /// What both ends say.
    fn both(&mut self, from: &Node, to: &Node, service: Service, ends: (IpAddr, IpAddr)) -> Verdict {
        let out = self.one(from, &service.flow(Direction::Outbound, ends.0, ends.1));
        let into = self.one(to, &service.flow(Direction::Inbound, ends.0, ends.1));
        match (out, into) {
            (Verdict::Deny, _) | (_, Verdict::Deny) => Verdict::Deny,
            (Verdict::Allow, Verdict::Allow) => Verdict::Allow,
            _ => Verdict::Unknown,
        }
    }

    fn one(&mut self, node: &Node, flow: &Flow) -> Verdict {
        let Some(member) = node.members.first() else { return Verdict::Allow };
        let policy = self.policies.entry(member.nic.clone()).or_insert_with(|| {
            let nic = self.estate.nics().find(|nic| *nic.id() == member.nic);
            self.estate.effective(nic.expect("members are interfaces of the estate"))
        });
        oracle::decide_by_rules(policy, flow, self.now).verdict
    }
}

/// One service of a set.
#[derive(Debug, Clone, Copy)]
struct Service {
    protocol: Protocol,
    port: u16,
    source_port: u16,
}

impl Service {
    /// That which people best understand.
    fn best(matrix: &Matrix<'_>, services: &ServiceSet) -> Option<Self> {
        let all = &matrix.plan().services;
        let atoms = all.atoms.iter().enumerate();
        let inside = atoms.filter(|(number, _)| services.words()[number / 64] >> (number % 64) & 1 == 1);
        let cells = inside.flat_map(|(_, atom)| atom.cells.iter().map(move |cell| (atom.kind, *cell)));
        let rank = |(kind, cell): &(usize, [usize; 3])| -> (usize, usize) {
            let fields = &all.kinds[*kind].1;
            (*kind, fields.iter().zip(cell).map(|(field, atom)| field.rank(*atom)).sum())
        };
        let (kind, cell) = cells.min_by_key(rank)?;
        let fields = &all.kinds[kind].1;
        let value = |field: usize| fields[field].representative(cell[field]);
        let port = |field| u16::try_from(value(field)).expect("a port field has 16 bits");
        let protocol = u8::try_from(value(0)).expect("protocols are numbers to 255");
        Some(Self { protocol: Protocol(protocol), port: port(1), source_port: port(2) })
    }

    fn flow(self, direction: Direction, source: IpAddr, destination: IpAddr) -> Flow {
        let (from, to) = ((source, self.source_port), (destination, self.port));
        Flow::new(direction, self.protocol, from, to).expect("both addresses are of the matrix's family")
    }
}

//! The connections that an alert is about: how many, and of whom; and who is to blame for what to whom.
//!
//! Detectors keep fingerprints and counts; whoever has the connections themselves gathers them here. It must not judge.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv6Addr},
};

use crate::{Alert, Connection, Kind, Shape};

/// The connections of one alert.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// How many.
    pub flows: u64,
    /// Who began them.
    pub sources: BTreeSet<IpAddr>,
    /// Whom they are to.
    pub destinations: BTreeSet<IpAddr>,
}

impl About {
    /// Those of some connections that an alert is about.
    pub fn of<'a>(alert: &Alert, connections: impl IntoIterator<Item = &'a Connection>) -> Self {
        let mut about = Self::default();
        for connection in connections.into_iter().filter(|connection| alert.concerns(connection)) {
            about.flows += 1;
            about.sources.insert(connection.flow.source().to_canonical());
            about.destinations.insert(connection.flow.destination().to_canonical());
        }
        about
    }
}

impl Alert {
    /// Whether it is of many sources at one machine or account.
    pub const fn is_many_to_one(&self) -> bool {
        matches!(self.kind, Kind::BruteForce(_, Shape::ManyToOne))
    }

    /// Who is to blame: an address; of a crowd the network that all are in, or else the machine or the account that they are at.
    pub fn subject(&self, about: &About) -> String {
        if let (None, Some(guest)) = (self.source, &self.guest) {
            return guest.name();
        }
        let crowd = if self.is_many_to_one() { network(&about.sources) } else { None };
        let one = match self.kind {
            Kind::Deviation => self.machine(),
            _ => self.source.or(self.destination),
        };
        crowd.or_else(|| one.map(|address| address.to_string())).unwrap_or_default()
    }

    /// The other ends.
    pub fn victims(&self, about: &About) -> BTreeSet<IpAddr> {
        match (self.kind, self.destination) {
            (Kind::Deviation, _) => BTreeSet::new(),
            (_, Some(destination)) => BTreeSet::from([destination]),
            (Kind::Exfiltration, None) => {
                let ends = about.sources.union(&about.destinations).copied();
                ends.filter(|end| Some(*end) != self.source).collect()
            }
            _ => about.destinations.clone(),
        }
    }
}

/// The /24 or /64 that all addresses are in, if there are several.
fn network(addresses: &BTreeSet<IpAddr>) -> Option<String> {
    let block = |address: IpAddr| match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(v6) => format!("{}/64", Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    };
    let (first, last) = (block(*addresses.first()?), block(*addresses.last()?));
    (addresses.len() > 1 && first == last).then_some(first)
}

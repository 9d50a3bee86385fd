//! Endpoints of the machines that are here: ports of frontend addresses that lead to theirs, in a table of nftables.
//!
//! The table has the instance's name, is replaced in one step and belongs to nobody else. The kernel keeps it when every process
//! of ours is dead. What is in it depends on what NICs are here and enforced: no endpoint leads to a machine before which no
//! policy stands. NSGs judge after the translation, at the machine's interface, with the sender's own address and the machine's
//! own port. It must not judge packets beyond an endpoint's list of sources. Shape and limits: `docs/endpoints.md`.

pub(crate) mod nft;
pub(crate) mod script;
#[cfg(test)]
mod tests;
pub(crate) mod tracked;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, SocketAddr};

use palisade_model::{Endpoint, Estate};
use palisade_net::{Family, Protocol};
use serde::{Deserialize, Serialize};

use crate::identity::NicId;
use crate::state::State;

/// An inbound NAT rule of the estate that leads to a NIC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompiledEndpoint {
    /// Resource id of the rule.
    pub id: String,
    /// The NIC.
    pub nic: NicId,
    /// What can be put in force, or why nothing can.
    pub endpoint: Result<Endpoint, String>,
}

/// An endpoint of a NIC that is here, as it is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointRecord {
    /// Resource id of the inbound NAT rule.
    pub id: String,
    /// The NIC.
    pub nic: NicId,
    /// From where to where, as far as it is known.
    #[serde(flatten)]
    pub mapping: Option<Mapping>,
    /// Whether it is in the kernel.
    pub in_force: bool,
    /// What stands against it, and what to do.
    pub why: Option<String>,
}

/// From where to where an endpoint leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mapping {
    /// The address that is reached.
    pub frontend: IpAddr,
    /// `Tcp`, `Udp` or `All`.
    pub protocol: String,
    /// The port that is reached.
    pub public_port: u16,
    /// The machine's address.
    pub address: IpAddr,
    /// The machine's port.
    pub private_port: u16,
    /// Who may use it, as prefixes; everybody if it is `None`.
    pub sources: Option<Vec<String>>,
}

impl From<&Endpoint> for Mapping {
    fn from(endpoint: &Endpoint) -> Self {
        let prefixes =
            |set: &palisade_net::AddressSet| set.prefixes().iter().map(ToString::to_string).collect();
        Self {
            frontend: endpoint.frontend,
            protocol: endpoint.protocol.name().to_owned(),
            public_port: endpoint.public_port,
            address: endpoint.address,
            private_port: endpoint.private_port,
            sources: endpoint.sources.as_ref().map(prefixes),
        }
    }
}

/// Where packets of one transport come, and where an endpoint leads them, whoever may use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Lead {
    /// Number of the transport.
    pub protocol: u8,
    /// The address and the port that are reached.
    pub frontend: SocketAddr,
    /// The machine's.
    pub machine: SocketAddr,
}

impl Lead {
    /// Those of an endpoint: one for each transport.
    pub(crate) fn of(endpoint: &Endpoint) -> impl Iterator<Item = Self> {
        let frontend = SocketAddr::new(endpoint.frontend, endpoint.public_port);
        let machine = SocketAddr::new(endpoint.address, endpoint.private_port);
        let transports = endpoint.protocol.transports().iter();
        transports.map(move |transport| Self { protocol: transport.0, frontend, machine })
    }
}

/// What the kernel was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Translation {
    /// Digest of the text that made the table.
    pub script: String,
    /// Digest of the table as the kernel then listed it; empty while nobody has looked.
    pub listing: String,
}

/// The endpoints of an estate.
pub(crate) fn of(estate: &Estate) -> Vec<CompiledEndpoint> {
    let rules = estate.inbound_nat_rules();
    let leading = rules.filter_map(|rule| {
        let (id, nic) = (rule.id().as_str().to_owned(), rule.nic()?.into());
        Some(CompiledEndpoint { id, nic, endpoint: rule.endpoint().cloned().map_err(str::to_owned) })
    });
    leading.collect()
}

/// The endpoints of NICs that are here; `state` says which those are. Those that are to be in force are said to be.
pub(crate) fn records(endpoints: &[CompiledEndpoint], state: &State) -> Vec<EndpointRecord> {
    let mut taken = Taken::default();
    let here = endpoints.iter().filter_map(|endpoint| Some((endpoint, state.nics.get(&endpoint.nic)?)));
    let told = here.map(|(CompiledEndpoint { id, nic, endpoint }, at)| {
        let why = match endpoint {
            Err(why) => Some(why.clone()),
            Ok(_) if state.unenforced.contains_key(&at.interface) => {
                Some(format!("nothing is enforced at {}, and without that it stays closed", at.interface))
            }
            Ok(endpoint) => {
                taken.take(id, endpoint).or_else(|| not_forwarding(Family::of(endpoint.frontend)))
            }
        };
        let mapping = endpoint.as_ref().ok().map(Mapping::from);
        EndpointRecord { id: id.clone(), nic: nic.clone(), mapping, in_force: why.is_none(), why }
    });
    told.collect()
}

/// The endpoints of records that are in force, or are to be.
pub(crate) fn wanted<'e>(endpoints: &'e [CompiledEndpoint], records: &[EndpointRecord]) -> Vec<&'e Endpoint> {
    let ids: BTreeSet<&str> =
        records.iter().filter(|record| record.in_force).map(|record| record.id.as_str()).collect();
    let wanted = endpoints.iter().filter(|endpoint| ids.contains(endpoint.id.as_str()));
    wanted.filter_map(|endpoint| endpoint.endpoint.as_ref().ok()).collect()
}

/// Ports of addresses, and the rules that have them. Load balancers of one address would stand in each other's way.
#[derive(Default)]
struct Taken<'e>(BTreeMap<(IpAddr, Protocol, u16), &'e str>);

impl<'e> Taken<'e> {
    /// Takes an endpoint's ports, or says who has one.
    fn take(&mut self, id: &'e str, endpoint: &Endpoint) -> Option<String> {
        let ports = endpoint.protocol.transports().iter();
        let ports: Vec<_> =
            ports.map(|transport| (endpoint.frontend, *transport, endpoint.public_port)).collect();
        if let Some(other) = ports.iter().find_map(|port| self.0.get(port)) {
            let (address, port) = (endpoint.frontend, endpoint.public_port);
            return Some(format!("{other} has port {port} of {address} already (give one of them another)"));
        }
        self.0.extend(ports.into_iter().map(|port| (port, id)));
        None
    }
}

/// Why what is translated would not be sent on, if the host does not forward.
fn not_forwarding(family: Family) -> Option<String> {
    let (path, setting) = match family {
        Family::V4 => ("/proc/sys/net/ipv4/ip_forward", "net.ipv4.ip_forward"),
        Family::V6 => ("/proc/sys/net/ipv6/conf/all/forwarding", "net.ipv6.conf.all.forwarding"),
    };
    let forwards = fs::read_to_string(path).is_ok_and(|value| value.trim() != "0");
    (!forwards).then(|| format!("this host forwards no packets (sysctl -w {setting}=1)"))
}

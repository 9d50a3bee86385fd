//! What every host of the lab offers.
//!
//! All hosts listen on all of these, so a closed door is always closed by policy and never by a missing server.

use palisade_net::{Family, Protocol};

/// How a service is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// A connection that brings back at least a byte.
    Tcp,
    /// A datagram that is answered.
    Udp,
    /// An echo request.
    Icmp,
}

impl Transport {
    /// Its IP protocol in a family.
    pub fn protocol(self, family: Family) -> Protocol {
        match self {
            Transport::Tcp => Protocol::TCP,
            Transport::Udp => Protocol::UDP,
            Transport::Icmp => Protocol::icmp_of(family),
        }
    }
}

/// What a server says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speech {
    /// Speaks first, then listens.
    Greets(&'static str),
    /// Answers a request with a page that says who asked.
    Http,
    /// Sends back what it receives.
    Echoes,
    /// The kernel answers.
    Kernel,
}

/// A service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service {
    /// Its short name, the heading of its column.
    pub name: &'static str,
    /// How it is spoken to.
    pub transport: Transport,
    /// Its port; ICMP has none.
    pub port: u16,
    pub(super) speech: Speech,
}

const fn tcp(name: &'static str, port: u16, speech: Speech) -> Service {
    Service { name, transport: Transport::Tcp, port, speech }
}

/// Every service, in the order of the columns.
pub const SERVICES: [Service; 9] = [
    Service { name: "ping", transport: Transport::Icmp, port: 0, speech: Speech::Kernel },
    tcp("ssh", 22, Speech::Greets("SSH-2.0-palisade_lab\r\n")),
    Service { name: "dns", transport: Transport::Udp, port: 53, speech: Speech::Echoes },
    tcp("http", 80, Speech::Http),
    tcp("https", 443, Speech::Http),
    tcp("mssql", 1433, Speech::Greets("mssql look-alike\r\n")),
    tcp("rdp", 3389, Speech::Greets("rdp look-alike\r\n")),
    tcp("pgsql", 5432, Speech::Greets("pgsql look-alike\r\n")),
    tcp("c2", 8443, Speech::Http),
];

impl Service {
    /// What policy compares with its destination ports: for ICMP that is the type, here that of an echo request.
    pub fn policy_port(&self, family: Family) -> u16 {
        match (self.transport, family) {
            (Transport::Icmp, Family::V4) => 8,
            (Transport::Icmp, Family::V6) => 128,
            (Transport::Tcp | Transport::Udp, _) => self.port,
        }
    }
}

/// The service of this name.
pub fn service(name: &str) -> Option<&'static Service> {
    SERVICES.iter().find(|service| service.name == name)
}

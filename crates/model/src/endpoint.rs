//! Endpoints: ports of frontend addresses that lead to ports of machines, as inbound NAT rules of load balancers say.
//!
//! A rule may be known in part: a template does not tell the address of a public IP, and `check` asks about its port all
//! the same. What can be put in force is an [`Endpoint`], of which everything is known; a rule that is none says why. It
//! must not decide who may reach a machine: NSGs do, after the translation.

use std::{fmt, net::IpAddr};

use palisade_net::{AddressSet, Protocol};

use crate::{ResourceId, Truth, spec::Given};

/// Ports that administer machines: SSH, RDP and WinRM. No endpoint leads there unless somebody says who may use it.
pub const MANAGEMENT_PORTS: [u16; 4] = [22, 3389, 5985, 5986];

/// The packets that an endpoint is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndpointProtocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// Both.
    All,
}

impl EndpointProtocol {
    /// All of them, as they are written.
    pub const NAMED: [(&str, Self); 3] = [("Tcp", Self::Tcp), ("Udp", Self::Udp), ("All", Self::All)];

    /// Azure's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "Tcp",
            Self::Udp => "Udp",
            Self::All => "All",
        }
    }

    /// The protocols that it stands for.
    pub const fn transports(self) -> &'static [Protocol] {
        match self {
            Self::Tcp => &[Protocol::TCP],
            Self::Udp => &[Protocol::UDP],
            Self::All => &[Protocol::TCP, Protocol::UDP],
        }
    }
}

impl fmt::Display for EndpointProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A port of an address that leads to a port of a machine; everything of it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The address that is reached.
    pub frontend: IpAddr,
    /// Of which packets.
    pub protocol: EndpointProtocol,
    /// The port that is reached.
    pub public_port: u16,
    /// The machine's own address, of the same family.
    pub address: IpAddr,
    /// The machine's own port.
    pub private_port: u16,
    /// Who may use it; `None` if everybody may.
    pub sources: Option<AddressSet>,
}

/// An inbound NAT rule of a load balancer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundNatRule {
    pub(crate) id: ResourceId,
    pub(crate) certain: bool,
    pub(crate) is_public: Truth,
    pub(crate) protocol: Given<EndpointProtocol>,
    pub(crate) public_port: Given<u16>,
    pub(crate) private_port: Given<u16>,
    pub(crate) sources: Option<Given<AddressSet>>,
    pub(crate) nic: Option<ResourceId>,
    pub(crate) endpoint: Result<Endpoint, String>,
}

impl InboundNatRule {
    /// Resource id.
    pub const fn id(&self) -> &ResourceId {
        &self.id
    }

    /// Whether it surely exists.
    pub const fn is_certain(&self) -> bool {
        self.certain
    }

    /// Whether its frontend is a public address.
    pub const fn is_public(&self) -> Truth {
        self.is_public
    }

    /// The packets that it is about.
    pub const fn protocol(&self) -> &Given<EndpointProtocol> {
        &self.protocol
    }

    /// The port of the frontend.
    pub const fn public_port(&self) -> &Given<u16> {
        &self.public_port
    }

    /// The port of the machine.
    pub const fn private_port(&self) -> &Given<u16> {
        &self.private_port
    }

    /// Who may use it; `None` if everybody may.
    pub const fn sources(&self) -> Option<&Given<AddressSet>> {
        self.sources.as_ref()
    }

    /// The interface that it leads to, if it is known.
    pub const fn nic(&self) -> Option<&ResourceId> {
        self.nic.as_ref()
    }

    /// What can be put in force of it.
    ///
    /// # Errors
    /// Why nothing can, as a phrase.
    pub fn endpoint(&self) -> Result<&Endpoint, &str> {
        self.endpoint.as_ref().map_err(String::as_str)
    }
}

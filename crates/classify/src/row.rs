//! A resolved rule: names are gone, only sets of addresses and ports are left.
//!
//! It must not know what an NSG, a tag or a virtual network is. The order of rows is their priority.

use palisade_abi::verdict::Action;
use palisade_model::Window;
use palisade_net::{AddressSet, Flow, PortSet, Protocol, ProtocolMatch};

/// One rule as a packet meets it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Row {
    /// Protocols.
    pub protocol: ProtocolMatch,
    /// Addresses that may send the first packet.
    pub sources: AddressSet,
    /// Ports it may come from.
    pub source_ports: PortSet,
    /// Addresses it may go to.
    pub destinations: AddressSet,
    /// Ports it may go to; types for ICMP.
    pub destination_ports: PortSet,
    /// What happens to it.
    pub action: Action,
    /// When the rule is in force.
    pub window: Window,
    /// Whether it is only counted: then the rows after it decide.
    pub audit: bool,
}

impl Row {
    /// A row that matches everything, always.
    pub fn any(action: Action) -> Self {
        Self {
            protocol: ProtocolMatch::Any,
            sources: AddressSet::full(),
            source_ports: PortSet::full(),
            destinations: AddressSet::full(),
            destination_ports: PortSet::full(),
            action,
            window: Window::ALWAYS,
            audit: false,
        }
    }

    /// Whether the rule is in force at `now` and matches the first packet of `flow`.
    pub fn matches(&self, flow: &Flow, now: u32) -> bool {
        self.window.contains(now)
            && self.protocol.matches(flow.protocol())
            && self.sources.contains(flow.source())
            && self.destinations.contains(flow.destination())
            && self.ports_match(flow.protocol(), flow.source_port(), flow.destination_port())
    }

    /// Whether the port fields match.
    ///
    /// A restricted port field matches TCP and UDP by port. A destination restriction matches ICMP by type, but only in
    /// a rule that names ICMP: `*` with port 80 is not about ICMP type 80. No restricted field matches a protocol that
    /// has no such field.
    fn ports_match(&self, protocol: Protocol, source: u16, destination: u16) -> bool {
        if protocol.has_ports() {
            return self.source_ports.contains(source) && self.destination_ports.contains(destination);
        }
        let by_type = protocol.is_icmp() && self.protocol != ProtocolMatch::Any;
        self.source_ports.is_full()
            && (self.destination_ports.is_full() || (by_type && self.destination_ports.contains(destination)))
    }
}

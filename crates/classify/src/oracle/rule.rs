//! Whether one rule matches one flow.

use palisade_model::{EffectiveRule, Maybe, Ports, Truth};
use palisade_net::{Flow, Protocol, ProtocolMatch};

/// Field by field, whether a rule matches a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Comparison {
    /// The protocol.
    pub protocol: Truth,
    /// Who sends.
    pub source: Truth,
    /// The port that it is sent from.
    pub source_port: Truth,
    /// Who receives.
    pub destination: Truth,
    /// The port that receives it, or the type.
    pub destination_port: Truth,
}

impl Comparison {
    /// How a rule's fields compare with a flow's.
    pub fn of(rule: &EffectiveRule, flow: &Flow) -> Self {
        let port =
            |ports, number, destination| port_matches(rule, ports, flow.protocol(), number, destination);
        Self {
            protocol: protocol_matches(rule, flow.protocol()),
            source: rule.source.contains(flow.source()),
            source_port: port(&rule.source_ports, flow.source_port(), false),
            destination: rule.destination.contains(flow.destination()),
            destination_port: port(&rule.destination_ports, flow.destination_port(), true),
        }
    }

    /// Whether every field matches.
    pub fn all(self) -> Truth {
        let ports = self.source_port.and(self.destination_port);
        self.protocol.and(self.source).and(self.destination).and(ports)
    }
}

/// Whether a rule is in force and matches a flow: every field must.
pub(crate) fn matches(rule: &EffectiveRule, flow: &Flow, now: u32) -> Truth {
    let exists = if rule.certain { Truth::Yes } else { Truth::Maybe };
    let in_force = if rule.window.contains(now) { Truth::Yes } else { Truth::No };
    let but_addresses = exists
        .and(in_force)
        .and(protocol_matches(rule, flow.protocol()))
        .and(port_matches(rule, &rule.source_ports, flow.protocol(), flow.source_port(), false))
        .and(port_matches(rule, &rule.destination_ports, flow.protocol(), flow.destination_port(), true));
    if but_addresses == Truth::No {
        // Addresses take by far the longest, and cannot matter any more.
        return Truth::No;
    }
    let but_source = but_addresses.and(rule.destination.contains(flow.destination()));
    if but_source == Truth::No { Truth::No } else { but_source.and(rule.source.contains(flow.source())) }
}

fn protocol_matches(rule: &EffectiveRule, protocol: Protocol) -> Truth {
    match rule.protocol {
        Maybe::Unknown => Truth::Maybe,
        Maybe::Known(field) if field.matches(protocol) => Truth::Yes,
        Maybe::Known(_) => Truth::No,
    }
}

/// A port field that is not `*` matches TCP and UDP by port; as a destination it matches ICMP by type in a rule that names
/// ICMP; and it matches nothing else (`docs/semantics.md`, Decisions).
fn port_matches(
    rule: &EffectiveRule,
    ports: &Ports,
    protocol: Protocol,
    port: u16,
    destination: bool,
) -> Truth {
    let names_icmp = destination && protocol.is_icmp() && rule.protocol != Maybe::Known(ProtocolMatch::Any);
    let set = match ports {
        Ports::Unknown => return Truth::Maybe,
        Ports::Known(set) => set,
    };
    match set.is_full() || ((protocol.has_ports() || names_icmp) && set.contains(port)) {
        true => Truth::Yes,
        false => Truth::No,
    }
}

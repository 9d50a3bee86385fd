//! Answers about packets, compared one packet at a time.

use palisade_analysis::{Block, Side};
use palisade_classify::{Decision, Hit};
use palisade_net::Flow;

/// An answer of the oracle.
pub fn side(decision: &Decision) -> Side {
    Side { verdict: decision.verdict, hit: decision.hit }
}

/// Whether a packet is in a block.
pub fn contains(block: &Block, flow: &Flow) -> bool {
    let port = |ports: &palisade_net::PortSet, port: u16| {
        let counts = flow.protocol().has_ports() || flow.protocol().is_icmp();
        ports.is_full() || (counts && ports.contains(port))
    };
    block.family == flow.family()
        && block.protocols.contains(&flow.protocol())
        && block.sources.contains(flow.source())
        && block.destinations.contains(flow.destination())
        && port(&block.source_ports, flow.source_port())
        && port(&block.destination_ports, flow.destination_port())
}

/// Whether two answers are the same. In place of an exemption the oracle may name a rule.
pub fn alike(found: Side, expected: Side) -> bool {
    let is_exempt = matches!(found.hit, Hit::Exempt { .. });
    found.verdict == expected.verdict && (is_exempt || found.hit == expected.hit)
}

//! What happens to a fragment that carries no ports: it passes if some packet between its addresses would.
//!
//! The truth by trial: every pair of ports at which rules begin or end to match is asked. Link control is left out, since it
//! is never fragmented.

use std::{collections::BTreeSet, net::IpAddr};

use palisade_model::{EffectivePolicy, Ports};
use palisade_net::{Direction, Flow, PortSet, Protocol};

use super::{Question, View};
use crate::Verdict;

/// Whether some pair of ports of `protocol` is allowed between these addresses at `now`: `Unknown` if that depends on
/// something that the estate does not tell, and for addresses of different families `Deny`.
pub fn decide_fragment(
    policy: &EffectivePolicy,
    direction: Direction,
    protocol: Protocol,
    source: IpAddr,
    destination: IpAddr,
    now: u32,
) -> Verdict {
    let mut worst = Verdict::Deny;
    let [from, to] = samples(policy, direction, protocol);
    for (source_port, destination_port) in from.iter().flat_map(|from| to.iter().map(move |to| (*from, *to)))
    {
        let flow = Flow::new(direction, protocol, (source, source_port), (destination, destination_port));
        let Some(flow) = flow else { return Verdict::Deny };
        let question = Question { policy, flow: &flow, now, view: View::InForce };
        let rules = |layer: usize| 0..policy.layers(direction)[layer].rules.len();
        match question.decide(rules).verdict {
            Verdict::Allow => return Verdict::Allow,
            Verdict::Unknown => worst = Verdict::Unknown,
            Verdict::Deny => {}
        }
    }
    worst
}

/// A port out of each interval in which no rule tells one from another, for the source and for the destination.
fn samples(policy: &EffectivePolicy, direction: Direction, protocol: Protocol) -> [BTreeSet<u16>; 2] {
    let mut samples = [BTreeSet::from([0]), BTreeSet::from([0])];
    let mut add = |side: usize, ports: &PortSet| {
        let edges = ports.ranges().iter().flat_map(|&(first, last)| [Some(first), last.checked_add(1)]);
        samples[side].extend(edges.flatten());
    };
    for rule in policy.layers(direction).iter().flat_map(|layer| &layer.rules) {
        for (side, ports) in [&rule.source_ports, &rule.destination_ports].into_iter().enumerate() {
            if let Ports::Known(ports) = ports {
                add(side, ports);
            }
        }
    }
    policy.services.iter().for_each(|(service, _)| add(1, &service.ports()));
    let last = |side: usize| match side {
        _ if protocol.has_ports() => u16::MAX,
        1 if protocol.is_icmp() => u8::MAX.into(),
        _ => 0,
    };
    for (side, samples) in samples.iter_mut().enumerate() {
        samples.retain(|port| *port <= last(side));
    }
    samples
}

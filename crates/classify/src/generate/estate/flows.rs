//! Flows of one interface: half on the edges of its rules, half between its own addresses and those that tags, platform
//! services and the link mean.

use std::net::IpAddr;

use palisade_model::EffectivePolicy;
use palisade_net::{Direction, Flow, Protocol};

use super::{super::flows as edge_flows, pool};
use crate::{Row, generate::Random, lower};

pub(super) fn aimed(policy: &EffectivePolicy, count: usize, random: &mut Random) -> Vec<Flow> {
    let mut flows = Vec::with_capacity(count);
    for direction in Direction::ALL {
        let rows: Vec<Row> =
            lower::layers(policy, direction).into_iter().flat_map(|layer| layer.rows).collect();
        let edges = edge_flows(&rows, count / 4, random.next());
        flows.extend(edges.iter().map(|flow| towards(flow, direction)));
    }
    flows.extend((flows.len()..count).map(|_| meaningful(random)));
    flows
}

fn towards(flow: &Flow, direction: Direction) -> Flow {
    let source = (flow.source(), flow.source_port());
    Flow::new(direction, flow.protocol(), source, (flow.destination(), flow.destination_port()))
        .expect("the addresses are those of a flow")
}

/// DHCP and discovery, which no rule governs.
fn of_link(random: &mut Random) -> Flow {
    let address = |text: &str| text.parse::<IpAddr>().expect("the pool holds addresses");
    let (protocol, local, remote) = *random.pick(&[
        (Protocol::UDP, ("0.0.0.0", 68), ("255.255.255.255", 67)),
        (Protocol::UDP, ("10.0.0.4", 68), ("168.63.129.16", 67)),
        (Protocol::UDP, ("fe80::4", 546), ("ff02::1:2", 547)),
        (Protocol::ICMPV6, ("fe80::4", 0), ("ff02::1:ff00:5", 135)),
        (Protocol::ICMPV6, ("fe80::4", 0), ("ff02::2", 133)),
    ]);
    Flow::new(Direction::Outbound, protocol, (address(local.0), local.1), (address(remote.0), remote.1))
        .expect("both are of one family")
}

fn meaningful(random: &mut Random) -> Flow {
    if random.chance(2) {
        return of_link(random);
    }
    let ipv6 = random.chance(35);
    let (local, remotes): (&str, &[&str]) =
        if ipv6 { ("fd00::4", &pool::REMOTE_V6) } else { ("10.0.0.4", &pool::REMOTE_V4) };
    let icmp = if ipv6 { Protocol::ICMPV6 } else { Protocol::ICMP };
    let protocol = *random.pick(&[
        Protocol::TCP,
        Protocol::TCP,
        Protocol::UDP,
        icmp,
        Protocol::ESP,
        Protocol::AH,
        Protocol(47),
    ]);
    let (mut near, mut far) = (*random.pick(&pool::FLOW_PORTS), *random.pick(&pool::FLOW_PORTS));
    let direction = *random.pick(&Direction::ALL);
    if !protocol.has_ports() {
        (near, far) = match (protocol.is_icmp(), direction) {
            (false, _) => (0, 0),
            (true, Direction::Inbound) => (near & 0xff, 0),
            (true, Direction::Outbound) => (0, far & 0xff),
        };
    }
    let address = |text: &str| text.parse::<IpAddr>().expect("the pool holds addresses");
    let remote = address(random.pick::<&str>(remotes));
    // Multicast and other link traffic comes from a link-local address.
    let local = if ipv6 && random.chance(10) { address("fe80::4") } else { address(local) };
    Flow::between(direction, protocol, (local, near), (remote, far)).expect("both are of one family")
}

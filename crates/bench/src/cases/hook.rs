//! What the kernel program alone takes for a packet, above an empty one at the same hook, by test runs.
//!
//! Both are driven with the same packets in turn, and the difference in processor time counts. It is compared with goals in
//! nanoseconds, not with others that the same disturbance hits, so the quieter rounds count. The flow tables are the
//! datapath's own; no interface has it.

mod lists;
mod table;
#[cfg(test)]
mod tests;

use std::os::fd::AsFd;

use palisade_abi::{flow::Direction as Way, verdict::Reason};
use palisade_classify::{Row, enforce::PolicyBlobs};
use palisade_datapath::Sizes;
use palisade_net::{
    Direction, Family, Flow, Protocol,
    packet::{Packet, TcpFlags, Transport},
};

use super::Run;
use crate::{
    error::{Context, Error, Result},
    kernel::{
        drive::{Driver, INTERFACE, empty},
        flows::Flows,
    },
    ours::Ours,
    policy::{CLOSED_PORT, lists},
    report::Case,
    rules::{SERVICE_PORT, clients, machine},
    stats::undisturbed,
    traffic::{NEW, connections, inward, outward},
};
use lists::List;

/// Packets of one flow, or of flows that are denied, in a round.
const PACKETS: u32 = 5_000;
/// New flows in a round: fewer than a NIC may have half-open.
const NEW_PACKETS: u32 = 8_192;
/// Flows that are denied: a few, so that what the verdict reads stays in the caches.
const DENIED: Flows = Flows { bits: 4, port_bits: 4, port: 32_768, address: 0 };

/// Measures everything at the hook.
pub(super) fn measure(run: &mut Run<'_>) -> Result<()> {
    let mut ours = Ours::open(Sizes { flows: 1 << 17, slots: 16 })?;
    run.tell("hook: established flows");
    established(run, &mut ours)?;
    let mut few = None;
    for list in List::all(run.options)? {
        run.tell(&format!("hook: {}", list.name));
        let cases = verdicts(run, &mut ours, &list)?;
        let reference = few.get_or_insert_with(|| cases.clone());
        run.add(list.judge(cases, reference));
    }
    drop(ours);
    run.tell("hook: 1,000,000 flows");
    table::measure(run)
}

/// A packet of one open connection, again and again.
fn established(run: &mut Run<'_>, ours: &mut Ours) -> Result<()> {
    let one = connections(0, 0);
    ours.publish(&[INTERFACE], &list(&lists::nsg(10))?)?;
    for (family, goal) in [(Family::V4, 45.0), (Family::V6, 60.0)] {
        ours.clear()?;
        let ack = TcpFlags::ACK;
        Pair::new(ours, &inward(family, one, TcpFlags::SYN), one)?.ours.run(1)?;
        let answer = outward(family, one, TcpFlags::SYN.with(ack));
        let program = ours.program(Way::Outbound);
        Driver::new(program, Way::Outbound, &answer, one).context(load)?.run(1)?;
        let data = Pair::new(ours, &inward(family, one, ack), one)?;
        let rounds = (run.rounds(300, 100), PACKETS);
        let cost = data.cost(ours, Reason::Established, rounds, |_| Ok(()))?;
        run.add([Case::new("hook/established", cost, "ns")
            .with("family", family.to_string())
            .with("connections", 1)
            .at_most(goal)]);
    }
    Ok(())
}

/// What a verdict costs, and what a new flow costs, with one kind of list.
fn verdicts(run: &Run<'_>, ours: &mut Ours, list: &List) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    ours.publish(&[INTERFACE], &self::list(&list.rows)?)?;
    for family in list.families() {
        let case = |name, cost: f64| {
            Case::new(name, cost, "ns").with("family", family.to_string()).with("list", list.name)
        };
        let denied = Pair::new(ours, &closed(family), DENIED)?;
        // What was denied is remembered, so the rules would be asked once.
        for (name, remember) in [("hook/verdict", false), ("hook/denied again", true)] {
            ours.remember_denials(remember);
            let rounds = (run.rounds(200, 60), PACKETS);
            let cost = denied.cost(ours, Reason::NetworkInterfaceDeny, rounds, |_| Ok(()))?;
            cases.push(case(name, cost));
        }
        let opening = Pair::new(ours, &inward(family, NEW, TcpFlags::SYN), NEW)?;
        let rounds = (run.rounds(40, 12), NEW_PACKETS);
        cases.push(case("hook/new", opening.cost(ours, Reason::Allowed, rounds, Ours::clear)?));
    }
    Ok(cases)
}

/// Rows as two lists that the measured packets meet none of.
fn list(rows: &[Row]) -> Result<PolicyBlobs> {
    let flows: Vec<Flow> = Family::ALL
        .into_iter()
        .flat_map(|family| [(family, SERVICE_PORT), (family, CLOSED_PORT)])
        .flat_map(|(family, port)| {
            let (local, remote) = ((machine(family), port), (clients(family).address(), NEW.port));
            let flow = move |protocol| Flow::between(Direction::Inbound, protocol, local, remote);
            [Protocol::TCP, Protocol::UDP].into_iter().filter_map(flow)
        })
        .collect();
    lists(rows, &flows)
}

/// A packet that the last rule but one denies.
fn closed(family: Family) -> Packet {
    let packet = inward(family, DENIED, TcpFlags::SYN);
    let transport =
        Transport::Tcp { source_port: DENIED.port, destination_port: CLOSED_PORT, flags: TcpFlags::SYN };
    Packet { transport, ..packet }
}

/// The datapath's program and an empty one, driven with the same packets to the machine.
#[derive(Debug)]
struct Pair {
    ours: Driver,
    empty: Driver,
}

impl Pair {
    fn new(ours: &mut Ours, packet: &Packet, flows: Flows) -> Result<Self> {
        let way = Way::Inbound;
        let empty = empty(way).context(load)?;
        Ok(Self {
            ours: Driver::new(ours.program(way), way, packet, flows).context(load)?,
            empty: Driver::new(empty.as_fd(), way, packet, flows).context(load)?,
        })
    }

    /// Nanoseconds a packet that the datapath's program takes longer; all of them must be judged as expected. `between` puts
    /// things back before a round.
    fn cost(
        &self,
        ours: &mut Ours,
        expected: Reason,
        (rounds, packets): (impl Iterator<Item = usize>, u32),
        mut between: impl FnMut(&mut Ours) -> Result<()>,
    ) -> Result<f64> {
        let (mut costs, mut sent) = (Vec::new(), 0);
        let before = ours.judged(expected)?;
        for _ in rounds {
            between(ours)?;
            let empty = self.empty.cost(packets)?;
            costs.push(self.ours.cost(packets)? - empty);
            sent += u64::from(packets);
        }
        let judged = ours.judged(expected)? - before;
        if judged != sent {
            return Err(Error::Unfit { reason: expected, sent, judged });
        }
        Ok(undisturbed(&costs))
    }
}

fn load() -> String {
    "load the programs that drive packets".to_owned()
}

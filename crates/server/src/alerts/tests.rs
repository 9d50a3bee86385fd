//! The order of several hosts, against detectors that are given the same connections sorted; and what is out of all order.

use palisade_control::fleet::HostName;
use palisade_guard::{Alert, Connection, Guard, Outcome, Stage};
use palisade_model::FlowTraffic;
use palisade_net::{Direction, Flow, Protocol};
use palisade_sync::{FlowBatch, FlowShape, flows::FlowLine};

use super::{
    order::{ORDER_MS, Order},
    stream::Stream,
};

const STREAM: [u8; 16] = [3; 16];
/// When the stories begin, and a server's time long after them.
const BEGIN_MS: u64 = 1_800_000_000_000;
const NOW_MS: u64 = BEGIN_MS + 86_400_000;

fn host(name: &str) -> HostName {
    name.parse().expect("a name")
}

fn shape(nic: &str) -> FlowShape {
    FlowShape {
        kind: "end".to_owned(),
        reason: "Allowed".to_owned(),
        state: "Established".to_owned(),
        direction: "Inbound".to_owned(),
        protocol: 6,
        slot: 1,
        nic: nic.to_owned(),
        nic_id: format!("/nics/{nic}"),
        ..FlowShape::default()
    }
}

/// A try at the password of the machine with this last byte, which ended at a time.
fn guess(machine: u8, source: u8, end_ms: u64) -> FlowLine {
    FlowLine {
        time_ms: end_ms,
        began_ms: Some(end_ms - 300),
        last_ms: None,
        source: ([203, 0, 113, source].into(), (end_ms % 60_000) as u16),
        destination: ([10, 0, 0, machine].into(), 3_389),
        tcp_flags: [0x1b; 2],
        packets: [9, 9],
        bytes: [2_000, 2_000],
    }
}

fn batch(nic: &str, lines: &[FlowLine]) -> FlowBatch {
    let mut batch = FlowBatch { stream: STREAM.to_vec(), sequence: 1, ..FlowBatch::default() };
    batch.shapes.push(shape(nic));
    lines.iter().for_each(|line| batch.push(0, line));
    batch
}

/// The same as the detectors should see it.
fn connection(line: &FlowLine) -> Connection {
    let flow = Flow::new(Direction::Inbound, Protocol::TCP, line.source, line.destination);
    let traffic = FlowTraffic {
        packets_to_destination: line.packets[0],
        bytes_to_destination: line.bytes[0],
        packets_to_source: line.packets[1],
        bytes_to_source: line.bytes[1],
    };
    Connection {
        start_ms: line.time_ms,
        end_ms: line.time_ms,
        flow: flow.expect("one family"),
        outcome: Outcome::Answered,
        traffic: Some(traffic),
        stage: Stage::Over,
    }
}

/// What detectors say of lines in the order of time.
fn expected(lines: &[FlowLine]) -> Vec<Alert> {
    let mut sorted: Vec<Connection> = lines.iter().map(connection).collect();
    sorted.sort_by_key(|connection| connection.end_ms);
    let (mut guard, mut alerts) = (Guard::default(), Vec::new());
    sorted.iter().for_each(|connection| guard.observe(connection, &mut alerts));
    alerts
}

#[test]
fn two_hosts_out_of_step_are_judged_as_one_stream() {
    // One source goes from machine to machine; the hosts' batches come in turns, the second's up to the bound behind.
    let (a, b) = (host("a"), host("b"));
    let line = |machine, number: u64, shift| guess(machine, 9, BEGIN_MS + number * 700 + shift);
    let firsts: Vec<FlowLine> = (0..14).map(|number| line(4, number, 0)).collect();
    let seconds: Vec<FlowLine> = (0..14).map(|number| line(5, number, 350)).collect();
    let mut stream = Stream::default();
    let mut found = Vec::new();
    for (one, other) in firsts.chunks(2).zip(seconds.chunks(2)) {
        found.extend(stream.take(&a, &batch("one", one), NOW_MS));
        found.extend(stream.take(&b, &batch("two", other), NOW_MS));
    }
    found.extend(stream.settle(&a));
    let alerts: Vec<Alert> = found.iter().map(|sighting| sighting.alert.clone()).collect();
    let all: Vec<FlowLine> = firsts.iter().chain(&seconds).copied().collect();
    assert_eq!(alerts, expected(&all));
    assert!(alerts.len() >= 2, "each machine is told of");
    assert_eq!((stream.tally().late, stream.tally().connections), (0, 28));
    for sighting in &found {
        let is_first = sighting.alert.destination == Some([10, 0, 0, 4].into());
        let (nic, host) = if is_first { ("/nics/one", &a) } else { ("/nics/two", &b) };
        assert_eq!((sighting.nic.as_deref(), &sighting.host), (Some(nic), host));
        assert_eq!(sighting.about.flows, 6);
    }
}

#[test]
fn order_is_that_of_ends_unless_one_is_late() {
    let mut order = Order::default();
    let mut numbers = 7_u64;
    let mut given: Vec<u64> = Vec::new();
    let mut late = 0;
    for step in 0..5_000_u64 {
        numbers = numbers.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let behind = (numbers >> 33) % ORDER_MS;
        let end_ms = BEGIN_MS + step * 10 - behind;
        order.note(BEGIN_MS + step * 10);
        late += usize::from(order.add((connection(&guess(4, 9, end_ms)), 0)).is_some());
        given.extend(std::iter::from_fn(|| order.next()).map(|(connection, _)| connection.end_ms));
    }
    given.extend(std::iter::from_fn(|| order.first()).map(|(connection, _)| connection.end_ms));
    assert!(given.is_sorted(), "what was given out has no later one before it");
    assert_eq!(
        (given.len(), late, order.late()),
        (5_000, 0, 0),
        "who is less behind than the bound is not late"
    );
    // One that is further behind goes at once.
    let very = (connection(&guess(4, 9, BEGIN_MS)), 0);
    assert_eq!(order.add(very), Some(very));
    assert_eq!(order.late(), 1);
}

#[test]
fn a_clock_that_is_ahead_does_not_make_others_late() {
    let mut stream = Stream::default();
    let lines: Vec<FlowLine> = (0..8).map(|number| guess(4, 9, BEGIN_MS + number * 1_000)).collect();
    let ahead = batch("two", &[guess(5, 1, BEGIN_MS + 3_600_000)]);
    assert_eq!(stream.take(&host("b"), &ahead, BEGIN_MS), []);
    let mut found = stream.take(&host("a"), &batch("one", &lines), BEGIN_MS);
    found.extend(stream.settle(&host("a")));
    assert_eq!(found.len(), 1);
    assert_eq!((stream.tally().ahead, stream.tally().late), (1, 0));
}

#[test]
fn a_flow_that_nobody_ends_is_ended() {
    let mut stream = Stream::default();
    let begin = FlowLine { began_ms: Some(BEGIN_MS), tcp_flags: [0x02, 0], ..guess(4, 9, BEGIN_MS) };
    let mut begun = batch("one", &[begin]);
    begun.shapes[0].kind = "begin".to_owned();
    stream.take(&host("a"), &begun, NOW_MS);
    assert_eq!(stream.tally().connections, 0);
    let later = guess(4, 8, BEGIN_MS + 2 * 3_600_000);
    stream.take(&host("a"), &batch("one", &[later]), NOW_MS);
    stream.settle(&host("a"));
    assert_eq!(stream.tally().connections, 2);
}

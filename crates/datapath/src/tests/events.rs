//! Events: what is told of flows and denials, who chooses it, and what becomes of what nobody reads.

use palisade_abi::{
    event::EventKind,
    flow::{Direction, FLOW_LATE_MAX, FlowState},
    verdict::Reason,
};

use super::rig::{LOOPBACK, Rig, SLOT, layer, tcp, udp, wait};
use crate::{Event, LayerPolicy, Limits, NicPolicy, Plane, Report, Sizes, TestPacket, Timeouts, Watch};

const VM: &str = "10.0.0.4:1000";
const PEER: &str = "192.0.2.1:53";
const OPEN: &[&str] = &["allow * * * *"];
const CLOSED: &[&str] = &["deny * * * *"];

fn told(rig: &mut Rig) -> Vec<Event> {
    let mut events = Vec::new();
    rig.datapath.drain_events(usize::MAX, &mut |event| events.push(event));
    events
}

fn kinds(events: &[Event]) -> Vec<(EventKind, Reason)> {
    events.iter().map(|event| (event.kind, event.reason)).collect()
}

#[test]
fn nothing_is_told_until_it_is_asked_for() {
    for mut rig in Rig::each_with_rules(CLOSED, OPEN) {
        rig.outbound(&udp(VM, PEER));
        rig.inbound(&udp(PEER, "10.0.0.4:1"));
        assert_eq!(told(&mut rig), []);
        rig.datapath.set_events(&[EventKind::Deny]);
        rig.outbound(&udp(VM, "192.0.2.1:54"));
        rig.inbound(&udp(PEER, "10.0.0.4:2"));
        assert_eq!(kinds(&told(&mut rig)), [(EventKind::Deny, Reason::SubnetDeny)]);
        assert_eq!(told(&mut rig), []);
    }
}

/// A frame that no flow could begin with has no addresses to tell, and is told all the same.
#[test]
fn frames_that_are_no_ip_packets_are_told() {
    for mut rig in Rig::each_with_rules(OPEN, OPEN) {
        rig.datapath.set_events(&[EventKind::Deny]);
        let mut frame = udp(VM, PEER).build().expect("the packet can be written");
        frame[12..14].copy_from_slice(&[0x88, 0xcc]);
        assert_eq!(rig.frame(Direction::Outbound, &frame), Reason::UnsupportedEtherType);
        let events = told(&mut rig);
        assert_eq!(kinds(&events), [(EventKind::Deny, Reason::UnsupportedEtherType)]);
        let flow = events[0].flow;
        assert_eq!((flow.slot, flow.local.0.is_unspecified(), flow.protocol), (SLOT, true, 0));
    }
}

#[test]
fn a_flow_is_told_from_begin_to_cut() {
    for mut rig in Rig::each() {
        rig.datapath.set_events(EventKind::ALL);
        let rules = |rules: &'static [&str]| {
            move |nic: &mut NicPolicy| nic.outbound[2] = Some(LayerPolicy { flush: true, ..layer(rules) })
        };
        let first = rig.publish_with(CLOSED, OPEN, rules(OPEN));
        rig.outbound(&udp(VM, PEER).with_payload([0; 10]));
        rig.inbound(&udp(PEER, VM));
        let second = rig.publish_with(CLOSED, OPEN, rules(CLOSED));
        rig.inbound(&udp(PEER, VM));
        let events = told(&mut rig);
        let [begin, cut] = events[..] else { panic!("two things happened: {events:?}") };
        assert_eq!((begin.kind, begin.reason, begin.generation), (EventKind::Begin, Reason::Allowed, first));
        assert_eq!((cut.kind, cut.reason, cut.generation), (EventKind::Cut, Reason::SubnetDeny, second));
        let flow = rig.flow();
        assert_eq!((begin.flow, cut.flow, cut.created), (flow.id, flow.id, flow.created));
        assert_eq!((begin.direction, begin.rules), (Direction::Outbound, [None, None, Some(0)]));
        assert_eq!((begin.packets, begin.bytes), ([1, 0], [52, 0]));
        assert_eq!((cut.packets, cut.bytes), ([1, 1], [52, 42]));
        assert_eq!((cut.rules, cut.state), ([None, None, Some(0)], FlowState::Cut));
        assert!(!cut.ended_by_time && !flow.ended_by_time);
        assert!(begin.created == begin.tick && begin.tick <= cut.tick);
    }
}

#[test]
fn limits_audit_and_given_places_are_told() {
    for mut rig in Rig::each() {
        rig.datapath.set_events(EventKind::ALL);
        rig.publish_with(OPEN, OPEN, |nic| nic.limits = Limits { flows: 1, half_open: 0 });
        rig.outbound(&tcp(VM, PEER, "S"));
        rig.outbound(&udp(VM, PEER));
        rig.outbound(&udp(VM, "192.0.2.1:54"));
        use EventKind::{Begin, End, Limit, WouldDeny};
        assert_eq!(
            kinds(&told(&mut rig)),
            [(Limit, Reason::HalfOpenQuota), (Begin, Reason::Allowed), (Limit, Reason::FlowQuota)]
        );
        rig.publish_with(CLOSED, CLOSED, |nic| {
            nic.audit = true;
            nic.timeouts = Timeouts::default().with(FlowState::UdpOpen, 0);
        });
        rig.datapath.clear_flows().expect("the flows are removed");
        assert_eq!(rig.outbound(&udp(VM, PEER)), Reason::Audited);
        assert_eq!(kinds(&told(&mut rig)), [(Begin, Reason::Allowed), (WouldDeny, Reason::SubnetDeny)]);
        // The same packet again begins another flow in the place of the one that is over.
        wait("the flow to end", || {
            rig.outbound(&udp(VM, PEER));
            kinds(&told(&mut rig)).first() == Some(&(End, Reason::Established))
        });
    }
}

#[test]
fn flags_are_told_of_connections_and_of_what_is_denied() {
    for mut rig in Rig::each_with_rules(CLOSED, OPEN) {
        rig.datapath.set_events(EventKind::ALL);
        rig.outbound(&tcp(VM, PEER, "S"));
        rig.inbound(&tcp(PEER, VM, "RA"));
        rig.inbound(&tcp("192.0.2.9:1", "10.0.0.4:22", "S"));
        // A new SYN takes the place of the connection that was refused, whose end was told with all that was seen.
        rig.outbound(&tcp(VM, PEER, "S"));
        let told: Vec<_> =
            told(&mut rig).iter().map(|event| (event.kind, event.tcp_flags, event.created > 0)).collect();
        use EventKind::{Begin, Deny, End};
        let expect =
            [(Begin, [2, 0], true), (End, [2, 20], true), (Deny, [2, 0], false), (Begin, [2, 0], true)];
        assert_eq!(told, expect);
    }
}

/// Plays a connection from the VM (`>`) and to it (`<`), and gives its ends: packets of both sides, and state.
fn ends(rig: &mut Rig, segments: &[(&str, &str)]) -> Vec<([u64; 2], FlowState)> {
    rig.datapath.clear_flows().expect("the flows are removed");
    for (side, flags) in segments {
        let (from, to) = if *side == ">" { (VM, PEER) } else { (PEER, VM) };
        let packet = tcp(from, to, flags);
        if *side == ">" {
            rig.outbound(&packet)
        } else {
            rig.inbound(&packet)
        };
    }
    let ends = told(rig).into_iter().filter(|event| event.kind == EventKind::End);
    ends.map(|event| (event.packets, event.state)).collect()
}

/// What a sweep tells of a connection that is told of at the end of its time.
fn swept(rig: &mut Rig) -> Vec<[u64; 2]> {
    let mut records = Vec::new();
    wait("the flow to leave the table", || {
        let swept = rig.datapath.sweep(Report::EndsAndContinuations, &mut |record| records.push(record));
        swept.expect("the sweep runs").live == 0
    });
    records.iter().map(|record| record.flow.packets).collect()
}

#[test]
fn a_connection_is_told_as_it_closes_and_once() {
    const OPENED: [(&str, &str); 3] = [(">", "S"), ("<", "SA"), (">", "A")];
    let with = |rest: &[(&'static str, &'static str)]| [&OPENED[..], rest].concat();
    let at_once = Timeouts::default().with(FlowState::TimeWait, 0).with(FlowState::Closed, 0);
    for mut rig in Rig::each() {
        rig.publish_with(CLOSED, OPEN, |nic| nic.timeouts = at_once);
        rig.datapath.set_events(EventKind::ALL);
        // Both FINs, and what acknowledges the second; no packet later, no sweep tells again.
        let closing = with(&[(">", "FA"), ("<", "FA")]);
        assert_eq!(ends(&mut rig, &closing), [], "the second FIN is not acknowledged");
        let closed = [&closing[..], &[(">", "A")]].concat();
        assert_eq!(ends(&mut rig, &closed), [([4, 2], FlowState::TimeWait)]);
        assert_eq!(swept(&mut rig), [] as [[u64; 2]; 0]);
        assert_eq!(ends(&mut rig, &with(&[("<", "R")])), [([2, 2], FlowState::Closed)]);
        assert_eq!(swept(&mut rig), [] as [[u64; 2]; 0]);
        // A new SYN in its place tells of the new connection alone.
        let again = [&with(&[(">", "R")])[..], &OPENED].concat();
        assert_eq!(ends(&mut rig, &again), [([3, 1], FlowState::Closed)]);
        // Where nobody listens the sweep tells.
        rig.datapath.set_events(&[]);
        assert_eq!(ends(&mut rig, &closed), []);
        assert_eq!(swept(&mut rig).last(), Some(&[4, 2]));
    }
}

/// A server that keeps its side open does not keep it a secret that the client is done.
#[test]
fn a_connection_that_its_client_has_closed_is_told_once() {
    for mut rig in Rig::each_with_rules(CLOSED, OPEN) {
        rig.datapath.set_events(&[HalfClose, End]);
        let mut play = |segments: &[(&str, &str)]| {
            rig.datapath.clear_flows().expect("the flows are removed");
            for (side, flags) in segments {
                let (from, to) = if *side == ">" { (VM, PEER) } else { (PEER, VM) };
                let packet = tcp(from, to, flags);
                if *side == ">" {
                    rig.outbound(&packet)
                } else {
                    rig.inbound(&packet)
                };
            }
            let events = told(&mut rig).into_iter();
            events.map(|event| (event.kind, event.packets, event.state)).collect::<Vec<_>>()
        };
        use EventKind::{End, HalfClose};
        let mut segments = vec![(">", "S"), ("<", "SA"), (">", "A"), (">", "FA"), ("<", "A"), ("<", "A")];
        assert_eq!(play(&segments), [(HalfClose, [3, 2], FlowState::FinOriginator)]);
        segments.push(("<", "R"));
        let closed = (End, [3, 4], FlowState::Closed);
        assert_eq!(play(&segments), [(HalfClose, [3, 2], FlowState::FinOriginator), closed]);
        // Who closes at once is told of at once, and who closes first without having begun it is not done.
        let at_once = [(">", "S"), ("<", "SA"), (">", "FA"), ("<", "FA"), (">", "A")];
        assert_eq!(play(&at_once), [(End, [3, 2], FlowState::TimeWait)]);
        assert_eq!(play(&[(">", "S"), ("<", "SA"), ("<", "FA"), (">", "A"), ("<", "A")]), []);
    }
}

/// A RST that a stranger forged ends nothing: who goes on is told of again, with all that passed.
#[test]
fn what_goes_on_after_its_end_is_told_again() {
    let short = Timeouts::default().with(FlowState::Closed, 1).with(FlowState::Established, 0);
    for mut rig in Rig::each() {
        rig.publish_with(CLOSED, OPEN, |nic| nic.timeouts = short);
        rig.datapath.set_events(EventKind::ALL);
        let mut segments = vec![(">", "S"), ("<", "SA"), ("<", "R")];
        segments.extend([("<", "A"); FLOW_LATE_MAX as usize]);
        assert_eq!(ends(&mut rig, &segments), [([1, 2], FlowState::Closed)]);
        assert_eq!(swept(&mut rig), [] as [[u64; 2]; 0], "a few packets were under way");
        segments.push(("<", "A"));
        assert_eq!(ends(&mut rig, &segments), [([1, 2], FlowState::Closed)]);
        let all = [1, 2 + u64::from(FLOW_LATE_MAX) + 1];
        assert_eq!(swept(&mut rig).last(), Some(&all));
    }
}

#[test]
fn a_flood_of_denials_is_told_as_one() {
    for mut rig in Rig::each_with_rules(CLOSED, OPEN) {
        rig.datapath.set_events(&[EventKind::Deny]);
        let frame = udp(PEER, VM).build().expect("the packet can be written");
        let packet =
            TestPacket { direction: Direction::Inbound, ifindex: LOOPBACK, bytes: &frame, segments: (0, 0) };
        rig.datapath.time_packet(&packet, 10_000).expect("the kernel takes the packets");
        let events = told(&mut rig);
        assert!(!events.is_empty() && events.len() < 5, "{} events", events.len());
        assert_eq!(events[0].packets, [1, 0]);
        let counters = rig.datapath.counters(SLOT).expect("counters are readable");
        assert_eq!(counters.inbound.reasons[&Reason::SubnetDeny], 10_000);
    }
}

#[test]
fn what_nobody_reads_is_lost_and_counted() {
    for mut rig in Rig::each_with(|config| config.sizes = Sizes { flows: 1 << 16, slots: 16 }) {
        rig.publish(CLOSED, OPEN);
        rig.datapath.set_events(&[EventKind::Begin]);
        let flows = 40_000;
        for number in 0..flows {
            let peer = format!("192.0.{}.1:{}", number >> 14, 1000 + (number & 0x3fff));
            let frame = udp(VM, &peer).build().expect("the packet can be written");
            let direction = Direction::Outbound;
            let packet = TestPacket { direction, ifindex: LOOPBACK, bytes: &frame, segments: (0, 0) };
            rig.datapath.time_packet(&packet, 1).expect("the kernel takes the packet");
        }
        let mut count = 0;
        while rig.datapath.drain_events(1000, &mut |_| {}) > 0 {
            count += 1;
        }
        assert!(count > 10, "the ring holds more than ten thousand events: {count}");
        let counters = rig.datapath.counters(SLOT).expect("counters are readable");
        assert_eq!((counters.flows, counters.flows_created), (flows, flows));
        assert!(counters.events_lost > 0, "{counters:?}");
        // The ring is empty again: the next event is told.
        rig.outbound(&udp(VM, "203.0.113.1:1"));
        assert_eq!(told(&mut rig).len(), 1);
    }
}

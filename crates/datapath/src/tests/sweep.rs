//! The sweep: what it ends and tells, what it leaves alone, and what it finishes that another one began.

use std::{mem::offset_of, sync::atomic::Ordering, thread};

use palisade_abi::{
    flow::{Direction, FLOW_CLAIMED, Flow, FlowState},
    verdict::Reason,
};

use super::rig::{LOOPBACK, Rig, SLOT, nic, tcp, udp, wait};
use crate::{
    Ending, FlowRecord, NicPolicy, Plane, Report, TestPacket, Timeouts, Watch,
    flows::{FlowTable, Way},
    sweep::{Scope, Sweeper},
};

const VM: &str = "10.0.0.4:1000";
const OPEN: &[&str] = &["allow * * * *"];

fn peer(port: u16) -> String {
    format!("192.0.2.1:{port}")
}

/// UDP flows end at once, everything else when it always does.
fn publish(rig: &mut Rig) {
    rig.publish_with(OPEN, OPEN, |nic| nic.timeouts = Timeouts::default().with(FlowState::UdpOpen, 0));
}

fn swept(rig: &mut Rig, report: Report) -> Vec<FlowRecord> {
    let mut records = Vec::new();
    rig.datapath.sweep(report, &mut |record| records.push(record)).expect("the sweep runs");
    records
}

fn usage(rig: &Rig) -> (u64, u64) {
    let counters = rig.datapath.counters(SLOT).expect("counters are readable");
    (counters.flows, counters.half_open)
}

/// The way of the only flow.
fn way(rig: &Rig) -> Way {
    let table = FlowTable::new(rig.datapath.observer.memory(), rig.datapath.observer.regions());
    let (way, _, _) = table.flows().next().expect("there is a flow");
    way
}

#[test]
fn ends_are_told_once_and_what_goes_on_when_asked() {
    for mut rig in Rig::each() {
        publish(&mut rig);
        assert_eq!(rig.outbound(&udp(VM, &peer(53)).with_payload([0; 8])), Reason::Allowed);
        assert_eq!(rig.outbound(&tcp(VM, &peer(80), "S")), Reason::Allowed);
        assert_eq!(rig.inbound(&tcp(&peer(80), VM, "SA")), Reason::Established);
        let mut ended = Vec::new();
        wait("the flow to end", || {
            ended = swept(&mut rig, Report::Ends);
            !ended.is_empty()
        });
        let [end] = ended[..] else { panic!("one flow is over: {ended:?}") };
        assert_eq!((end.ending, end.flow.id.protocol, end.flow.packets), (Some(Ending::Over), 17, [1, 0]));
        assert_eq!((end.flow.bytes, end.flow.state), ([14 + 20 + 8 + 8, 0], FlowState::UdpOpen));
        assert!(end.flow.created == end.flow.last_seen, "{end:?}");
        let goes_on = swept(&mut rig, Report::EndsAndContinuations);
        let [tcp] = goes_on[..] else { panic!("one flow is left: {goes_on:?}") };
        assert_eq!((tcp.ending, tcp.flow.packets, tcp.flow.state), (None, [1, 1], FlowState::SynReceived));
        assert_eq!((usage(&rig), rig.sweep().live), ((1, 1), 1));
        rig.datapath.clear_flows().expect("the flows are removed");
        assert_eq!((usage(&rig), rig.flows().len()), ((0, 0), 0));
        let counters = rig.datapath.counters(SLOT).expect("counters are readable");
        assert_eq!((counters.flows_created, counters.flows_ended()), (2, 2));
    }
}

#[test]
fn a_sweep_that_died_is_finished() {
    for mut rig in Rig::each() {
        publish(&mut rig);
        rig.outbound(&tcp(VM, &peer(80), "S"));
        let last_seen = way(&rig).flow + offset_of!(Flow, last_seen) as u32;
        rig.datapath.observer.memory().wide(last_seen).store(FLOW_CLAIMED, Ordering::Release);
        let records = swept(&mut rig, Report::EndsAndContinuations);
        let [end] = records[..] else { panic!("it is told: {records:?}") };
        assert_eq!((end.ending, end.flow.state), (Some(Ending::Over), FlowState::SynSent));
        assert_eq!((usage(&rig), rig.flows().len()), ((0, 0), 0));
        assert_eq!(rig.outbound(&tcp(VM, &peer(80), "S")), Reason::Allowed);
        assert_eq!(usage(&rig), (1, 1));
    }
}

#[test]
fn what_the_kernel_has_claimed_for_an_instant_is_left_to_it() {
    for mut rig in Rig::each() {
        publish(&mut rig);
        rig.outbound(&tcp(VM, &peer(80), "S"));
        let flow = way(&rig).flow;
        let (memory, regions) = (rig.datapath.observer.memory(), rig.datapath.observer.regions());
        let last_seen = memory.wide(flow + offset_of!(Flow, last_seen) as u32);
        let seen = last_seen.swap(FLOW_CLAIMED, Ordering::AcqRel);
        let published = rig.datapath.observer.published();
        let now = rig.datapath.tick().expect("the kernel tells the time");
        let sweeper = Sweeper { memory, regions, published: published.as_ref(), now, report: Report::Ends };
        // While the sweep waits, the kernel begins another flow in this place.
        let reuse = || {
            memory.wide(flow + offset_of!(Flow, created) as u32).fetch_add(1, Ordering::AcqRel);
            last_seen.store(seen, Ordering::Release);
            Ok(())
        };
        let swept = sweeper.run(&Scope::Over, reuse, &mut |record| panic!("it is told: {record:?}"));
        assert_eq!(swept.expect("the sweep runs").ended, 0);
        assert_eq!((usage(&rig), rig.flows().len()), ((1, 1), 1));
    }
}

#[test]
fn flows_end_with_their_nic() {
    for mut rig in Rig::each() {
        rig.publish(OPEN, OPEN);
        rig.outbound(&tcp(VM, &peer(80), "S"));
        rig.outbound(&udp(VM, &peer(53)));
        rig.datapath.publish(&[nic(LOOPBACK + 1, SLOT + 1)]).expect("the policy is published");
        let endings: Vec<_> = swept(&mut rig, Report::Ends).iter().map(|record| record.ending).collect();
        assert_eq!(endings, [Some(Ending::NicLeft); 2]);
        assert_eq!(usage(&rig), (0, 0));
        // Another NIC gets the slot before the sweep came: the flows are told all the same.
        rig.publish(OPEN, OPEN);
        rig.outbound(&udp(VM, &peer(53)));
        rig.datapath.publish(&[]).expect("the policy is published");
        rig.publish(OPEN, OPEN);
        assert_eq!((rig.flows().len(), usage(&rig)), (0, (0, 0)));
        let records = swept(&mut rig, Report::Ends);
        assert_eq!(records.iter().map(|record| record.ending).collect::<Vec<_>>(), [Some(Ending::NicLeft)]);
    }
}

/// Two CPUs send, while a third party clears the table again and again: nothing is judged wrongly, and in the end every
/// count is right.
#[test]
fn clearing_under_traffic_leaves_every_count_right() {
    for mut rig in Rig::each() {
        let half_open_at_once = |nic: &mut NicPolicy| nic.limits.half_open = 64;
        rig.publish_with(OPEN, OPEN, half_open_at_once);
        let frames: Vec<Vec<u8>> = (1..=40)
            .flat_map(|port| {
                let peer = peer(port);
                [tcp(VM, &peer, "S"), tcp(&peer, VM, "SA"), tcp(VM, &peer, "A"), udp(VM, &peer)]
            })
            .map(|packet| packet.build().expect("the packet can be written"))
            .collect();
        let send = |datapath: &crate::Datapath| {
            for round in 0..4000 {
                let bytes = &frames[round % frames.len()];
                let direction = if round % 4 == 1 { Direction::Inbound } else { Direction::Outbound };
                let packet = TestPacket { direction, ifindex: LOOPBACK, bytes, segments: (0, 0) };
                datapath.time_packet(&packet, 1).expect("the kernel takes the packet");
            }
        };
        thread::scope(|scope| {
            let datapath = &rig.datapath;
            let senders = [0, 1].map(|_| scope.spawn(|| send(datapath)));
            let mut cleared = 0;
            while !senders.iter().all(thread::ScopedJoinHandle::is_finished) {
                let swept = datapath.run_sweep(&Scope::All, Report::Ends, &mut |_| {});
                cleared += swept.expect("the sweep runs").ended;
            }
            assert!(cleared > 100, "the table was hardly ever cleared: {cleared}");
        });
        let flows = rig.flows();
        let is_half_open = |state| [FlowState::SynSent, FlowState::SynReceived].contains(&state);
        let half_open = flows.iter().filter(|flow| is_half_open(flow.state)).count() as u64;
        assert_eq!(usage(&rig), (flows.len() as u64, half_open));
        rig.datapath.clear_flows().expect("the flows are removed");
        assert_eq!(usage(&rig), (0, 0));
        let reasons = rig.datapath.counters(SLOT).expect("counters are readable").outbound.reasons;
        assert!(!reasons.contains_key(&Reason::HalfOpenQuota), "{reasons:?}");
    }
}

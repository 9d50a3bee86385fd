//! Limits: what one NIC may take, and what two CPUs may do at once.

use std::{collections::BTreeSet, thread};

use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};
use palisade_abi::{
    flow::{Direction, FlowState},
    verdict::Reason,
};

use super::rig::{LOOPBACK, Rig, SLOT, layer, nic, tcp, udp, wait};
use crate::{Limits, NicPolicy, Plane, Sizes, TestPacket, Timeouts, Watch};

const VM: &str = "10.0.0.4:1000";
const OPEN: &[&str] = &["allow * * * *"];

/// One of many others, none of which has a port that guards look at.
fn peer(number: u16) -> String {
    format!("192.0.2.1:{}", 1000 + number)
}

fn limited(flows: u32, half_open: u32) -> impl Fn(&mut NicPolicy) {
    move |nic| nic.limits = Limits { flows, half_open }
}

fn usage(rig: &Rig) -> (u64, u64) {
    let counters = rig.datapath.counters(SLOT).expect("counters are readable");
    (counters.flows, counters.half_open)
}

#[test]
fn a_nic_has_as_many_flows_as_it_may() {
    for mut rig in Rig::each() {
        rig.publish_with(OPEN, OPEN, limited(3, 3));
        for port in 1..=3 {
            assert_eq!(rig.outbound(&udp(VM, &peer(port))), Reason::Allowed);
        }
        assert_eq!(rig.outbound(&udp(VM, &peer(4))), Reason::FlowQuota);
        assert_eq!((rig.inbound(&udp(&peer(1), VM)), usage(&rig)), (Reason::Established, (3, 0)));
        // The limit can be raised while the flows live.
        rig.publish_with(OPEN, OPEN, limited(4, 3));
        assert_eq!(rig.outbound(&udp(VM, &peer(4))), Reason::Allowed);
        assert_eq!(rig.outbound(&udp(VM, &peer(5))), Reason::FlowQuota);
        rig.datapath.clear_flows().expect("the flows are removed");
        assert_eq!((rig.outbound(&udp(VM, &peer(5))), usage(&rig)), (Reason::Allowed, (1, 0)));
    }
}

#[test]
fn only_the_handshake_counts_as_half_open() {
    for mut rig in Rig::each() {
        rig.publish_with(OPEN, OPEN, limited(100, 2));
        let syn = |rig: &Rig, port| rig.outbound(&tcp(VM, &peer(port), "S"));
        assert_eq!(
            [1, 2, 3].map(|port| syn(&rig, port)),
            [Reason::Allowed, Reason::Allowed, Reason::HalfOpenQuota]
        );
        assert_eq!(rig.outbound(&udp(VM, &peer(53))), Reason::Allowed);
        assert_eq!(rig.inbound(&tcp(&peer(1), VM, "SA")), Reason::Established);
        assert_eq!((syn(&rig, 3), usage(&rig)), (Reason::HalfOpenQuota, (3, 2)));
        rig.outbound(&tcp(VM, &peer(1), "A"));
        assert_eq!((usage(&rig), syn(&rig, 3), usage(&rig)), ((3, 1), Reason::Allowed, (4, 2)));
        // A connection that is refused is not half-open any more.
        rig.inbound(&tcp(&peer(2), VM, "RA"));
        assert_eq!((usage(&rig), syn(&rig, 4), usage(&rig)), ((4, 1), Reason::Allowed, (5, 2)));
    }
}

#[test]
fn one_nics_flood_is_not_another_ones() {
    for mut rig in Rig::each() {
        let mut nics = [nic(LOOPBACK, SLOT), nic(LOOPBACK + 1, SLOT + 1)];
        for nic in &mut nics {
            nic.outbound[2] = Some(layer(OPEN));
            limited(5, 5)(nic);
        }
        rig.datapath.publish(&nics).expect("the policy is published");
        let flood: Vec<_> = (1..=20).map(|port| rig.outbound(&udp(VM, &peer(port)))).collect();
        assert_eq!(flood.iter().filter(|reason| **reason == Reason::FlowQuota).count(), 15);
        let others = rig.datapath.counters(SLOT + 1).expect("counters are readable");
        assert_eq!((others.flows, others.half_open), (0, 0));
    }
}

/// The table reaches the size it was asked for, and places of flows that are over are given away without a sweep.
#[test]
fn the_table_holds_what_was_asked_for() {
    for mut rig in Rig::each_with(|config| config.sizes = Sizes { flows: 5000, slots: 16 }) {
        let change = |nic: &mut NicPolicy| nic.timeouts = Timeouts::default().with(FlowState::UdpOpen, 0);
        rig.publish(OPEN, OPEN);
        for port in 1..=5000 {
            assert_eq!(rig.outbound(&udp(VM, &peer(port))), Reason::Allowed, "{port}");
        }
        assert_eq!((rig.flows().len(), usage(&rig)), (5000, (5000, 0)));
        let full = (5001..=9000).find(|port| rig.outbound(&udp(VM, &peer(*port))) == Reason::FlowTableFull);
        assert!(full.is_some_and(|port| port > 5000), "{full:?}");
        rig.datapath.clear_flows().expect("the flows are removed");
        rig.publish_with(OPEN, OPEN, change);
        let filled =
            (1..=9000).filter(|port| rig.outbound(&udp(VM, &peer(*port))) == Reason::Allowed).count();
        assert!(filled > 5000, "{filled}");
        let full = full.expect("it was found");
        wait("a place to be given away", || rig.outbound(&udp(VM, &peer(full))) == Reason::Allowed);
        let counters = rig.datapath.counters(SLOT).expect("counters are readable");
        assert!(counters.flows_ended() > 0 && counters.flows == rig.flows().len() as u64, "{counters:?}");
    }
}

/// Keeps the thread on one CPU. Two test runs on one could interrupt each other, which packets cannot, and counters of a CPU
/// have one writer.
pub(super) fn stay_at(cpu: usize) {
    let mut cpus = CpuSet::new();
    cpus.set(cpu).expect("the number of a CPU");
    // A machine with one CPU runs them one after the other.
    let _ = sched_setaffinity(Pid::from_raw(0), &cpus);
}

/// Two CPUs see the first packets of the same connections at the same time.
#[test]
fn two_cpus_begin_a_flow_once() {
    for mut rig in Rig::each_with(|config| config.sizes = Sizes { flows: 8192, slots: 16 }) {
        rig.publish(OPEN, OPEN);
        let frames: Vec<Vec<u8>> =
            (1..=5000).map(|port| udp(VM, &peer(port)).build().expect("the packet can be written")).collect();
        let datapath = &rig.datapath;
        thread::scope(|scope| {
            for cpu in 0..2 {
                let frames = &frames;
                scope.spawn(move || {
                    stay_at(cpu);
                    for bytes in frames {
                        let direction = Direction::Outbound;
                        let packet = TestPacket { direction, ifindex: LOOPBACK, bytes, segments: (0, 0) };
                        datapath.time_packet(&packet, 1).expect("the kernel takes the packet");
                    }
                });
            }
        });
        let flows = rig.flows();
        let distinct: BTreeSet<_> = flows.iter().map(|flow| flow.id).collect();
        assert_eq!((flows.len(), distinct.len(), usage(&rig)), (5000, 5000, (5000, 0)));
        let counters = rig.datapath.counters(SLOT).expect("counters are readable");
        // A trial, unlike a packet on the wire, can be preempted while it holds a bucket: the other CPU then refuses.
        let refused = counters.outbound.reasons.get(&Reason::FlowTableFull).copied().unwrap_or_default();
        assert_eq!((counters.flows_created, counters.outbound.packets() + refused), (5000, 10_000));
        assert!(refused < 100, "{counters:?}");
        let packets: u64 = flows.iter().map(|flow| flow.packets[0]).sum();
        // The packet of a CPU that came second is not in the flow's count.
        assert!((5000..=10_000).contains(&packets), "{packets}");
    }
}

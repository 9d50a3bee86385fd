//! Flows of every protocol: who may answer, when they end, what is counted.

use palisade_abi::{
    flow::{Direction, FLOW_TIMEOUTS_S, FlowState},
    verdict::Reason,
};

use super::rig::{LOOPBACK, Rig, SLOT, layer, nic, other, tcp, udp, wait};
use crate::{FlowId, NicPolicy, Plane, TestPacket, Timeouts, Watch};

#[test]
fn answers_pass_and_strangers_do_not() {
    for rig in Rig::each_with_rules(&["deny * * * *"], &["allow * * * *"]) {
        let addresses = [("10.0.0.4", "192.0.2.1"), ("[fd00::4]", "[2001:db8::1]")];
        for (vm, peer) in addresses {
            let at = |host: &str, port: u16| format!("{host}:{port}");
            assert_eq!(rig.outbound(&udp(&at(vm, 1000), &at(peer, 53))), Reason::Allowed);
            assert_eq!(rig.outbound(&udp(&at(vm, 1000), &at(peer, 53))), Reason::Established);
            assert_eq!(rig.inbound(&udp(&at(peer, 53), &at(vm, 1000))), Reason::Established);
            assert_eq!(rig.inbound(&udp(&at(peer, 54), &at(vm, 1000))), Reason::SubnetDeny);
            assert_eq!(rig.inbound(&udp(&at(peer, 53), &at(vm, 1001))), Reason::SubnetDeny);
            assert_eq!(rig.inbound(&tcp(&at(peer, 53), &at(vm, 1000), "S")), Reason::SubnetDeny);
        }
        for (vm, peer) in [("10.0.0.4", "192.0.2.1"), ("fd00::4", "2001:db8::1")] {
            for protocol in [47, 50, 51, 132] {
                assert_eq!(rig.inbound(&other(peer, vm, protocol)), Reason::SubnetDeny);
                assert_eq!(rig.outbound(&other(vm, peer, protocol)), Reason::Allowed);
                assert_eq!(rig.inbound(&other(peer, vm, protocol)), Reason::Established);
            }
        }
    }
}

#[test]
fn a_packet_that_is_forwarded_is_judged_both_ways() {
    // A virtual appliance with one interface: what came in goes out again with the same addresses.
    for rig in Rig::each_with_rules(&["allow * * * *"], &["deny * * * *"]) {
        let packet = udp("10.0.0.9:1000", "192.0.2.1:53");
        assert_eq!(rig.inbound(&packet), Reason::Allowed);
        assert_eq!(rig.outbound(&packet), Reason::SubnetDeny);
    }
}

#[test]
fn a_flow_remembers_how_it_began() {
    for mut rig in Rig::each() {
        let mut policy = nic(LOOPBACK, SLOT);
        policy.inbound[1] = Some(layer(&["allow udp * * 9", "allow tcp * * 22"]));
        policy.inbound[2] = Some(layer(&["allow tcp 10.0.0.0/8 * *"]));
        let generation = rig.datapath.publish(&[policy]).expect("the policy is published");
        let frame = tcp("10.9.9.9:4000", "10.0.0.4:22", "S").with_payload([0; 10]);
        assert_eq!(rig.inbound(&frame), Reason::Allowed);
        assert_eq!(rig.outbound(&tcp("10.0.0.4:22", "10.9.9.9:4000", "SA")), Reason::Established);
        let flow = rig.flow();
        let id = FlowId {
            slot: SLOT,
            protocol: 6,
            query: None,
            local: ("10.0.0.4".parse().expect("an address"), 22),
            remote: ("10.9.9.9".parse().expect("an address"), 4000),
        };
        assert_eq!((flow.id, flow.direction), (id, Direction::Inbound));
        assert_eq!((flow.generation, flow.rules), (generation, [None, Some(1), Some(0)]));
        assert_eq!((flow.packets, flow.bytes), ([1, 1], [64, 54]));
        assert!(!flow.audited && !flow.midstream && flow.until.is_none());
        let now = rig.datapath.tick().expect("the kernel tells the time");
        assert!(flow.created <= flow.last_seen && flow.last_seen <= now && now < flow.created + 1000);
    }
}

#[test]
fn counters_add_up() {
    for rig in Rig::each_with_rules(&["deny * * * *"], &["allow udp * * 53", "deny * * * *"]) {
        let question = udp("10.0.0.4:1000", "192.0.2.1:53").build().expect("the packet can be written");
        rig.frame(Direction::Outbound, &question);
        rig.inbound(&udp("192.0.2.1:53", "10.0.0.4:1000"));
        rig.inbound(&udp("192.0.2.1:54", "10.0.0.4:1000"));
        let counters = rig.datapath.counters(SLOT).expect("counters are readable");
        assert_eq!((counters.outbound.packets(), counters.outbound.bytes), (1, question.len() as u64));
        assert_eq!((counters.inbound.packets(), counters.inbound.dropped()), (1, 1));
        assert_eq!(counters.inbound.reasons[&Reason::SubnetDeny], 1);
        assert_eq!((counters.flows_created, counters.flows_ended(), counters.flows), (1, 0, 1));
    }
}

#[test]
fn a_segmented_packet_counts_as_its_segments() {
    for rig in Rig::each_with_rules(&["allow * * * *"], &["allow * * * *"]) {
        let frame = tcp("10.0.0.4:1000", "192.0.2.1:80", "S")
            .with_payload([0; 3000])
            .build()
            .expect("a whole packet");
        let packet = TestPacket {
            direction: Direction::Outbound,
            ifindex: LOOPBACK,
            bytes: &frame,
            segments: (3, 1000),
        };
        rig.datapath.run_packet(&packet).expect("the kernel takes the packet");
        let counters = rig.datapath.counters(SLOT).expect("counters are readable");
        assert_eq!((counters.outbound.packets(), counters.outbound.bytes), (3, 3000 + 3 * 54));
    }
}

#[test]
fn flows_end_when_idle_and_the_sweep_frees_them() {
    for mut rig in Rig::each() {
        let at_once = |nic: &mut NicPolicy| nic.timeouts = Timeouts::default().with(FlowState::UdpOpen, 0);
        rig.publish_with(&["deny * * * *"], &["allow * * * *"], at_once);
        let sent = udp("10.0.0.4:1000", "192.0.2.1:53");
        assert_eq!(rig.outbound(&sent), Reason::Allowed);
        // Over: the same packet begins a new flow in the old one's place.
        wait("the flow to end", || rig.outbound(&sent) == Reason::Allowed);
        let counters = rig.datapath.counters(SLOT).expect("counters are readable");
        assert_eq!(counters.flows, 1);
        wait("the sweep's grace period", || rig.sweep().ended == 1);
        assert_eq!(rig.flows(), []);
        assert_eq!(rig.datapath.counters(SLOT).expect("counters are readable").flows, 0);
    }
}

#[test]
fn timeouts_are_those_of_the_state() {
    for rig in Rig::each_with_rules(&["deny * * * *"], &["allow * * * *"]) {
        let ticks = rig.datapath.ticks_per_second();
        assert!([100, 250, 300, 1000].contains(&ticks), "{ticks}");
        let expect = |state: FlowState| {
            let flow = rig.flow();
            assert_eq!((flow.state, flow.timeout), (state, FLOW_TIMEOUTS_S[state as usize] * ticks));
        };
        rig.outbound(&udp("10.0.0.4:1000", "192.0.2.1:53"));
        expect(FlowState::UdpOpen);
        rig.inbound(&udp("192.0.2.1:53", "10.0.0.4:1000"));
        expect(FlowState::UdpAnswered);
    }
}

#[test]
fn established_flows_survive_a_policy_change() {
    for mut rig in Rig::each_with_rules(&["deny * * * *"], &["allow * * * *"]) {
        assert_eq!(rig.outbound(&tcp("10.0.0.4:1000", "192.0.2.1:80", "S")), Reason::Allowed);
        rig.publish(&["deny * * * *"], &["deny * * * *"]);
        assert_eq!(rig.inbound(&tcp("192.0.2.1:80", "10.0.0.4:1000", "SA")), Reason::Established);
        assert_eq!(rig.outbound(&tcp("10.0.0.4:1001", "192.0.2.1:80", "S")), Reason::SubnetDeny);
    }
}

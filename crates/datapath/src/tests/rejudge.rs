//! Flows under a policy that changes: judged again in their own orientation, cut, kept, and resumed.

use palisade_abi::{
    flow::FlowState,
    verdict::Reason::{self, Allowed, Established, NetworkInterfaceDeny, PolicyCut, Related, SubnetDeny},
};
use palisade_net::packet::Packet;

use super::{
    icmp::{about, query},
    rig::{Rig, SLOT, icmp, layer, tcp, udp},
};
use crate::{NicPolicy, SlotCounters, Watch};

const VM: &str = "10.0.0.4:22";
const PEER: &str = "192.0.2.1:40000";
const OPEN: &str = "allow * * * *";
const CLOSED: &str = "deny * * * *";

/// Every list of the NIC has its flows judged again when it changes.
fn flushing(nic: &mut NicPolicy) {
    set_flush(nic, true);
}

/// No list does.
fn keeping(nic: &mut NicPolicy) {
    set_flush(nic, false);
}

fn set_flush(nic: &mut NicPolicy, flush: bool) {
    for layer in nic.inbound.iter_mut().chain(&mut nic.outbound).flatten() {
        layer.flush = flush;
    }
}

fn counters(rig: &Rig) -> SlotCounters {
    rig.datapath.counters(SLOT).expect("counters are readable")
}

/// A connection from the peer to the VM.
fn connect(rig: &Rig) {
    assert_eq!(rig.inbound(&tcp(PEER, VM, "S")), Allowed);
    assert_eq!(rig.outbound(&tcp(VM, PEER, "SA")), Established);
    assert_eq!(rig.inbound(&tcp(PEER, VM, "A")), Established);
}

fn from_vm(rig: &Rig) -> Reason {
    rig.outbound(&tcp(VM, PEER, "A"))
}

fn to_vm(rig: &Rig) -> Reason {
    rig.inbound(&tcp(PEER, VM, "A"))
}

#[test]
fn a_flow_that_is_denied_now_is_cut_whichever_side_sends_next() {
    for next in [from_vm, to_vm] {
        for mut rig in Rig::each() {
            rig.publish_with(&[OPEN], &[OPEN], flushing);
            connect(&rig);
            rig.publish_with(&[CLOSED], &[OPEN], flushing);
            assert_eq!(next(&rig), PolicyCut);
            // The VM may begin anything; that its answers do not come back as something new is the point.
            assert_eq!((from_vm(&rig), to_vm(&rig)), (PolicyCut, PolicyCut));
            assert_eq!((rig.flow().state, rig.flow().ended_by_time), (FlowState::Cut, false));
            assert_eq!(rig.inbound(&tcp(PEER, VM, "S")), SubnetDeny);
            let counters = counters(&rig);
            assert_eq!((counters.flows_cut, counters.flows_rejudged), (1, 0));
        }
    }
}

#[test]
fn an_answer_is_not_judged_as_if_it_began_something() {
    for mut rig in Rig::each() {
        rig.publish_with(&[OPEN], &[OPEN], flushing);
        connect(&rig);
        rig.publish_with(&[OPEN], &[CLOSED], flushing);
        assert_eq!((from_vm(&rig), to_vm(&rig)), (Established, Established));
    }
}

#[test]
fn switching_to_flush_judges_again_what_was_kept() {
    for mut rig in Rig::each() {
        rig.publish_with(&[OPEN], &[OPEN], keeping);
        connect(&rig);
        rig.publish_with(&[CLOSED], &[OPEN], keeping);
        assert_eq!(to_vm(&rig), Established);
        assert_eq!(counters(&rig).flows_rejudged, 0);
        rig.publish_with(&[CLOSED], &[OPEN], flushing);
        assert_eq!(to_vm(&rig), PolicyCut);
    }
}

#[test]
fn attaching_a_list_counts_as_a_change_and_so_does_detaching_it() {
    for mut rig in Rig::each() {
        rig.publish_with(&[OPEN], &[OPEN], flushing);
        connect(&rig);
        rig.publish_with(&[OPEN], &[OPEN], |nic| {
            nic.inbound[2] = Some(layer(&[CLOSED]));
            flushing(nic);
        });
        assert_eq!(to_vm(&rig), PolicyCut);
        assert_eq!(rig.inbound(&tcp(PEER, "10.0.0.4:23", "S")), NetworkInterfaceDeny);
        // Detached again: a flow that was cut goes on, if its ends still do.
        rig.publish_with(&[OPEN], &[OPEN], flushing);
        assert_eq!((to_vm(&rig), from_vm(&rig)), (Established, Established));
        assert_eq!(rig.flow().state, FlowState::Established);
    }
}

#[test]
fn admin_rules_end_flows_that_other_lists_keep() {
    for mut rig in Rig::each() {
        rig.publish_with(&[OPEN], &[OPEN], keeping);
        connect(&rig);
        rig.publish_with(&[OPEN], &[OPEN], |nic| {
            keeping(nic);
            let mut admin = layer(&["deny tcp * * 22"]);
            admin.flush = true;
            nic.inbound[0] = Some(admin);
        });
        assert_eq!((from_vm(&rig), to_vm(&rig)), (PolicyCut, PolicyCut));
        assert_eq!(rig.inbound(&tcp(PEER, VM, "S")), Reason::AdminDeny);
    }
}

#[test]
fn datagrams_and_queries_are_judged_again_as_they_began() {
    let datagrams: [Packet; 2] = [udp(PEER, "10.0.0.4:53"), udp("10.0.0.4:53", PEER)];
    let echo: [Packet; 2] =
        [icmp("192.0.2.1", "10.0.0.4", 8, query(7)), icmp("10.0.0.4", "192.0.2.1", 0, query(7))];
    for [question, answer] in [datagrams, echo] {
        for mut rig in Rig::each() {
            rig.publish_with(&[OPEN], &[CLOSED], flushing);
            assert_eq!(rig.inbound(&question), Allowed);
            assert_eq!(rig.outbound(&answer), Established);
            rig.publish_with(&["allow tcp * * *", OPEN], &[CLOSED], flushing);
            assert_eq!(rig.outbound(&answer), Established);
            rig.publish_with(&[CLOSED], &[OPEN], flushing);
            assert_eq!(rig.outbound(&answer), PolicyCut);
            assert_eq!(rig.inbound(&question), PolicyCut);
        }
    }
}

#[test]
fn an_error_about_a_flow_that_was_cut_is_judged_by_the_rules() {
    let error = icmp("10.0.0.4", "192.0.2.1", 3, about(&tcp(PEER, VM, "A")));
    for mut rig in Rig::each() {
        rig.publish_with(&[OPEN], &[CLOSED], flushing);
        connect(&rig);
        assert_eq!(rig.outbound(&error), Related);
        rig.publish_with(&[CLOSED], &[CLOSED], flushing);
        assert_eq!(rig.outbound(&error), SubnetDeny);
        assert_eq!(rig.flow().state, FlowState::Cut);
    }
}

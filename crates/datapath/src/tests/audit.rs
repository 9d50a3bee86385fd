//! Audit: a list, or a whole NIC, that is evaluated and counted and stops nothing.

use palisade_abi::{
    event::EventKind,
    verdict::Reason::{Allowed, Audited, ForeignSource, MidStream, PolicyCut, SubnetDeny},
};
use palisade_classify::Row;
use palisade_net::AddressSet;

use super::{
    rig::{Rig, SLOT, layer, tcp},
    shared::rules,
};
use crate::{Guards, LayerPolicy, NicPolicy, Plane, Watch};

const VM: &str = "10.0.0.4:22";
const PEER: &str = "192.0.2.1:40000";
const OPEN: &str = "allow * * * *";
const CLOSED: &str = "deny * * * *";

fn audit_inbound(nic: &mut NicPolicy) {
    let list = nic.inbound[1].as_mut().expect("the rig gives a list");
    (list.audit, list.flush) = (true, true);
}

#[test]
fn a_list_in_audit_stops_nothing_and_says_what_it_would() {
    for mut rig in Rig::each() {
        rig.datapath.set_events(&[EventKind::WouldDeny]);
        rig.publish_with(&[CLOSED], &[CLOSED], audit_inbound);
        assert_eq!(rig.inbound(&tcp(PEER, VM, "S")), Audited);
        // What passes so is a flow, and its answers pass with it.
        assert_eq!(rig.outbound(&tcp(VM, PEER, "SA")), Audited);
        assert!(rig.flow().audited);
        assert_eq!(rig.outbound(&tcp(VM, "192.0.2.1:443", "S")), SubnetDeny);
        let counters = rig.datapath.counters(SLOT).expect("counters are readable");
        assert_eq!(counters.flows_audited, 1);
        let mut would = Vec::new();
        rig.datapath.drain_events(usize::MAX, &mut |event| would.push(event.reason));
        assert_eq!(would, [SubnetDeny]);
    }
}

/// The rule that would deny is told, and not the one by which the packet passes.
#[test]
fn a_rule_in_audit_is_told_by_its_row() {
    for mut rig in Rig::each() {
        rig.datapath.set_events(&[EventKind::WouldDeny]);
        let shadow = Row { audit: true, ..rules::row("deny tcp * * 22") };
        let rows = [rules::row("deny udp * * *"), shadow, rules::row("allow * * * *")];
        rig.publish_with(&[OPEN], &[OPEN], |nic| {
            nic.inbound[1] = Some(LayerPolicy::new("audited", rules::compile(&rows)));
        });
        assert_eq!(rig.inbound(&tcp(PEER, VM, "S")), Audited);
        assert_eq!(rig.flow().rules, [None, Some(2), None]);
        let mut would = Vec::new();
        rig.datapath.drain_events(usize::MAX, &mut |event| would.push((event.reason, event.rules)));
        assert_eq!(would, [(SubnetDeny, [None, Some(1), None])]);
    }
}

#[test]
fn a_flow_in_audit_is_cut_when_the_list_is_enforced() {
    for mut rig in Rig::each() {
        rig.publish_with(&[CLOSED], &[OPEN], audit_inbound);
        assert_eq!(rig.inbound(&tcp(PEER, VM, "S")), Audited);
        rig.publish_with(&[CLOSED], &[OPEN], |nic| {
            nic.inbound[1].as_mut().expect("the rig gives a list").flush = true;
        });
        assert_eq!(rig.outbound(&tcp(VM, PEER, "SA")), PolicyCut);
    }
}

#[test]
fn a_nic_in_audit_is_stopped_by_neither_rules_nor_guards() {
    for mut rig in Rig::each() {
        rig.publish_with(&[CLOSED], &[CLOSED], |nic| {
            nic.audit = true;
            nic.guards = Guards::SOURCE;
            nic.owned = AddressSet::empty();
        });
        assert_eq!(rig.inbound(&tcp(PEER, VM, "S")), Audited);
        assert_eq!(rig.outbound(&tcp(VM, "192.0.2.1:443", "S")), Audited);
        assert_eq!(rig.inbound(&tcp(PEER, "10.0.0.4:80", "A")), Audited);
    }
}

#[test]
fn what_is_enforced_drops_the_same_packets() {
    for mut rig in Rig::each() {
        rig.publish_with(&[OPEN], &[OPEN], |nic| {
            nic.guards = Guards::SOURCE;
            nic.inbound[2] = Some(layer(&[OPEN]));
        });
        assert_eq!(rig.inbound(&tcp(PEER, VM, "S")), Allowed);
        assert_eq!(rig.outbound(&tcp(VM, "192.0.2.1:443", "S")), ForeignSource);
        assert_eq!(rig.inbound(&tcp(PEER, "10.0.0.4:80", "A")), MidStream);
    }
}

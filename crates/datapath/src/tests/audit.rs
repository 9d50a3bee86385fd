//! Audit: a list, or a whole NIC, that is evaluated and counted and stops nothing.

use palisade_abi::{
    event::EventKind,
    verdict::Reason::{Allowed, Audited, ForeignSource, MidStream, PolicyCut, SubnetDeny},
};
use palisade_net::AddressSet;

use super::rig::{Rig, SLOT, layer, tcp};
use crate::{Guards, NicPolicy, Plane, Watch};

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

//! Windows of rules, under a time that the test moves: what they begin, end and leave alone.

use palisade_abi::{event::EventKind, verdict::Reason};
use palisade_classify::Row;
use palisade_model::Window;

use super::{
    rig::{LOOPBACK, Rig, SLOT, layer, nic, udp},
    shared::rules,
};
use crate::{LayerPolicy, NicPolicy, Plane, wall_clock_anchor};

const VM: &str = "10.0.0.4:1000";
const PEER: &str = "192.0.2.1:53";
const OPEN: &[&str] = &["allow * * * *"];
const CLOSED: &[&str] = &["deny * * * *"];
/// The second at which windows of these tests begin or end.
const MOMENT: u32 = 2_000_000_000;

/// Makes it so many seconds before the moment, or after it.
fn set_time(rig: &mut Rig, seconds: i64) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is later");
    let wanted = (i64::from(MOMENT) + seconds) * 1_000_000_000;
    let anchor = wall_clock_anchor().expect("the clocks are readable");
    rig.datapath.set_anchor(anchor.wrapping_add((wanted - now.as_nanos() as i64) as u64));
}

/// A list that allows everything in a window, and nothing else.
fn during(not_before: Option<u32>, expires_at: Option<u32>) -> LayerPolicy {
    let window = Window::new(not_before, expires_at).expect("it is not empty");
    let rows = [Row { window, ..rules::row("allow * * * *") }, rules::row("deny * * * *")];
    LayerPolicy { flush: true, ..LayerPolicy::new("window", rules::compile(&rows)) }
}

/// A NIC with a list of its own and one of its subnet, for what comes from the VM.
fn outbound(of_nic: LayerPolicy, of_subnet: LayerPolicy) -> NicPolicy {
    NicPolicy { outbound: [None, Some(of_nic), Some(of_subnet)], ..nic(LOOPBACK, SLOT) }
}

fn publish(rig: &mut Rig, policy: &NicPolicy) {
    rig.datapath.publish(std::slice::from_ref(policy)).expect("the policy is published");
}

#[test]
fn a_window_opens_and_closes_by_itself() {
    for mut rig in Rig::each() {
        for (policy, before, after) in [
            (during(None, Some(MOMENT)), Reason::Allowed, Reason::NetworkInterfaceDeny),
            (during(Some(MOMENT), None), Reason::NetworkInterfaceDeny, Reason::Allowed),
        ] {
            publish(&mut rig, &outbound(policy, layer(OPEN)));
            set_time(&mut rig, -5);
            assert_eq!(rig.outbound(&udp(VM, PEER)), before);
            set_time(&mut rig, 5);
            assert_eq!(rig.outbound(&udp("10.0.0.4:1001", PEER)), after);
            rig.datapath.clear_flows().expect("the flows are removed");
        }
    }
}

#[test]
fn a_flow_ends_with_its_rule_whatever_its_list_says_of_changes() {
    for mut rig in Rig::each() {
        for flush in [true, false] {
            let list = LayerPolicy { flush, ..during(None, Some(MOMENT)) };
            publish(&mut rig, &outbound(list, layer(OPEN)));
            set_time(&mut rig, -5);
            assert_eq!(rig.outbound(&udp(VM, PEER)), Reason::Allowed);
            assert_eq!(rig.inbound(&udp(PEER, VM)), Reason::Established);
            set_time(&mut rig, 5);
            assert_eq!(rig.inbound(&udp(PEER, VM)), Reason::PolicyCut, "{flush}");
            assert!(rig.flow().ended_by_time, "{flush}");
            rig.datapath.clear_flows().expect("the flows are removed");
        }
    }
}

/// Another list's change makes the flow be judged again while the list that keeps it denies: it lives on, and no longer than
/// it would have.
#[test]
fn a_list_without_a_say_prolongs_nothing() {
    for mut rig in Rig::each() {
        let other = |rules: &[&str]| LayerPolicy { flush: true, ..layer(rules) };
        let kept = |list: LayerPolicy| LayerPolicy { flush: false, ..list };
        publish(&mut rig, &outbound(kept(during(None, Some(MOMENT))), other(OPEN)));
        set_time(&mut rig, -5);
        assert_eq!(rig.outbound(&udp(VM, PEER)), Reason::Allowed);
        publish(&mut rig, &outbound(kept(layer(CLOSED)), other(&["allow udp * * *"])));
        assert_eq!(rig.outbound(&udp(VM, PEER)), Reason::Established);
        assert_eq!(rig.flow().until, Some(MOMENT));
        set_time(&mut rig, 5);
        assert_eq!(rig.outbound(&udp(VM, PEER)), Reason::PolicyCut);
    }
}

#[test]
fn a_clock_that_is_set_back_takes_back_what_it_did() {
    for mut rig in Rig::each() {
        rig.datapath.set_events(&[EventKind::Deny]);
        let packets = [udp(VM, PEER), udp("10.0.0.4:1001", PEER)];
        let verdicts = |rig: &Rig| packets.each_ref().map(|packet| rig.outbound(packet));

        // Ended too soon: the flow goes on, and what was denied is not remembered.
        publish(&mut rig, &outbound(during(None, Some(MOMENT)), layer(OPEN)));
        set_time(&mut rig, -5);
        assert_eq!(rig.outbound(&packets[0]), Reason::Allowed);
        set_time(&mut rig, 5);
        assert_eq!(verdicts(&rig), [Reason::PolicyCut, Reason::NetworkInterfaceDeny]);
        set_time(&mut rig, -5);
        assert_eq!(verdicts(&rig), [Reason::Established, Reason::Allowed]);

        // Begun too soon: the flow ends.
        publish(&mut rig, &outbound(during(Some(MOMENT), None), layer(OPEN)));
        set_time(&mut rig, 5);
        assert_eq!(verdicts(&rig), [Reason::Established; 2]);
        set_time(&mut rig, -5);
        assert_eq!(verdicts(&rig), [Reason::PolicyCut; 2]);
        set_time(&mut rig, 5);
        assert_eq!(verdicts(&rig), [Reason::Established; 2]);
    }
}

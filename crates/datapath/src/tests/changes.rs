//! Which changes make flows be judged again, and which let them live on: by the descriptor, and by packets.

use palisade_abi::verdict::Reason;
use palisade_net::{AddressSet, Mac, Prefix};

use super::rig::{LOOPBACK, Rig, SLOT, layer, nic, tcp, udp};
use crate::{Guards, LayerPolicy, Limits, NicPolicy, Plane, Timeouts, Watch};

const VM: &str = "10.0.0.4:1000";
const PEER: &str = "192.0.2.1:443";
const OPEN: &[&str] = &["allow * * * *"];
const OTHER: &[&str] = &["allow udp * * *", "allow * * * *"];
const CLOSED: &[&str] = &["deny * * * *"];

fn flush(rules: &[&str]) -> Option<LayerPolicy> {
    Some(LayerPolicy { flush: true, ..layer(rules) })
}

fn keep(rules: &[&str]) -> Option<LayerPolicy> {
    Some(layer(rules))
}

fn audited(policy: Option<LayerPolicy>) -> Option<LayerPolicy> {
    policy.map(|policy| LayerPolicy { audit: true, ..policy })
}

/// What a change did to the descriptor: whether its generation is new, and whether flows are judged again.
fn effect(rig: &mut Rig, before: &NicPolicy, after: &NicPolicy) -> (bool, bool) {
    rig.datapath.publish(std::slice::from_ref(before)).expect("the policy is published");
    let generation = rig.datapath.publish(std::slice::from_ref(after)).expect("the policy is published");
    let nic = rig.datapath.observer.published().expect("a policy is in force").nics[0];
    assert!(nic.rejudge <= nic.generation && nic.since <= nic.rejudge, "{nic:?}");
    (nic.generation == generation, nic.rejudge == generation)
}

type Change = (&'static str, Box<dyn Fn(&mut NicPolicy)>, Box<dyn Fn(&mut NicPolicy)>, (bool, bool));

fn change(
    name: &'static str,
    before: impl Fn(&mut NicPolicy) + 'static,
    after: impl Fn(&mut NicPolicy) + 'static,
    expected: (bool, bool),
) -> Change {
    (name, Box::new(before), Box::new(after), expected)
}

fn owned(text: &str) -> AddressSet {
    [text.parse::<Prefix>().expect("a prefix")].into_iter().collect()
}

/// Changes of lists. `true, true`: a new generation, and flows are judged again.
fn changes_of_lists() -> Vec<Change> {
    const SAME: (bool, bool) = (false, false);
    const KEPT: (bool, bool) = (true, false);
    const JUDGED: (bool, bool) = (true, true);
    let list = |name, before: Option<LayerPolicy>, after: Option<LayerPolicy>, expected| {
        change(
            name,
            move |nic| nic.inbound[1].clone_from(&before),
            move |nic| nic.inbound[1].clone_from(&after),
            expected,
        )
    };
    vec![
        list("nothing", flush(OPEN), flush(OPEN), SAME),
        list("rules that keep flows", keep(OPEN), keep(OTHER), KEPT),
        list("rules that flush", flush(OPEN), flush(OTHER), JUDGED),
        list("a list that keeps flows comes", None, keep(OPEN), KEPT),
        list("a list that flushes comes", None, flush(OPEN), JUDGED),
        list("a list that kept flows goes", keep(OPEN), None, KEPT),
        list("a list that flushed goes", flush(OPEN), None, JUDGED),
        list("it flushes from now on", keep(OPEN), flush(OPEN), JUDGED),
        list("it keeps flows from now on", flush(OPEN), keep(OPEN), KEPT),
        list("it is enforced, and flushes", audited(flush(OPEN)), flush(OPEN), JUDGED),
        list("it is enforced, and keeps flows", audited(keep(OPEN)), keep(OPEN), KEPT),
        list(
            "only its name changes",
            keep(OPEN),
            keep(OPEN).map(|policy| LayerPolicy { name: "another".into(), ..policy }),
            KEPT,
        ),
    ]
}

/// Changes of the rest of a NIC.
fn changes_of_the_nic() -> Vec<Change> {
    const KEPT: (bool, bool) = (true, false);
    const JUDGED: (bool, bool) = (true, true);
    let from_none = |name, after: fn(&mut NicPolicy), expected| change(name, |_| {}, after, expected);
    vec![
        from_none("the NIC is in audit", |nic| nic.audit = true, JUDGED),
        from_none("guards", |nic| nic.guards = Guards::NONE, JUDGED),
        from_none("the MAC address", |nic| nic.mac = Some(Mac([2; 6])), JUDGED),
        from_none("addresses", |nic| nic.owned = owned("10.0.0.4/32"), JUDGED),
        from_none("timeouts", |nic| nic.timeouts = Timeouts::of_flow_timeout_minutes(4), KEPT),
        from_none("limits", |nic| nic.limits = Limits { flows: 5, half_open: 5 }, KEPT),
        from_none("loose TCP", |nic| nic.loose_tcp = true, KEPT),
        from_none("the interface", |nic| nic.ifindex = LOOPBACK + 1, KEPT),
        change(
            "equal addresses and timeouts",
            |nic| (nic.owned, nic.timeouts) = (owned("fd00::/64"), Timeouts::of_flow_timeout_minutes(9)),
            |nic| (nic.owned, nic.timeouts) = (owned("fd00::/64"), Timeouts::of_flow_timeout_minutes(9)),
            (false, false),
        ),
    ]
}

#[test]
fn a_change_is_for_existing_flows_if_it_says_so() {
    for mut rig in Rig::each() {
        for (name, before, after, expected) in changes_of_lists().into_iter().chain(changes_of_the_nic()) {
            let (mut old, mut new) = (nic(LOOPBACK, SLOT), nic(LOOPBACK, SLOT));
            before(&mut old);
            after(&mut new);
            assert_eq!(effect(&mut rig, &old, &new), expected, "{name}");
        }
    }
}

#[test]
fn a_flow_that_is_still_allowed_goes_on_and_another_is_cut() {
    for mut rig in Rig::each() {
        let rules = |rules| move |nic: &mut NicPolicy| nic.outbound[2] = flush(rules);
        rig.publish_with(CLOSED, OPEN, rules(OPEN));
        for first in [tcp(VM, PEER, "S"), udp(VM, PEER)] {
            assert_eq!(rig.outbound(&first), Reason::Allowed);
        }
        rig.publish_with(CLOSED, OPEN, rules(&["allow tcp * * *", "deny * * * *"]));
        // Whichever way the next packet goes, the flow is judged as it began.
        assert_eq!(rig.inbound(&tcp(PEER, VM, "SA")), Reason::Established);
        assert_eq!(rig.inbound(&udp(PEER, VM)), Reason::PolicyCut);
        assert_eq!(rig.outbound(&udp(VM, PEER)), Reason::PolicyCut);
        let counters = rig.datapath.counters(SLOT).expect("counters are readable");
        assert_eq!((counters.flows_rejudged, counters.flows_cut, counters.flows), (1, 1, 2));
        // What policy allows again lives on.
        rig.publish_with(CLOSED, OPEN, rules(OPEN));
        assert_eq!(rig.inbound(&udp(PEER, VM)), Reason::Established);
    }
}

#[test]
fn a_list_that_keeps_flows_keeps_them_while_another_flushes() {
    for mut rig in Rig::each() {
        let rules = |kept, flushed| {
            move |nic: &mut NicPolicy| (nic.outbound[1], nic.outbound[2]) = (keep(kept), flush(flushed))
        };
        rig.publish_with(CLOSED, OPEN, rules(OPEN, OPEN));
        assert_eq!(rig.outbound(&udp(VM, PEER)), Reason::Allowed);
        rig.publish_with(CLOSED, OPEN, rules(CLOSED, OTHER));
        assert_eq!(rig.outbound(&udp(VM, PEER)), Reason::Established);
        assert_eq!(rig.outbound(&udp(VM, "192.0.2.1:444")), Reason::NetworkInterfaceDeny);
        rig.publish_with(CLOSED, OPEN, rules(CLOSED, CLOSED));
        assert_eq!(rig.outbound(&udp(VM, PEER)), Reason::PolicyCut);
    }
}

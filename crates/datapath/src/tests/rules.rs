//! Counters of rules: shared by NICs with the same list under the same name, kept across publishes, handed out at the end.

use palisade_abi::{counters::RuleCounters, flow::Direction, verdict::Reason};

use super::{
    adopt::reopen,
    rig::{LOOPBACK, Rig, SLOT, layer, nic, udp},
};
use crate::{BlobDigest, LayerPolicy, NicPolicy, Plane, RuleCounts, Watch};

const VM: &str = "10.0.0.4:1000";
const OPEN: &[&str] = &["allow * * * *"];
const DNS: &[&str] = &["allow udp * * 53", "deny * * * *"];

fn peer(port: u16) -> String {
    format!("192.0.2.1:{port}")
}

fn named(name: &str, rules: &[&str]) -> Option<LayerPolicy> {
    Some(LayerPolicy { name: name.into(), ..layer(rules) })
}

/// Allowed and denied packets of each rule under a name and direction.
fn counts(all: &[RuleCounts], name: &str, direction: Direction) -> Vec<(u64, u64)> {
    let found: Vec<_> =
        all.iter().filter(|counts| &*counts.name == name && counts.direction == direction).collect();
    let [one] = found[..] else { panic!("{name} is there once: {all:?}") };
    one.rows.iter().map(|RuleCounters { allowed, denied }| (*allowed, *denied)).collect()
}

#[test]
fn rules_count_flows_and_denials_by_name_direction_and_content() {
    for mut rig in Rig::each() {
        let mut policy = nic(LOOPBACK, SLOT);
        policy.outbound = [None, named("web", DNS), named("subnet", OPEN)];
        policy.inbound = [None, named("subnet", DNS), None];
        let mut twin = NicPolicy { ifindex: LOOPBACK + 1, slot: SLOT + 1, ..policy.clone() };
        twin.outbound[1] = named("db", DNS);
        rig.datapath.publish(&[policy, twin]).expect("the policy is published");
        for port in [53, 53, 54, 55, 55] {
            rig.outbound(&udp(VM, &peer(port)));
        }
        rig.outbound(&udp("10.0.0.4:1001", &peer(53)));
        let all = rig.datapath.rule_counters();
        // Two flows, three denied packets; the subnet is asked only about what the NIC's list allowed.
        assert_eq!(counts(&all, "web", Direction::Outbound), [(2, 0), (0, 3)]);
        assert_eq!(counts(&all, "subnet", Direction::Outbound), [(2, 0)]);
        assert_eq!(counts(&all, "subnet", Direction::Inbound), [(0, 0); 2]);
        assert_eq!(counts(&all, "db", Direction::Outbound), [(0, 0); 2]);
        assert_eq!(all.len(), 4);
        let web = all.iter().find(|counts| &*counts.name == "web").expect("it was found");
        assert_eq!(web.blob, BlobDigest::of(&layer(DNS).blob));
    }
}

#[test]
fn counters_outlive_publishes_and_processes_and_are_handed_out_once() {
    for mut rig in Rig::each() {
        let publish = |rig: &mut Rig, name, rules| {
            rig.publish_with(OPEN, OPEN, |nic| nic.outbound[1] = named(name, rules));
        };
        publish(&mut rig, "web", DNS);
        assert_eq!(rig.outbound(&udp(VM, &peer(53))), Reason::Allowed);
        publish(&mut rig, "web", DNS);
        let mut rig = reopen(rig);
        rig.outbound(&udp(VM, &peer(54)));
        assert_eq!(counts(&rig.datapath.rule_counters(), "web", Direction::Outbound), [(1, 0), (0, 1)]);
        assert_eq!(rig.datapath.take_retired(), []);
        // Another name, and then other rules under it, count from zero; what was counted before is told.
        publish(&mut rig, "db", DNS);
        let retired = rig.datapath.take_retired();
        assert_eq!((retired.len(), counts(&retired, "web", Direction::Outbound)), (1, vec![(1, 0), (0, 1)]));
        assert_eq!(retired[0].blob, BlobDigest::of(&layer(DNS).blob));
        assert_eq!(counts(&rig.datapath.rule_counters(), "db", Direction::Outbound), [(0, 0); 2]);
        rig.outbound(&udp(VM, &peer(55)));
        publish(&mut rig, "db", OPEN);
        assert_eq!(counts(&rig.datapath.rule_counters(), "db", Direction::Outbound), [(0, 0)]);
        assert_eq!(counts(&rig.datapath.take_retired(), "db", Direction::Outbound), [(0, 0), (0, 1)]);
        // What counted nothing is not worth telling.
        publish(&mut rig, "db", DNS);
        assert_eq!(rig.datapath.take_retired(), []);
    }
}

#[test]
fn counters_do_not_take_more_and_more_memory() {
    for mut rig in Rig::each() {
        rig.publish(DNS, OPEN);
        let free = rig.datapath.publisher.free_bytes();
        for round in 0..50 {
            let name = format!("round {round} {}", "x".repeat(round * 7));
            rig.publish_with(DNS, OPEN, |nic| nic.outbound[2] = named(&name, OPEN));
        }
        rig.publish(DNS, OPEN);
        rig.datapath.settle();
        assert_eq!(rig.datapath.publisher.free_bytes(), free);
    }
}

//! Publishing: all or nothing, blobs shared by content, generations, slots that change hands.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use palisade_abi::{arena::NICS_MAX, verdict::Reason};

use super::rig::{LOOPBACK, Rig, SLOT, list, nic, udp};
use crate::{
    Error, Guards, LAYER_NAME_BYTES_MAX, LayerPolicy, NicPolicy, Plane, Watch, publish::REPLACED_MAX,
};

const VM: &str = "10.0.0.4:1000";
const PEER: &str = "192.0.2.1:53";

fn nic_with(ifindex: u32, slot: u32, blob: &Arc<[u8]>) -> NicPolicy {
    let mut policy = nic(ifindex, slot);
    policy.inbound[1] = Some(LayerPolicy::new("subnet", Arc::clone(blob)));
    policy.outbound[2] = Some(LayerPolicy::new("subnet", Arc::clone(blob)));
    policy
}

#[test]
fn equal_rules_are_stored_once() {
    for mut rig in Rig::each() {
        let shared = list(&["allow * * * *"]);
        let nics: Vec<_> =
            (1..=16).map(|number| nic_with(number, number, &list(&["allow * * * *"]))).collect();
        rig.datapath.publish(&nics).expect("the policy is published");
        assert_eq!(rig.datapath.blobs(), (1, shared.len()));
        rig.datapath.publish(&nics).expect("the policy is published");
        assert_eq!(rig.datapath.blobs(), (1, shared.len()));
        rig.datapath.publish(&[]).expect("the policy is published");
        rig.datapath.settle();
        assert_eq!(rig.datapath.blobs(), (0, 0));
    }
}

#[test]
fn a_nic_keeps_its_generation_while_its_rules_stay() {
    for mut rig in Rig::each() {
        let (open, closed) = (list(&["allow * * * *"]), list(&["deny * * * *"]));
        let mut generations = |first: &Arc<[u8]>, second: &Arc<[u8]>| {
            let nics = [nic_with(5, 1, first), nic_with(6, 2, second)];
            let generation = rig.datapath.publish(&nics).expect("the policy is published");
            assert_eq!(rig.datapath.generation(), generation);
            let mut nics = rig.datapath.nics();
            nics.sort_by_key(|nic| nic.slot);
            (generation, nics[0].generation, nics[1].generation)
        };
        assert_eq!(generations(&open, &open), (1, 1, 1));
        assert_eq!(generations(&open, &closed), (2, 1, 2));
        assert_eq!(generations(&open, &closed), (3, 1, 2));
        assert_eq!(generations(&closed, &closed), (4, 4, 2));
    }
}

#[test]
fn a_policy_that_is_refused_changes_nothing() {
    for mut rig in Rig::each_with_rules(&["allow * * * *"], &["allow * * * *"]) {
        let before = (rig.datapath.generation(), rig.datapath.nics(), rig.datapath.blobs());
        let good = list(&["deny * * * *"]);
        let mut damaged = good.to_vec();
        damaged[200] ^= 0xff;
        type Refused = (Vec<NicPolicy>, fn(&Error) -> bool);
        let with = |change: &dyn Fn(&mut NicPolicy)| {
            let mut nic = nic_with(9, 2, &good);
            change(&mut nic);
            vec![nic]
        };
        let addresses = |count: u32| (0..count).map(|n| IpAddr::from(Ipv4Addr::from(2 * n)));
        let name = "x".repeat(LAYER_NAME_BYTES_MAX + 1);
        let refused: [Refused; 9] = [
            (vec![nic_with(LOOPBACK, SLOT, &good), nic_with(9, 2, &damaged.into())], |e| {
                matches!(e, Error::Blob { slot: 2, .. })
            }),
            (vec![nic_with(9, 2, &Arc::from([0; 4]))], |e| matches!(e, Error::Blob { .. })),
            (vec![nic(9, 2), nic(9, 3)], |e| matches!(e, Error::BadNic { field: "interface", value: 9, .. })),
            (vec![nic(8, 2), nic(9, 2)], |e| matches!(e, Error::BadNic { field: "slot", value: 2, .. })),
            (vec![nic(8, 17)], |e| matches!(e, Error::BadNic { field: "slot", value: 17, max: 16 })),
            ((1..=NICS_MAX as u32 + 1).map(|n| nic(n, n)).collect(), |e| {
                matches!(e, Error::TooManyNics { .. })
            }),
            (with(&|nic| nic.guards = Guards::MAC), |e| matches!(e, Error::NoMac { slot: 2 })),
            (with(&|nic| nic.owned = addresses(513).collect()), |e| {
                matches!(e, Error::TooManyRanges { slot: 2, got: 513, max: 512, .. })
            }),
            (with(&|nic| nic.inbound[1] = Some(LayerPolicy::new(&*name, good.clone()))), |e| {
                matches!(e, Error::LayerName { slot: 2, bytes: 1025, max: 1024, .. })
            }),
        ];
        for (nics, is_expected) in refused {
            let error = rig.datapath.publish(&nics).expect_err("the policy is refused");
            assert!(is_expected(&error), "{error}");
            assert_eq!((rig.datapath.generation(), rig.datapath.nics(), rig.datapath.blobs()), before);
        }
        assert_eq!(rig.outbound(&udp(VM, PEER)), Reason::Allowed);
    }
}

#[test]
fn a_full_memory_refuses_and_recovers() {
    for mut rig in Rig::each_with_rules(&["allow * * * *"], &["allow * * * *"]) {
        let before = rig.datapath.blobs();
        rig.datapath.publisher.leave_free(24 << 10);
        let nics: Vec<_> = (1..=16)
            .map(|number| nic_with(number, number, &list(&[&format!("allow tcp * * {number}")])))
            .collect();
        let error = rig.datapath.publish(&nics).expect_err("the memory is full");
        assert!(matches!(error, Error::MemoryFull { .. }), "{error}");
        assert_eq!(rig.datapath.blobs(), before);
        assert_eq!(rig.outbound(&udp(VM, PEER)), Reason::Allowed);
        rig.datapath.publish(&nics[..3]).expect("a part of it fits");
        rig.datapath.publish(&nics[3..6]).expect("it fits again and again");
    }
}

#[test]
fn a_slot_that_changes_hands_starts_clean() {
    for mut rig in Rig::each_with_rules(&["deny * * * *"], &["allow * * * *"]) {
        assert_eq!(rig.outbound(&udp(VM, PEER)), Reason::Allowed);
        rig.datapath.publish(&[]).expect("the policy is published");
        assert_eq!(rig.inbound(&udp(PEER, VM)), Reason::NoDescriptor);
        rig.publish(&["deny * * * *"], &["allow * * * *"]);
        assert_eq!(rig.inbound(&udp(PEER, VM)), Reason::SubnetDeny);
        let counters = rig.datapath.counters(SLOT).expect("counters are readable");
        assert_eq!((counters.outbound.packets(), counters.flows), (0, 0));
    }
}

#[test]
fn a_slot_that_stays_keeps_its_flows_across_interfaces() {
    for mut rig in Rig::each_with_rules(&["deny * * * *"], &["allow * * * *"]) {
        assert_eq!(rig.outbound(&udp(VM, PEER)), Reason::Allowed);
        let moved = nic_with(LOOPBACK + 1, SLOT, &list(&["deny * * * *"]));
        rig.datapath.publish(&[moved]).expect("the policy is published");
        rig.publish(&["deny * * * *"], &["allow * * * *"]);
        assert_eq!(rig.inbound(&udp(PEER, VM)), Reason::Established);
    }
}

#[test]
fn many_publishes_reuse_memory() {
    for mut rig in Rig::each() {
        for round in 0..200 {
            let rule = format!("allow udp * * {}", 1000 + round);
            rig.publish(&[&rule], &["allow * * * *"]);
            assert!(rig.datapath.blobs().0 <= 2 + REPLACED_MAX, "what is replaced is freed in the end");
            assert_eq!(rig.inbound(&udp(PEER, &format!("10.0.0.4:{}", 1000 + round))), Reason::Allowed);
            assert_eq!(rig.inbound(&udp(PEER, "10.0.0.4:999")), Reason::SubnetDeny);
        }
        rig.datapath.settle();
        assert_eq!(rig.datapath.blobs().0, 2);
        let free = rig.datapath.publisher.free_bytes();
        rig.datapath.publish(&[]).expect("the policy is published");
        rig.datapath.settle();
        let whole = rig.datapath.publisher.free_bytes();
        assert!(whole - free < 1 << 16, "memory grows: {} bytes are taken", whole - free);
    }
}

//! Attaching to real interfaces: a veth pair in a network namespace that ends with the test's thread.

use std::{fs::File, io::Write as _, os::fd::AsFd, process::Command};

use nix::sched::{CloneFlags, unshare};
use palisade_abi::verdict::Reason;

use super::{
    rig::{Rig, SLOT, layer, nic, udp, wait},
    shared::link::{index, packet_socket},
};
use crate::{Attachment, Config, NicKind, Plane, Watch, sys};

/// Puts this thread into a new network namespace with the veth pair `host0` (host side) and `vm0`.
pub(super) fn veth() -> (u32, u32) {
    unshare(CloneFlags::CLONE_NEWNET).expect("root may make namespaces");
    ip(&["link", "add", "host0", "type", "veth", "peer", "name", "vm0"]);
    ip(&["link", "set", "host0", "up"]);
    ip(&["link", "set", "vm0", "up"]);
    (index("host0"), index("vm0"))
}

/// Sends a frame out of an interface; a program that drops it there makes that fail.
pub(super) fn send(ifindex: u32, frame: &[u8]) {
    let _dropped = File::from(packet_socket(ifindex, 0)).write(frame);
}

/// Runs `ip`.
pub(super) fn ip(args: &[&str]) {
    let status = Command::new("ip").args(args).status().expect("iproute2 is installed");
    assert!(status.success(), "ip {args:?}");
}

/// Packets counted for a reason, from the VM and to it.
pub(super) fn counted(rig: &Rig, reason: Reason) -> (u64, u64) {
    let counters = rig.datapath.counters(SLOT).expect("counters are readable");
    let of = |reasons: &std::collections::BTreeMap<_, u64>| reasons.get(&reason).copied().unwrap_or(0);
    (of(&counters.outbound.reasons), of(&counters.inbound.reasons))
}

fn publish(rig: &mut Rig, ifindex: u32, kind: NicKind) {
    let mut policy = nic(ifindex, SLOT);
    policy.kind = kind;
    policy.inbound[1] = Some(layer(&["deny udp * * *", "allow * * * *"]));
    policy.outbound[2] = Some(layer(&["allow * * * *"]));
    rig.datapath.publish(&[policy]).expect("the policy is published");
}

#[test]
fn packets_are_judged_in_both_directions() {
    for mut rig in Rig::each() {
        let (host, vm) = veth();
        let out = udp("10.0.0.4:1000", "192.0.2.1:53").build().expect("a packet");
        let into = udp("192.0.2.9:53", "10.0.0.4:1000").build().expect("a packet");
        // An inverted interface shows what comes from the VM as going out, as a macvtap does.
        for (kind, from_vm, to_vm) in [(NicKind::Direct, vm, host), (NicKind::Inverted, host, vm)] {
            rig.datapath.publish(&[]).expect("the policy is published");
            publish(&mut rig, host, kind);
            rig.datapath.detach(host).expect("nothing is in the way");
            rig.datapath.attach(host, kind).expect("the interface is there");
            rig.datapath.attach(host, kind).expect("it is attached already");
            assert_eq!(
                rig.datapath.attached().expect("links are readable"),
                [Attachment { ifindex: host, kind }]
            );
            send(from_vm, &out);
            send(to_vm, &into);
            // Test runs do not take a frame that ends inside the IP header.
            send(from_vm, &out[..30]);
            wait("the packets to be judged", || {
                counted(&rig, Reason::Allowed).0 >= 1
                    && counted(&rig, Reason::SubnetDeny).1 >= 1
                    && counted(&rig, Reason::Malformed).0 >= 1
            });
        }
    }
}

#[test]
fn links_outlive_the_process_and_vanish_with_the_interface() {
    for mut rig in Rig::each() {
        let (host, vm) = veth();
        publish(&mut rig, host, NicKind::Direct);
        rig.datapath.attach(host, NicKind::Direct).expect("the interface is there");
        let config = rig.config.clone();
        let mut rig = super::adopt::reopen(rig);
        assert_eq!(rig.datapath.attached().expect("links are readable").len(), 1);
        send(vm, &udp("10.0.0.4:1000", "192.0.2.1:53").build().expect("a packet"));
        wait("the packet to be judged", || counted(&rig, Reason::Allowed).0 >= 1);
        // A new program reaches the interface without a moment of none.
        let before = linked_program(&rig.config, host);
        let program = std::mem::offset_of!(palisade_abi::arena::Root, program) as u32;
        rig.datapath.observer.memory().write(program, &[0; 4]);
        rig = super::adopt::reopen(rig);
        assert_ne!(linked_program(&rig.config, host), before);
        ip(&["link", "del", "host0"]);
        assert_eq!(rig.datapath.attached().expect("links are readable"), []);
        let rig = super::adopt::reopen(rig);
        let pins = std::fs::read_dir(config.pin_dir.join("links")).expect("the directory is there").count();
        assert_eq!((pins, rig.datapath.pin_dir()), (0, config.pin_dir.as_path()));
    }
}

/// The program that the pinned link of an interface runs.
pub(super) fn linked_program(config: &Config, ifindex: u32) -> u32 {
    let link = sys::get(&config.pin_dir.join("links").join(format!("{ifindex}-from_vm")));
    sys::link_info(link.expect("the link is pinned").as_fd()).expect("the kernel knows it").program_id
}

#[test]
fn an_interface_without_descriptor_drops_everything() {
    for mut rig in Rig::each() {
        let (host, vm) = veth();
        publish(&mut rig, host + 1000, NicKind::Direct);
        rig.datapath.attach(host, NicKind::Direct).expect("the interface is there");
        send(vm, &udp("10.0.0.4:1000", "192.0.2.1:53").build().expect("a packet"));
        wait("the packet to be dropped", || {
            let unknown = rig.datapath.counters(0).expect("counters are readable");
            unknown.outbound.reasons.contains_key(&Reason::NoDescriptor)
        });
        rig.datapath.detach(host).expect("it is attached");
        rig.datapath.detach(host).expect("detaching twice is no error");
        assert_eq!(rig.datapath.attached().expect("links are readable"), []);
        assert!(rig.datapath.attach(host + 1000, NicKind::Direct).is_err());
    }
}

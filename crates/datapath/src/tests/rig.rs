//! A datapath of its own for each test, what it is asked, and what tests say it with.

use std::time::Duration;

use palisade_abi::{flow::Direction, verdict::Reason};
use palisade_net::packet::Packet;

pub(super) use super::shared::{
    can_run,
    packets::{icmp, other, tcp, udp},
    pins::{Pins, pin_dir},
    rules::list,
    wait,
};
use crate::{
    Config, Datapath, FlowEntry, LayerPolicy, MemoryChoice, NicPolicy, Plane, Report, Sizes, Sweep,
    TestPacket,
};

/// The loopback interface: test runs need one that exists.
pub(super) const LOOPBACK: u32 = 1;
/// Slot of the NIC that tests publish.
pub(super) const SLOT: u32 = 7;

/// A datapath that is removed when the test ends.
pub(super) struct Rig {
    pub(super) datapath: Datapath,
    pub(super) config: Config,
    /// After the datapath, which must be closed first.
    pub(super) pins: Pins,
}

/// The kinds of memory that tests run with; none if this process may not have a datapath.
pub(super) fn memories() -> &'static [MemoryChoice] {
    if can_run() { &[MemoryChoice::Arena, MemoryChoice::Array] } else { &[] }
}

impl Rig {
    /// A loaded datapath without policy for each kind of memory; none if this process may not have one.
    pub(super) fn each() -> impl Iterator<Item = Self> {
        Self::each_with(|_| {})
    }

    /// The same, configured otherwise.
    pub(super) fn each_with(change: impl Fn(&mut Config)) -> impl Iterator<Item = Self> {
        memories().iter().map(move |memory| Self::of(*memory, &change))
    }

    /// A loaded datapath with this kind of memory.
    pub(super) fn of(memory: MemoryChoice, change: impl FnOnce(&mut Config)) -> Self {
        println!("memory: {memory:?}");
        let mut config = small();
        config.memory = memory;
        change(&mut config);
        let pins = Pins(config.pin_dir.clone());
        Self { datapath: Datapath::open(&config).expect("the datapath loads"), config, pins }
    }

    /// One NIC on the loopback interface with these inbound and outbound subnet rules.
    pub(super) fn each_with_rules(inbound: &[&str], outbound: &[&str]) -> impl Iterator<Item = Self> {
        Self::each().map(|mut rig| {
            rig.publish(inbound, outbound);
            rig
        })
    }

    pub(super) fn publish(&mut self, inbound: &[&str], outbound: &[&str]) -> u64 {
        self.publish_with(inbound, outbound, |_| {})
    }

    /// The same, with a NIC that is changed before.
    pub(super) fn publish_with(
        &mut self,
        inbound: &[&str],
        outbound: &[&str],
        change: impl FnOnce(&mut NicPolicy),
    ) -> u64 {
        let mut nic = nic(LOOPBACK, SLOT);
        nic.inbound[1] = Some(layer(inbound));
        nic.outbound[2] = Some(layer(outbound));
        change(&mut nic);
        self.datapath.publish(&[nic]).expect("the policy is published")
    }

    /// What becomes of a frame.
    pub(super) fn frame(&self, direction: Direction, frame: &[u8]) -> Reason {
        let packet = TestPacket { direction, ifindex: LOOPBACK, bytes: frame, segments: (0, 0) };
        let outcome = self.datapath.run_packet(&packet).expect("the kernel takes the packet");
        assert_eq!(outcome.passes, !outcome.reason.is_drop(), "{outcome:?}");
        outcome.reason
    }

    /// What becomes of a packet from the VM.
    pub(super) fn outbound(&self, packet: &Packet) -> Reason {
        self.frame(Direction::Outbound, &packet.build().expect("the packet can be written"))
    }

    /// What becomes of a packet to the VM.
    pub(super) fn inbound(&self, packet: &Packet) -> Reason {
        self.frame(Direction::Inbound, &packet.build().expect("the packet can be written"))
    }

    /// Every flow in the table.
    pub(super) fn flows(&self) -> Vec<FlowEntry> {
        self.datapath.flows().collect()
    }

    /// The only flow in the table.
    pub(super) fn flow(&self) -> FlowEntry {
        let flows = self.flows();
        assert_eq!(flows.len(), 1, "{flows:?}");
        flows[0]
    }

    /// Sweeps, and forgets what there is to tell.
    pub(super) fn sweep(&mut self) -> Sweep {
        self.datapath.sweep(Report::Ends, &mut |_| {}).expect("the sweep runs")
    }
}

/// A datapath to be opened by hand: few flows, and no grace for connections in the middle.
pub(super) fn small() -> Config {
    let mut config = Config::new(pin_dir());
    config.sizes = Sizes { flows: 1024, slots: 16 };
    config.grace = Duration::ZERO;
    config
}

/// A NIC without any rule list.
pub(super) fn nic(ifindex: u32, slot: u32) -> NicPolicy {
    NicPolicy::new(ifindex, slot)
}

/// A layer of these rules, named after them.
pub(super) fn layer(rules: &[&str]) -> LayerPolicy {
    LayerPolicy::new(rules.join("; "), list(rules))
}

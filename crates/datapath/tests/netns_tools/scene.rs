//! A host with the interface of one machine, which the datapath guards, and a peer beyond it.
//!
//! ```text
//!   peer: eth0 --- net0 :host: vm0 --- eth0 :machine
//! ```
//!
//! The host joins the two by a bridge, or it routes between two networks. The machine is guarded by everything there is.

use std::{net::IpAddr, path::Path, time::Duration};

use palisade_abi::{flow::Direction, verdict::Reason};
use palisade_datapath::{
    Config, Datapath, DirectionCounters, Event, FlowEntry, Guards, LayerPolicy, NicKind, NicPolicy, Plane,
    Sizes, SlotCounters, Watch,
};
use palisade_net::Mac;

use crate::{
    namespace::Namespace,
    shared::{can_run, link, pins, pins::Pins, rules, wait},
};

/// Slot of the machine's NIC.
pub const SLOT: u32 = 7;
/// Everything passes, and nothing.
pub const OPEN: &[&str] = &["allow * * * *"];
pub const CLOSED: &[&str] = &["deny * * * *"];

/// Who is reached how.
#[derive(Debug, Clone, Copy)]
pub struct Station {
    pub v4: &'static str,
    pub v6: &'static str,
    pub mac: Mac,
}

/// The machine.
pub const VM: Station = station("10.0.0.4", "fd00::4", 4);
/// The peer, where the host is a bridge.
pub const PEER: Station = station("10.0.0.9", "fd00::9", 9);
/// The peer, where the host is a router.
pub const FAR: Station = station("10.9.0.9", "fd09::9", 9);

const fn station(v4: &'static str, v6: &'static str, number: u8) -> Station {
    Station { v4, v6, mac: Mac([0x52, 0x54, 0, 0, 0, number]) }
}

impl Station {
    /// Its addresses, IPv4 first.
    pub fn addresses(&self) -> [IpAddr; 2] {
        [self.v4, self.v6].map(|text| text.parse().expect("an address"))
    }
}

/// How the host joins its interfaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    Bridge,
    Router,
}

/// All of it; nothing is left once it is dropped.
pub struct Scene {
    pub datapath: Datapath,
    /// The NIC without rules: who it is, and where.
    pub nic: NicPolicy,
    pub host: Namespace,
    pub vm: Namespace,
    pub peer: Namespace,
    pub config: Config,
    /// After the datapath, which must be closed first.
    pub _pins: Pins,
}

impl Scene {
    /// A scene whose machine nothing reaches yet; `None`, with the reason printed, where there can be none. The calling thread
    /// is the host's from then on.
    pub fn open(kind: Host) -> Option<Self> {
        Self::open_with(kind, |_| {})
    }

    /// The same, with a datapath that is configured otherwise.
    pub fn open_with(kind: Host, change: impl FnOnce(&mut Config)) -> Option<Self> {
        if !can_run() {
            return None;
        }
        let [host, vm, peer] = [(); 3].map(|()| Namespace::new());
        host.move_in();
        host.ip(&join(&vm, "vm0", "eth0", VM.mac));
        host.ip(&join(&peer, "net0", "eth0", PEER.mac));
        match kind {
            Host::Bridge => bridge(&host, &vm, &peer),
            Host::Router => route(&host, &vm, &peer),
        }
        let pin_dir = pins::pin_dir();
        let pins = Pins(pin_dir.clone());
        let mut config = config(&pin_dir);
        change(&mut config);
        let mut datapath = Datapath::open(&config).expect("the datapath loads");
        let vm0 = link::index("vm0");
        datapath.attach(vm0, NicKind::Direct).expect("the interface is there");
        Some(Self { datapath, nic: guarded(vm0), host, vm, peer, config, _pins: pins })
    }

    /// Puts rules into force at the machine's subnet, for what goes to it and what comes from it.
    pub fn publish(&mut self, inbound: &[&str], outbound: &[&str]) -> u64 {
        self.publish_with(inbound, outbound, |_| {})
    }

    /// The same, with a NIC that is changed before.
    pub fn publish_with(
        &mut self,
        inbound: &[&str],
        outbound: &[&str],
        change: impl FnOnce(&mut NicPolicy),
    ) -> u64 {
        let mut nic = self.nic.clone();
        nic.inbound[1] = Some(layer(inbound));
        nic.outbound[2] = Some(layer(outbound));
        change(&mut nic);
        self.datapath.publish(&[nic]).expect("the policy is published")
    }

    pub fn counters(&self) -> SlotCounters {
        self.datapath.counters(SLOT).expect("counters are readable")
    }

    /// Packets that were counted for a reason until now.
    pub fn counted(&self, direction: Direction, reason: Reason) -> u64 {
        of(self.counters().direction(direction), reason)
    }

    /// Flows with the machine at this port of its own.
    pub fn flows_at(&self, port: u16) -> Vec<FlowEntry> {
        self.datapath.flows().filter(|flow| flow.id.local.1 == port).collect()
    }

    /// What the kernel has told since it was last asked.
    pub fn events(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        self.datapath.drain_events(usize::MAX, &mut |event| events.push(event));
        events
    }

    /// Waits until so many packets were counted for a reason.
    pub fn wait_for(&self, direction: Direction, reason: Reason, packets: u64) {
        wait(&format!("{packets} of {reason}"), || self.counted(direction, reason) >= packets);
    }
}

/// A small datapath that lets no connection in which it meets in the middle.
pub fn config(pins: &Path) -> Config {
    let mut config = Config::new(pins);
    config.sizes = Sizes { flows: 1 << 14, slots: 16 };
    config.grace = Duration::ZERO;
    config
}

/// Packets of one reason.
pub fn of(counters: &DirectionCounters, reason: Reason) -> u64 {
    counters.reasons.get(&reason).copied().unwrap_or(0)
}

/// An enforced list that flows are judged again by, named after its rules.
pub fn layer(rules: &[&str]) -> LayerPolicy {
    LayerPolicy { flush: true, ..LayerPolicy::new(rules.join("; "), rules::list(rules)) }
}

/// The machine's NIC, guarded by everything, at an interface.
pub fn guarded(ifindex: u32) -> NicPolicy {
    NicPolicy {
        guards: Guards::ALL,
        mac: Some(VM.mac),
        owned: VM.addresses().into_iter().collect(),
        ..NicPolicy::new(ifindex, SLOT)
    }
}

fn join(to: &Namespace, near: &str, far: &str, mac: Mac) -> String {
    format!("link add {near} type veth peer name {far} address {mac} netns {}\nlink set {near} up", to.path())
}

fn settle(at: &Namespace, who: &Station) {
    at.ip(&format!(
        "link set eth0 up\naddress add {}/24 dev eth0\naddress add {}/64 dev eth0 nodad",
        who.v4, who.v6
    ));
}

fn bridge(host: &Namespace, vm: &Namespace, peer: &Namespace) {
    // A bridge that snoops reports groups of its own, which no rule of a test lets in.
    host.ip("link add br0 type bridge mcast_snooping 0\nlink set br0 up\nlink set vm0 master br0\nlink set net0 master br0");
    settle(vm, &VM);
    settle(peer, &PEER);
}

fn route(host: &Namespace, vm: &Namespace, peer: &Namespace) {
    host.set("ipv4/ip_forward", "1");
    host.set("ipv6/conf/all/forwarding", "1");
    for (interface, v4, v6) in [("vm0", "10.0.0.1", "fd00::1"), ("net0", "10.9.0.1", "fd09::1")] {
        host.ip(&format!("address add {v4}/24 dev {interface}\naddress add {v6}/64 dev {interface} nodad"));
    }
    for (at, who, v4, v6) in [(vm, &VM, "10.0.0.1", "fd00::1"), (peer, &FAR, "10.9.0.1", "fd09::1")] {
        settle(at, who);
        at.ip(&format!("route add default via {v4}\nroute add default via {v6}"));
    }
}

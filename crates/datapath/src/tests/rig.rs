//! A datapath of its own for each test, rule lists as text, and packets in one line.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use palisade_abi::{
    flow::Direction,
    verdict::{Action, Reason},
};
use palisade_classify::{Row, blob, table::Limits};
use palisade_net::{
    AddressSet, Family, PortRange, Prefix, Protocol, ProtocolMatch,
    packet::{IcmpBody, Packet, TcpFlags, Transport},
};

use crate::{
    Config, Datapath, FlowEntry, LayerPolicy, MemoryChoice, NicPolicy, Plane, Report, Sizes, Sweep,
    TestPacket, pins,
};

/// The loopback interface: test runs need one that exists.
pub(super) const LOOPBACK: u32 = 1;
/// Slot of the NIC that tests publish.
pub(super) const SLOT: u32 = 7;

const HOME: &str = "/sys/fs/bpf";
const PREFIX: &str = "palisade-test-";

/// A datapath that is removed when the test ends.
pub(super) struct Rig {
    pub(super) datapath: Datapath,
    pub(super) config: Config,
    /// After the datapath, which must be closed first.
    pub(super) pins: Pins,
}

/// A pin directory that nobody else uses.
pub(super) fn pin_dir() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    remove_leftovers();
    Path::new(HOME).join(format!("{PREFIX}{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// Removes the pins of test processes that crashed.
fn remove_leftovers() {
    for entry in fs::read_dir(HOME).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            // Another test may remove it at the same time.
            let _ = pins::remove_tree(&entry.path());
        }
    }
}

/// Whether kernel tests can run here; says so if not.
pub(super) fn can_run() -> bool {
    // SAFETY: no arguments, no memory.
    let root = unsafe { libc::geteuid() } == 0;
    if !root {
        eprintln!("skipped: loading a kernel program needs root");
    }
    root
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

/// Pins that are removed when the test ends, and with them the links.
pub(super) struct Pins(pub(super) PathBuf);

impl Drop for Pins {
    fn drop(&mut self) {
        // A test of the removal itself has done it already.
        let _ = pins::remove_tree(&self.0);
    }
}

/// Waits for a condition, for ten seconds at most.
pub(super) fn wait(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(10), "waited in vain for {what}");
        std::thread::yield_now();
    }
}

/// A NIC without any rule list.
pub(super) fn nic(ifindex: u32, slot: u32) -> NicPolicy {
    NicPolicy::new(ifindex, slot)
}

/// A layer of these rules, named after them.
pub(super) fn layer(rules: &[&str]) -> LayerPolicy {
    LayerPolicy::new(rules.join("; "), list(rules))
}

/// A blob from rules like `allow tcp * 10.0.0.4/32 80` (action, protocol, source, destination, ports); what no rule
/// matches is a miss.
pub(super) fn list(rules: &[&str]) -> Arc<[u8]> {
    let rows: Vec<Row> = rules.iter().map(|rule| row(rule)).collect();
    blob::compile(&rows, &Limits::default()).expect("the rules are few").into()
}

pub(super) fn row(text: &str) -> Row {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [action, protocol, source, destination, ports] = fields[..] else { panic!("five fields: {text}") };
    let addresses = |text: &str| match text {
        "*" => AddressSet::full(),
        prefix => [prefix.parse::<Prefix>().expect("a prefix")].into_iter().collect(),
    };
    Row {
        action: match action {
            "allow" => Action::Allow,
            "deny" => Action::Deny,
            "always" => Action::AlwaysAllow,
            "closed" => Action::Closed,
            other => panic!("no action: {other}"),
        },
        protocol: protocol.parse::<ProtocolMatch>().expect("a protocol"),
        sources: addresses(source),
        destinations: addresses(destination),
        destination_ports: [ports.parse::<PortRange>().expect("ports")].into_iter().collect(),
        ..Row::any(Action::Allow)
    }
}

fn socket(text: &str) -> SocketAddr {
    text.parse().expect("address:port")
}

fn between(source: SocketAddr, destination: SocketAddr, transport: Transport) -> Packet {
    Packet::new(source.ip(), destination.ip(), transport)
}

/// A TCP segment; flags by their first letters: `S`, `SA`, `A`, `FA`, `R`.
pub(super) fn tcp(source: &str, destination: &str, flags: &str) -> Packet {
    let (source, destination) = (socket(source), socket(destination));
    let flags = flags.chars().fold(TcpFlags::default(), |all, flag| {
        all.with(match flag {
            'S' => TcpFlags::SYN,
            'A' => TcpFlags::ACK,
            'F' => TcpFlags::FIN,
            'R' => TcpFlags::RST,
            other => panic!("no flag: {other}"),
        })
    });
    let ports = (source.port(), destination.port());
    between(source, destination, Transport::Tcp { source_port: ports.0, destination_port: ports.1, flags })
}

/// A UDP datagram.
pub(super) fn udp(source: &str, destination: &str) -> Packet {
    let (source, destination) = (socket(source), socket(destination));
    let ports = (source.port(), destination.port());
    between(source, destination, Transport::Udp { source_port: ports.0, destination_port: ports.1 })
}

/// An ICMP message of the addresses' family.
pub(super) fn icmp(source: &str, destination: &str, kind: u8, body: IcmpBody) -> Packet {
    let (source, destination) =
        (source.parse().expect("an address"), destination.parse().expect("an address"));
    Packet::new(source, destination, Transport::Icmp { family: Family::of(source), kind, code: 0, body })
}

/// A packet of another protocol.
pub(super) fn other(source: &str, destination: &str, protocol: u8) -> Packet {
    let (source, destination) =
        (source.parse().expect("an address"), destination.parse().expect("an address"));
    Packet::new(source, destination, Transport::Other(Protocol(protocol)))
}

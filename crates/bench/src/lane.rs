//! One firewall at one site, ready to be measured: its rules are in force and were found to be the right ones.
//!
//! Packets are injected at the router's interfaces and end behind the firewall ([`crate::kernel`]), so the processor time of
//! the injecting thread is the whole way of a packet through the router and nothing else. Lanes are alike but for the
//! firewall. It must not decide what is measured how often.

use std::time::Duration;

use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};
use palisade_net::{
    Family, Flow, Mac,
    packet::{Packet, TcpFlags, Transport},
};

use crate::{
    conntrack,
    error::{Context, Error, Result},
    kernel::{
        inject::{End, Flows, Injector, low_half},
        sink::Sink,
    },
    ours::{Ours, Policy},
    peers::Peer,
    rules::{RuleSet, SERVICE_PORT, clients, machine},
    site::Site,
};

/// What stands at the router.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Firewall {
    /// Nothing: plain forwarding.
    None,
    /// The datapath.
    Ours,
    /// What a user would pick instead.
    Peer(Peer),
}

impl Firewall {
    /// As it is printed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "no firewall",
            Self::Ours => "palisade",
            Self::Peer(peer) => peer.name(),
        }
    }
}

/// A rule set, and what its NSG comes to.
#[derive(Debug)]
pub struct Rules {
    /// The rules.
    pub set: RuleSet,
    /// The same as an NSG.
    pub policy: Policy,
}

/// Flows whose packets all differ: 2^30, of 32,768 clients with 32,768 ports each.
const NEW: Flows = Flows { bits: 30, port_bits: 15, port: 32_768, address: 0 };
/// Probes of a firewall before it is measured.
const PROBES: usize = 100;
const PROBE_SEED: u64 = 17;

/// A site with its firewall.
#[derive(Debug)]
pub struct Lane {
    firewall: Firewall,
    family: Family,
    // Before the site: it is detached while its interfaces are there.
    ours: Option<Ours>,
    sinks: Sinks,
    opening: Injector,
    site: Site,
}

#[derive(Debug)]
struct Sinks {
    to_machine: Sink,
    to_clients: Sink,
}

/// Connections that are open, and packets of them.
#[derive(Debug)]
pub struct Open {
    count: u32,
    data: Injector,
}

impl Lane {
    /// Builds a site, puts the rules in force, and tries them.
    ///
    /// # Errors
    /// [`Error::Disagrees`] if the firewall does not do what the rules say; otherwise what a tool or the kernel refuses.
    pub fn build(firewall: Firewall, rules: &Rules) -> Result<Self> {
        let site = Site::build()?;
        let (router, family) = (site.router(), rules.set.family);
        let ours = match firewall {
            Firewall::None => None,
            Firewall::Ours => Some(Ours::enforce(&router, site.to_machine(), &rules.policy)?),
            Firewall::Peer(peer) => {
                peer.enforce(&router, &rules.set)?;
                None
            }
        };
        let sinks = router.enter(|| {
            let attach =
                |ifindex| Sink::attach(ifindex).context(|| format!("attach a sink to interface {ifindex}"));
            Ok::<_, Error>(Sinks {
                to_machine: attach(site.to_machine())?,
                to_clients: attach(site.to_clients())?,
            })
        })??;
        let opening = injector(&inward(family, NEW, TcpFlags::SYN), End::Source, NEW, site.to_clients())?;
        let mut lane = Self { firewall, family, ours, sinks, opening, site };
        if firewall != Firewall::None {
            lane.verify(rules)?;
        }
        Ok(lane)
    }

    /// What stands here.
    pub const fn firewall(&self) -> Firewall {
        self.firewall
    }

    /// Forgets every connection.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn forget(&mut self) -> Result<()> {
        match &mut self.ours {
            Some(ours) => ours.clear(),
            None if self.firewall == Firewall::None => Ok(()),
            None => self.site.router().enter(conntrack::flush)?.context(|| "flush conntrack".into()),
        }
    }

    /// Sends first packets, each of another connection, and says what one took of the processor, in nanoseconds.
    ///
    /// # Errors
    /// [`Error::Lost`] if not all of them passed.
    pub fn open_flows(&self, packets: u32) -> Result<f64> {
        self.send(&self.opening, packets, "new flows")
    }

    /// Opens connections by handshakes: 2 to the power of `bits`, of 2^`port_bits` ports at as many clients as that takes.
    ///
    /// # Errors
    /// [`Error::Lost`] if not all of their packets passed.
    pub fn establish(&self, bits: u32, port_bits: u32) -> Result<Open> {
        let flows = Flows { bits, port_bits, port: 1_024, address: 0 };
        let ack = TcpFlags::ACK;
        let (up, vm) = (self.site.to_clients(), self.site.to_machine());
        let syn = injector(&inward(self.family, flows, TcpFlags::SYN), End::Source, flows, up)?;
        let answer =
            injector(&outward(self.family, flows, TcpFlags::SYN.with(ack)), End::Destination, flows, vm)?;
        let data = injector(&inward(self.family, flows, ack), End::Source, flows, up)?;
        let count = 1 << bits;
        self.send(&syn, count, "handshakes")?;
        self.send(&answer, count, "handshakes")?;
        self.send(&data, count, "handshakes")?;
        Ok(Open { count, data })
    }

    /// Sends packets of open connections, one connection after the other in a scattered order, and says what one took of
    /// the processor, in nanoseconds.
    ///
    /// # Errors
    /// [`Error::Lost`] if not all of them passed.
    pub fn send_on(&self, open: &Open, packets: u32) -> Result<f64> {
        self.send(&open.data, packets, "established flows")
    }

    fn send(&self, injector: &Injector, packets: u32, case: &'static str) -> Result<f64> {
        let before = self.passed()?;
        let time = self.run(injector, packets)?;
        let (sent, passed) = (packets.into(), self.passed()? - before);
        if passed != sent {
            return Err(Error::Lost {
                firewall: self.firewall.name().into(),
                case,
                sent,
                passed,
                expected: sent,
            });
        }
        Ok(time.as_nanos() as f64 / f64::from(packets))
    }

    fn run(&self, injector: &Injector, packets: u32) -> Result<Duration> {
        let time = self.site.router().enter(|| {
            stay_on_one_cpu();
            injector.send(packets)
        })?;
        time.context(|| "inject packets".into())
    }

    fn passed(&self) -> Result<u64> {
        let count = |sink: &Sink| sink.count().context(|| "read a sink's counter".into());
        Ok(count(&self.sinks.to_machine)? + count(&self.sinks.to_clients)?)
    }

    /// Tries the edges of the rules, and compares with the oracle.
    fn verify(&mut self, rules: &Rules) -> Result<()> {
        for flow in rules.set.probes(PROBES, PROBE_SEED) {
            let passes = self.probe(&flow)?;
            if passes != rules.policy.allows(&flow) {
                let did = if passes { "passed" } else { "dropped" };
                return Err(Error::Disagrees {
                    firewall: self.firewall.name().into(),
                    did,
                    flow: Box::new(flow),
                });
            }
        }
        self.forget()
    }

    fn probe(&self, flow: &Flow) -> Result<bool> {
        let flows =
            Flows { bits: 0, port_bits: 0, port: flow.source_port(), address: low_half(flow.source()) };
        let packet = between(Packet::first_of(flow), Site::inward_macs());
        let injector = injector(&packet, End::Source, flows, self.site.to_clients())?;
        let before = self.passed()?;
        self.run(&injector, 1)?;
        Ok(self.passed()? > before)
    }
}

impl Open {
    /// How many there are.
    pub const fn count(&self) -> u32 {
        self.count
    }
}

fn injector(packet: &Packet, end: End, flows: Flows, ifindex: u32) -> Result<Injector> {
    Injector::new(packet, end, flows, ifindex).context(|| "load the packet generator".into())
}

/// A packet from the first client to the machine's service.
fn inward(family: Family, flows: Flows, flags: TcpFlags) -> Packet {
    let transport = Transport::Tcp { source_port: flows.port, destination_port: SERVICE_PORT, flags };
    between(Packet::new(clients(family).address(), machine(family), transport), Site::inward_macs())
}

/// A packet from the machine's service to the first client.
fn outward(family: Family, flows: Flows, flags: TcpFlags) -> Packet {
    let transport = Transport::Tcp { source_port: SERVICE_PORT, destination_port: flows.port, flags };
    between(Packet::new(machine(family), clients(family).address(), transport), Site::outward_macs())
}

fn between(packet: Packet, (source, destination): (Mac, Mac)) -> Packet {
    packet.between(source, destination)
}

/// Keeps the calling thread on the last processor, so that all lanes use the same caches.
fn stay_on_one_cpu() {
    let last = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) - 1;
    let mut cpus = CpuSet::new();
    // Where this is not possible, figures spread more; that is all.
    let _ = cpus.set(last).and_then(|()| sched_setaffinity(Pid::from_raw(0), &cpus));
}

//! A firewall made ready for packets that are counted and timed: it was found to do what the rules say.
//!
//! Packets are injected at the router's interfaces and end behind the firewall ([`crate::kernel`]), so the processor time of
//! the injecting thread is the whole way of a packet through the router and nothing else. It must not decide what is
//! measured how often.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use palisade_net::{
    Family, Flow,
    packet::{Packet, TcpFlags},
};

use crate::{
    error::{Context, Error, Result},
    fence::{Fence, Firewall, Rules},
    kernel::{
        flows::{End, Flows, low_half},
        inject::{Generator, Injector},
        sink::Sink,
    },
    site::Site,
    traffic::{NEW, connections, inward, outward},
};

/// Probes of a firewall before it is measured.
const PROBES: usize = 100;
const PROBE_SEED: u64 = 17;

/// A firewall between injectors and sinks.
#[derive(Debug)]
pub struct Lane {
    sinks: [Sink; 2],
    opening: Injector,
    connections: Vec<Connections>,
    generator: Arc<Generator>,
    fence: Fence,
}

/// The packets of 2 to the power of `bits` connections.
#[derive(Debug)]
struct Connections {
    bits: u32,
    /// A SYN from the client, the answer, and everything that follows.
    handshake: [Injector; 3],
}

impl Lane {
    /// Builds a site, puts the rules in force, and tries them. Connections are sets of 2 to the power of the first number, from
    /// 2 to the power of the second number of ports.
    ///
    /// # Errors
    /// [`Error::Disagrees`] if the firewall does not do what the rules say; otherwise what a tool or the kernel refuses.
    pub fn build(
        firewall: Firewall,
        rules: &Rules,
        connections: &[(u32, u32)],
        generator: &Arc<Generator>,
    ) -> Result<Self> {
        let fence = Fence::build(firewall, rules, Site::build(1)?)?;
        let (site, family) = (fence.site(), rules.set.family);
        let sink =
            |ifindex| Sink::attach(ifindex).context(|| format!("attach a sink to interface {ifindex}"));
        let [first, second] = [site.to_machines()[0], site.to_clients()];
        let sinks = site.router().enter(|| Ok::<_, Error>([sink(first)?, sink(second)?]))??;
        let syn = inward(family, NEW, TcpFlags::SYN);
        let opening = injector(generator, &syn, End::Source, NEW, site.to_clients())?;
        let connections = connections.iter().map(|bits| Connections::new(generator, site, family, *bits));
        let connections = connections.collect::<Result<_>>()?;
        let generator = Arc::clone(generator);
        let mut lane = Self { sinks, opening, connections, generator, fence };
        if firewall != Firewall::None {
            lane.turn(|lane| lane.verify(rules))?;
        }
        Ok(lane)
    }

    /// The firewall.
    pub const fn fence(&mut self) -> &mut Fence {
        &mut self.fence
    }

    /// What stands here.
    pub const fn firewall(&self) -> Firewall {
        self.fence.firewall()
    }

    /// The firewall alone: packets arrive again.
    pub fn into_fence(self) -> Fence {
        self.fence
    }

    /// Does something at the router: what follows works only there.
    ///
    /// # Errors
    /// If the namespace is gone, or what the work answers.
    pub fn turn<T: Send>(&mut self, work: impl FnOnce(&mut Self) -> Result<T> + Send) -> Result<T> {
        let router = self.fence.site().router();
        router.enter(|| work(self))?
    }

    /// Sends first packets, each of another connection, and says what one took of the processor, in nanoseconds.
    ///
    /// # Errors
    /// [`Error::Lost`] if not all of them passed.
    pub fn open_flows(&self, packets: u32) -> Result<f64> {
        self.send(&self.opening, packets, "new flows")
    }

    /// Opens the connections of one set, by handshakes.
    ///
    /// # Errors
    /// [`Error::Lost`] if not all of their packets passed.
    pub fn establish(&self, set: usize) -> Result<()> {
        let Connections { bits, handshake } = &self.connections[set];
        handshake.iter().try_for_each(|injector| self.send(injector, 1 << bits, "handshakes").map(drop))
    }

    /// Sends packets of the open connections of one set, one connection after the other in a scattered order, and says what
    /// one took of the processor, in nanoseconds.
    ///
    /// # Errors
    /// [`Error::Lost`] if not all of them passed.
    pub fn send_on(&self, set: usize, packets: u32) -> Result<f64> {
        let [.., data] = &self.connections[set].handshake;
        self.send(data, packets, "established flows")
    }

    fn send(&self, injector: &Injector, packets: u32, case: &'static str) -> Result<f64> {
        let before = self.passed()?;
        let time = injector.send(packets).context(|| "inject packets".into())?;
        let (sent, passed) = (packets.into(), self.passed()? - before);
        if passed != sent {
            let firewall = self.firewall().name().into();
            return Err(Error::Lost { firewall, case, sent, passed, expected: sent });
        }
        Ok(time.as_nanos() as f64 / f64::from(packets))
    }

    fn passed(&self) -> Result<u64> {
        let counts = self.sinks.iter().map(|sink| sink.count().context(|| "read a sink's counter".into()));
        counts.sum()
    }

    /// Tries the edges of the rules, and compares with the oracle.
    fn verify(&mut self, rules: &Rules) -> Result<()> {
        for flow in rules.set.probes(PROBES, PROBE_SEED) {
            let passes = self.probe(&flow)?;
            if passes != rules.policy.allows(&flow) {
                let did = if passes { "passed" } else { "dropped" };
                return Err(Error::Disagrees {
                    firewall: self.firewall().name().into(),
                    did,
                    flow: Box::new(flow),
                });
            }
        }
        self.fence.forget()
    }

    fn probe(&self, flow: &Flow) -> Result<bool> {
        let flows =
            Flows { bits: 0, port_bits: 0, port: flow.source_port(), address: low_half(flow.source()) };
        let (source, destination) = Site::inward_macs();
        let packet = Packet::first_of(flow).between(source, destination);
        let injector =
            injector(&self.generator, &packet, End::Source, flows, self.fence.site().to_clients())?;
        let before = self.passed()?;
        injector.send(1).context(|| "inject a packet".into())?;
        Ok(self.passed()? > before)
    }
}

impl Connections {
    fn new(
        generator: &Arc<Generator>,
        site: &Site,
        family: Family,
        (bits, port_bits): (u32, u32),
    ) -> Result<Self> {
        let flows = connections(bits, port_bits);
        let ack = TcpFlags::ACK;
        let [syn, data] = [TcpFlags::SYN, ack].map(|flags| {
            injector(generator, &inward(family, flows, flags), End::Source, flows, site.to_clients())
        });
        let answer = outward(family, flows, TcpFlags::SYN.with(ack));
        let answer = injector(generator, &answer, End::Destination, flows, site.to_machines()[0])?;
        Ok(Self { bits, handshake: [syn?, answer, data?] })
    }
}

fn injector(
    generator: &Arc<Generator>,
    packet: &Packet,
    end: End,
    flows: Flows,
    ifindex: u32,
) -> Result<Injector> {
    Injector::new(generator, packet, end, flows, ifindex).context(|| "load the packet generator".into())
}

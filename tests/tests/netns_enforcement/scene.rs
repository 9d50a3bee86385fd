//! A lab with its servers, and an agent that enforces an estate of a few rules there.

use std::{net::SocketAddr, path::PathBuf};

use palisade_agent::load::EstateSources;
use palisade_lab::{
    Lab,
    netns::{Namespace, registry::write_whole},
    probe::{Knock, Outcome, PATIENCE, Transport, knock_all, server::Servers},
    topology::HYPERVISOR,
};
use palisade_net::Family;
use palisade_tests::{agent::Agent, skip, template};

/// Everything of a test; it disappears with the value, the agent first.
pub struct Scene {
    pub agent: Agent,
    _servers: Servers,
    pub lab: Lab,
    estate: PathBuf,
}

/// A way to knock: sender, receiver, transport and port; and what must come of it.
pub type Door = (&'static str, &'static str, Transport, u16, Outcome);

impl Scene {
    /// A lab in which these machines have these rules; `None`, with the reason printed, where there can be none.
    pub fn open(machines: &[&str], rules: &[&str]) -> Option<Self> {
        let lab = skip::lab()?;
        let servers = lab.serve().expect("servers start");
        let estate = lab.stage().folder().join("estate.json");
        let sources = EstateSources { paths: vec![estate.clone()], ..EstateSources::default() };
        let agent = Agent::new(lab.stage(), HYPERVISOR, sources);
        let mut scene = Self { agent, _servers: servers, lab, estate };
        scene.write(&template::of_lab(machines, rules));
        scene.start_agent();
        scene.agent.wait_until_in_force();
        Some(scene)
    }

    pub fn start_agent(&mut self) {
        self.agent.start();
    }

    /// Replaces the estate, and waits until that is in force; its generation.
    pub fn change(&self, machines: &[&str], rules: &[&str]) -> u64 {
        self.write(&template::of_lab(machines, rules));
        self.agent.wait_until_in_force()
    }

    /// Replaces the estate's file by any text.
    pub fn write(&self, text: &str) {
        write_whole(&self.estate, text).expect("the file can be written");
    }

    /// The namespace of a host.
    pub fn of(&self, host: &str) -> Namespace {
        self.lab.of(self.lab.host(host).expect("the lab has the host"))
    }

    /// The namespace in which the agent lives.
    pub fn hypervisor(&self) -> Namespace {
        self.lab.stage().namespace(HYPERVISOR)
    }

    /// Where one host reaches another.
    pub fn address(&self, from: &str, to: &str, family: Family, port: u16) -> SocketAddr {
        let [from, to] = [from, to].map(|name| self.lab.host(name).expect("the lab has the host"));
        SocketAddr::new(to.address_for(from, family), port)
    }

    /// Knocks at all doors at once, over both families; what came of it, IPv4 first.
    pub fn try_all(&self, doors: &[Door]) -> Vec<[Outcome; 2]> {
        let knock = |(from, to, transport, port, _): &Door, family| Knock {
            from: self.of(from),
            transport: *transport,
            at: self.address(from, to, family, *port),
        };
        let knocks: Vec<Knock> =
            doors.iter().flat_map(|door| Family::ALL.map(|family| knock(door, family))).collect();
        let outcomes = knock_all(&knocks, PATIENCE).expect("knocking works");
        outcomes.chunks(2).map(|pair| [pair[0], pair[1]]).collect()
    }

    /// Knocks at all doors at once, over both families, and compares.
    pub fn expect(&self, doors: &[Door]) {
        for (door, outcomes) in doors.iter().zip(self.try_all(doors)) {
            let (from, to, transport, port, expected) = door;
            assert_eq!(outcomes, [*expected; 2], "{from} to {to} {transport:?} {port}\n{}", self.agent.log());
        }
    }
}

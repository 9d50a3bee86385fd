//! Where firewalls are compared: clients, a router, and the machines that are protected, a namespace each.
//!
//! ```text
//! clients eth0 ----- wan [router] vm ------ eth0 machine
//!                                 vm1 ----- eth0 machine1
//! ```
//!
//! The router forwards both families and is where every firewall stands: the peers in its forward hook, the datapath at
//! its interface to each machine, as a host has it. Addresses are resolved for good, so that no packet waits for a
//! neighbour. A site is gone with its value and, after a crash, with the next site that anybody makes.

use std::{net::IpAddr, sync::Arc};

use nix::net::if_::if_nametoindex;
use palisade_lab::{
    Lifetime,
    netns::{Namespace, ip::Batch, registry::unique_name, stage::Stage},
};
use palisade_net::{Family, Mac};

use crate::{
    error::{Context, Result},
    kernel::inject::Generator,
    peers::TO_MACHINE,
    rules::nth_machine,
};

/// Router's interface to the clients.
const TO_CLIENTS: &str = "wan";

/// Hardware addresses.
const MACHINE_MAC: Mac = Mac([2, 0, 0, 0, 0, 4]);
const ROUTER_MACHINE_MAC: Mac = Mac([2, 0, 0, 0, 0, 1]);
const ROUTER_CLIENTS_MAC: Mac = Mac([2, 0, 0, 0, 0, 2]);
const CLIENTS_MAC: Mac = Mac([2, 0, 0, 0, 0, 3]);

/// A host's only interface works at once, nothing is asked of or told to neighbours, and a lost packet is soon given up.
const SETTINGS: &[(&str, &str)] = &[
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/default/rp_filter", "0"),
    ("ipv6/conf/all/disable_ipv6", "0"),
    ("ipv6/conf/default/disable_ipv6", "0"),
    ("ipv6/conf/default/accept_dad", "0"),
    ("ipv6/conf/default/accept_ra", "0"),
    ("ipv6/conf/default/router_solicitations", "0"),
    ("ipv4/tcp_syn_retries", "1"),
    ("ipv4/tcp_retries2", "3"),
];

/// The router forwards. Conntrack leaves checksums to the receiver, as it does with packets from a network card or a guest
/// whose checksum is known or not yet computed, and does not compare sequence numbers, as the datapath does not.
const ROUTER_SETTINGS: &[(&str, &str)] = &[
    ("ipv4/ip_forward", "1"),
    ("ipv4/conf/all/send_redirects", "0"),
    ("ipv4/conf/default/send_redirects", "0"),
    ("ipv6/conf/all/forwarding", "1"),
    ("ipv6/conf/default/forwarding", "1"),
    ("netfilter/nf_conntrack_checksum", "0"),
    ("netfilter/nf_conntrack_tcp_be_liberal", "1"),
];

/// The namespaces.
#[derive(Debug)]
pub struct Site {
    stage: Stage,
    to_clients: u32,
    to_machines: Vec<u32>,
}

impl Site {
    /// Builds one with so many machines; comparisons with peers take one.
    ///
    /// # Errors
    /// Without root, or if the kernel lacks what it needs.
    pub fn build(machines: usize) -> Result<Self> {
        let machines: Vec<Machine> = (0..machines).map(Machine::new).collect();
        let mut parts = vec!["router", "clients"];
        parts.extend(machines.iter().map(|machine| machine.part.as_str()));
        let stage = Stage::up(&unique_name(), Lifetime::Process, &parts, |stage| {
            for part in &parts {
                stage.namespace(part).configure(SETTINGS)?;
            }
            stage.namespace("router").configure(ROUTER_SETTINGS)?;
            router(stage, &machines).run_in(&stage.namespace("router"))?;
            for machine in &machines {
                host(Family::ALL.map(|family| machine.address(family)), MACHINE_GATEWAYS, ROUTER_MACHINE_MAC)
                    .run_in(&stage.namespace(&machine.part))?;
            }
            host(Family::ALL.map(client), GATEWAYS, ROUTER_CLIENTS_MAC).run_in(&stage.namespace("clients"))
        })?;
        let number = |name: &str| {
            let found = stage.namespace("router").enter(|| if_nametoindex(name))?;
            found.context(|| format!("find the interface {name}"))
        };
        let to_clients = number(TO_CLIENTS)?;
        let to_machines = machines.iter().map(|machine| number(&machine.link)).collect::<Result<_>>()?;
        Ok(Self { stage, to_clients, to_machines })
    }

    /// Where the firewall stands.
    pub fn router(&self) -> Namespace {
        self.stage.namespace("router")
    }

    /// Where connections come from.
    pub fn clients(&self) -> Namespace {
        self.stage.namespace("clients")
    }

    /// Where they go: the machine with this number, from 0.
    pub fn machine(&self, number: usize) -> Namespace {
        self.stage.namespace(&Machine::new(number).part)
    }

    /// Number of the router's interface to the clients.
    pub const fn to_clients(&self) -> u32 {
        self.to_clients
    }

    /// Numbers of the router's interfaces to the machines.
    pub fn to_machines(&self) -> &[u32] {
        &self.to_machines
    }

    /// Sender and receiver of frames from the clients to the router.
    pub const fn inward_macs() -> (Mac, Mac) {
        (CLIENTS_MAC, ROUTER_CLIENTS_MAC)
    }

    /// Sender and receiver of frames from the machine to the router.
    pub const fn outward_macs() -> (Mac, Mac) {
        (MACHINE_MAC, ROUTER_MACHINE_MAC)
    }
}

/// The router's addresses on the clients' link, inside the clients' prefix.
const GATEWAYS: [&str; 2] = ["198.18.255.254", "2001:2:0:1::fffe"];
/// And on the machines' links.
const MACHINE_GATEWAYS: [&str; 2] = ["192.168.0.1", "fd42::1"];

/// A protected machine.
#[derive(Debug)]
struct Machine {
    number: usize,
    /// Its namespace.
    part: String,
    /// The router's interface to it.
    link: String,
}

impl Machine {
    fn new(number: usize) -> Self {
        let suffix = if number == 0 { String::new() } else { number.to_string() };
        Self { number, part: format!("machine{suffix}"), link: format!("{TO_MACHINE}{suffix}") }
    }

    fn address(&self, family: Family) -> IpAddr {
        nth_machine(family, self.number)
    }
}

/// The address of the clients' namespace; every other client is behind it.
pub fn client(family: Family) -> IpAddr {
    let text = match family {
        Family::V4 => "198.18.0.1",
        Family::V6 => "2001:2:0:1::1",
    };
    text.parse().expect("the addresses of this file are valid")
}

fn router(stage: &Stage, machines: &[Machine]) -> Batch {
    let mut batch = Batch::new();
    batch.line("link set lo up");
    link(&mut batch, TO_CLIENTS, (ROUTER_CLIENTS_MAC, CLIENTS_MAC), &stage.namespace("clients"));
    neighbours(&mut batch, TO_CLIENTS, GATEWAYS, Family::ALL.map(client), CLIENTS_MAC);
    for machine in machines {
        let (name, namespace) = (machine.link.as_str(), stage.namespace(&machine.part));
        link(&mut batch, name, (ROUTER_MACHINE_MAC, MACHINE_MAC), &namespace);
        let addresses = Family::ALL.map(|family| machine.address(family));
        neighbours(&mut batch, name, MACHINE_GATEWAYS, addresses, MACHINE_MAC);
    }
    for family in Family::ALL {
        batch.line(format!("route add default via {} dev {TO_CLIENTS}", client(family)));
    }
    batch
}

fn link(batch: &mut Batch, name: &str, (own, other): (Mac, Mac), namespace: &Namespace) {
    let namespace = namespace.name();
    batch
        .line(format!(
            "link add {name} address {own} type veth peer name eth0 address {other} netns {namespace}"
        ))
        .line(format!("link set {name} up"));
}

fn neighbours(batch: &mut Batch, link: &str, own: [&str; 2], others: [IpAddr; 2], mac: Mac) {
    for (own, other) in own.into_iter().zip(others) {
        let width = Family::of(other).width();
        batch
            .line(format!("address add {own}/{width} dev {link}"))
            .line(format!("route add {other} dev {link}"))
            .line(format!("neighbour add {other} lladdr {mac} nud permanent dev {link}"));
    }
}

fn host(own: [IpAddr; 2], gateways: [&str; 2], gateway_mac: Mac) -> Batch {
    let mut batch = Batch::new();
    batch.line("link set lo up").line("link set eth0 up");
    for (own, gateway) in own.into_iter().zip(gateways) {
        let width = Family::of(own).width();
        batch
            .line(format!("address add {own}/{width} dev eth0"))
            .line(format!("route add {gateway} dev eth0"))
            .line(format!("neighbour add {gateway} lladdr {gateway_mac} nud permanent dev eth0"))
            .line(format!("route add default via {gateway} dev eth0"));
    }
    batch
}

/// Two interfaces that nothing is sent to, for programs that have to be somewhere.
#[derive(Debug)]
pub struct Anchors {
    stage: Stage,
    numbers: [u32; 2],
}

impl Anchors {
    /// Makes them, in a namespace of their own.
    ///
    /// # Errors
    /// Without root.
    pub fn build() -> Result<Self> {
        let stage = Stage::up(&unique_name(), Lifetime::Process, &["anchors"], |stage| {
            let mut batch = Batch::new();
            batch.line("link add one type veth peer name two");
            batch.run_in(&stage.namespace("anchors"))
        })?;
        let find = || Ok::<_, nix::Error>([if_nametoindex("one")?, if_nametoindex("two")?]);
        let numbers = stage.namespace("anchors").enter(find)?;
        Ok(Self { numbers: numbers.context(|| "find the anchors".into())?, stage })
    }

    /// The packet makers for one family; without the anchors they work too, but each run takes long.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn generator(&self, family: Family) -> Result<Arc<Generator>> {
        let made = self.stage.namespace("anchors").enter(|| Generator::new(family, self.numbers))?;
        Ok(Arc::new(made.context(|| "load the packet generator".into())?))
    }
}

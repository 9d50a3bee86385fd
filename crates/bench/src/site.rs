//! Where firewalls are compared: clients, a router, and the machine that is protected, a namespace each.
//!
//! ```text
//! clients eth0 ----- wan [router] vm ------ eth0 machine
//! ```
//!
//! The router forwards both families and is where every firewall stands: the peers in its forward hook, the datapath at
//! its interface to the machine, as a host has it. Addresses are resolved for good, so that no packet waits for a
//! neighbour. A site is gone with its value and, after a crash, with the next site that anybody makes.

use std::sync::Arc;

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
    rules::machine,
};

/// Router's interface to the clients.
const TO_CLIENTS: &str = "wan";

/// Hardware addresses.
const MACHINE_MAC: Mac = Mac([2, 0, 0, 0, 0, 4]);
const ROUTER_MACHINE_MAC: Mac = Mac([2, 0, 0, 0, 0, 1]);
const ROUTER_CLIENTS_MAC: Mac = Mac([2, 0, 0, 0, 0, 2]);
const CLIENTS_MAC: Mac = Mac([2, 0, 0, 0, 0, 3]);

/// A host's only interface works at once, and nothing is asked of or told to neighbours.
const SETTINGS: &[(&str, &str)] = &[
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/default/rp_filter", "0"),
    ("ipv6/conf/all/disable_ipv6", "0"),
    ("ipv6/conf/default/disable_ipv6", "0"),
    ("ipv6/conf/default/accept_dad", "0"),
    ("ipv6/conf/default/accept_ra", "0"),
    ("ipv6/conf/default/router_solicitations", "0"),
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
    to_machine: u32,
}

impl Site {
    /// Builds one.
    ///
    /// # Errors
    /// Without root, or if the kernel lacks what it needs.
    pub fn build() -> Result<Self> {
        let stage =
            Stage::up(&unique_name(), Lifetime::Process, &["machine", "router", "clients"], |stage| {
                for part in ["machine", "router", "clients"] {
                    stage.namespace(part).configure(SETTINGS)?;
                }
                stage.namespace("router").configure(ROUTER_SETTINGS)?;
                router(stage).run_in(&stage.namespace("router"))?;
                host(Family::ALL.map(machine), ["192.168.0.1", "fd42::1"], ROUTER_MACHINE_MAC)
                    .run_in(&stage.namespace("machine"))?;
                host(Family::ALL.map(client), GATEWAYS, ROUTER_CLIENTS_MAC)
                    .run_in(&stage.namespace("clients"))
            })?;
        let number = |name: &'static str| {
            let found = stage.namespace("router").enter(|| if_nametoindex(name))?;
            found.context(|| format!("find the interface {name}"))
        };
        let (to_clients, to_machine) = (number(TO_CLIENTS)?, number(TO_MACHINE)?);
        Ok(Self { stage, to_clients, to_machine })
    }

    /// Where the firewall stands.
    pub fn router(&self) -> Namespace {
        self.stage.namespace("router")
    }

    /// Where connections come from.
    pub fn clients(&self) -> Namespace {
        self.stage.namespace("clients")
    }

    /// Where they go.
    pub fn machine(&self) -> Namespace {
        self.stage.namespace("machine")
    }

    /// Number of the router's interface to the clients.
    pub const fn to_clients(&self) -> u32 {
        self.to_clients
    }

    /// Number of the router's interface to the machine.
    pub const fn to_machine(&self) -> u32 {
        self.to_machine
    }

    /// A folder for files, removed with the site.
    pub fn folder(&self) -> std::path::PathBuf {
        self.stage.folder()
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

/// The address of the clients' namespace; every other client is behind it.
pub fn client(family: Family) -> std::net::IpAddr {
    let text = match family {
        Family::V4 => "198.18.0.1",
        Family::V6 => "2001:2:0:1::1",
    };
    text.parse().expect("the addresses of this file are valid")
}

fn router(stage: &Stage) -> Batch {
    let mut batch = Batch::new();
    batch.line("link set lo up");
    let links = [
        (TO_MACHINE, ROUTER_MACHINE_MAC, MACHINE_MAC, "machine"),
        (TO_CLIENTS, ROUTER_CLIENTS_MAC, CLIENTS_MAC, "clients"),
    ];
    for (name, own, other, part) in links {
        let namespace = stage.namespace(part);
        batch.line(format!(
            "link add {name} address {own} type veth peer name eth0 address {other} netns {}",
            namespace.name()
        ));
        batch.line(format!("link set {name} up"));
    }
    for (own, other, link, mac) in [
        ("192.168.0.1/32", machine(Family::V4), TO_MACHINE, MACHINE_MAC),
        ("fd42::1/128", machine(Family::V6), TO_MACHINE, MACHINE_MAC),
        ("198.18.255.254/32", client(Family::V4), TO_CLIENTS, CLIENTS_MAC),
        ("2001:2:0:1::fffe/128", client(Family::V6), TO_CLIENTS, CLIENTS_MAC),
    ] {
        batch
            .line(format!("address add {own} dev {link}"))
            .line(format!("route add {other} dev {link}"))
            .line(format!("neighbour add {other} lladdr {mac} nud permanent dev {link}"));
    }
    for family in Family::ALL {
        batch.line(format!("route add default via {} dev {TO_CLIENTS}", client(family)));
    }
    batch
}

fn host(own: [std::net::IpAddr; 2], gateways: [&str; 2], gateway_mac: Mac) -> Batch {
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

    /// The packet makers for one family.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn generator(&self, family: Family) -> Result<Arc<Generator>> {
        let made = self.stage.namespace("anchors").enter(|| Generator::new(family, self.numbers))?;
        Ok(Arc::new(made.context(|| "load the packet generator".into())?))
    }
}

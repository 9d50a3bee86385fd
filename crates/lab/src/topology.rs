//! The wiring of the lab: one hypervisor, one router, and a namespace for every host.
//!
//! ```text
//! web1 web2   db1   mgmt1        one namespace each, interface eth0
//!   |    |     |      |          vm-NAME in the hypervisor: here the agent enforces
//!  [br-web] [br-db] [br-mgmt]    bridges in the hypervisor, plain layer 2
//!      \______|_______/
//!          [router]              routes; translates public addresses before policy sees a packet, after it leaves
//!   /     |     |     \
//! www  update  c2  attacker ...  one namespace each, interface eth0
//! ```
//!
//! The functions that describe are pure and return batches; `build` runs them. Every host can reach every other
//! host until an agent says otherwise, so what a probe finds closed was closed by policy.

use std::fmt::Write as _;

use palisade_net::Family;

use crate::error::Result;
use crate::hosts::{Addresses, HOSTS, Host, Machine, NETWORK_V4, NETWORK_V6, SHARED_EGRESS, SUBNETS};
use crate::netns::ip::{Batch, load_nft};
use crate::netns::registry::namespace_name;
use crate::netns::stage::Stage;

/// The part that stands for the hypervisor.
pub const HYPERVISOR: &str = "host";
/// The part that routes.
const ROUTER: &str = "router";

/// Gateway of every outside host: an address that exists on each of the router's outside links.
const LINK_GATEWAY: &str = "169.254.0.1";
const LINK_GATEWAY_V6: &str = "fe80::1";

/// The hypervisor only bridges: without IPv6 of its own it never speaks on a machine's wire.
pub(crate) const HYPERVISOR_SETTINGS: &[(&str, &str)] =
    &[("ipv6/conf/default/disable_ipv6", "1"), ("ipv6/conf/all/disable_ipv6", "1")];

/// Addresses work at once (no duplicate detection), and only written routes count.
pub(crate) const HOST_SETTINGS: &[(&str, &str)] = &[
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/default/rp_filter", "0"),
    ("ipv4/ping_group_range", "0 2147483647"),
    ("ipv6/conf/all/disable_ipv6", "0"),
    ("ipv6/conf/default/disable_ipv6", "0"),
    ("ipv6/conf/default/accept_dad", "0"),
    ("ipv6/conf/default/accept_ra", "0"),
    ("ipv6/conf/default/router_solicitations", "0"),
];

const ROUTER_SETTINGS: &[(&str, &str)] = &[
    ("ipv4/ip_forward", "1"),
    ("ipv4/conf/all/send_redirects", "0"),
    ("ipv4/conf/default/send_redirects", "0"),
    ("ipv6/conf/all/forwarding", "1"),
    ("ipv6/conf/default/forwarding", "1"),
];

/// The parts of a lab, each a namespace.
pub(crate) fn parts() -> Vec<&'static str> {
    [HYPERVISOR, ROUTER].into_iter().chain(HOSTS.iter().map(|host| host.name)).collect()
}

/// Wires up the namespaces of a lab, which exist and are empty.
pub(crate) fn build(stage: &Stage) -> Result<()> {
    let part = |name: &str| stage.namespace(name);
    let (hypervisor, router) = (part(HYPERVISOR), part(ROUTER));
    hypervisor.configure(HYPERVISOR_SETTINGS)?;
    router.configure(HOST_SETTINGS)?;
    router.configure(ROUTER_SETTINGS)?;
    for host in &HOSTS {
        part(host.name).configure(HOST_SETTINGS)?;
    }
    hypervisor_links(stage.name()).run_in(&hypervisor)?;
    router_links(stage.name()).run_in(&router)?;
    for host in &HOSTS {
        host_addresses(host).run_in(&part(host.name))?;
    }
    load_nft(&router, &translation())
}

/// Bridges, the machines' cables and the cables to the router.
fn hypervisor_links(lab: &str) -> Batch {
    let mut batch = Batch::new();
    batch.line("link set lo up");
    for subnet in SUBNETS {
        let (name, router) = (subnet.name, namespace_name(lab, ROUTER));
        batch
            .line(format!("link add br-{name} type bridge stp_state 0 forward_delay 0 mcast_snooping 0"))
            .line(format!("link set br-{name} up"))
            .line(format!("link add rt-{name} type veth peer name {name} netns {router}"))
            .line(format!("link set rt-{name} master br-{name} up"));
    }
    for (host, machine) in machines() {
        let (name, namespace) = (host.name, namespace_name(lab, host.name));
        let (bridge, mac) = (machine.subnet.name, host.addresses.mac());
        batch
            .line(format!("link add vm-{name} type veth peer name eth0 address {mac} netns {namespace}"))
            .line(format!("link set vm-{name} alias {}", machine.nic))
            .line(format!("link set vm-{name} master br-{bridge} up"));
    }
    batch
}

/// The router's addresses in the subnets, and a cable to every outside host.
fn router_links(lab: &str) -> Batch {
    let mut batch = Batch::new();
    batch.line("link set lo up");
    for subnet in SUBNETS {
        let (name, gateway) = (subnet.name, subnet.gateway);
        batch
            .line(format!("address add {}/24 dev {name}", gateway.v4))
            .line(format!("address add {}/64 dev {name} nodad", gateway.v6))
            .line(format!("link set {name} up"));
    }
    for host in outsiders() {
        let (name, namespace) = (host.name, namespace_name(lab, host.name));
        let (link, addresses) = (format!("out-{name}"), host.addresses);
        batch
            .line(format!(
                "link add {link} type veth peer name eth0 address {} netns {namespace}",
                addresses.mac()
            ))
            .line(format!("address add {LINK_GATEWAY}/32 dev {link}"))
            .line(format!("address add {LINK_GATEWAY_V6}/64 dev {link} nodad"))
            .line(format!("link set {link} up"))
            .line(format!("route add {}/32 dev {link}", addresses.v4))
            .line(format!("route add {}/128 dev {link}", addresses.v6));
    }
    batch
}

/// A host's own addresses and its way out.
fn host_addresses(host: &Host) -> Batch {
    let mut batch = Batch::new();
    let Addresses { v4, v6 } = host.addresses;
    let (length_v4, length_v6) = if host.machine.is_some() { (24, 64) } else { (32, 128) };
    batch
        .line("link set lo up")
        .line(format!("address add {v4}/{length_v4} dev eth0"))
        .line(format!("address add {v6}/{length_v6} dev eth0 nodad"))
        .line("link set eth0 up");
    match &host.machine {
        Some(machine) => {
            let gateway = machine.subnet.gateway;
            batch
                .line(format!("route add default via {}", gateway.v4))
                .line(format!("route add default via {}", gateway.v6));
        }
        None => {
            batch
                .line(format!("route add {LINK_GATEWAY}/32 dev eth0"))
                .line(format!("route add default via {LINK_GATEWAY} dev eth0"))
                .line(format!("route add default via {LINK_GATEWAY_V6} dev eth0"));
        }
    }
    batch
}

/// What Azure's fabric does to public addresses: policy inside sees private destinations and original sources.
fn translation() -> String {
    let mut rules = String::new();
    for (family, keyword, network) in [(Family::V4, "ip", NETWORK_V4), (Family::V6, "ip6", NETWORK_V6)] {
        let public: Vec<_> = machines()
            .filter_map(|(host, machine)| Some((host.addresses.of(family), machine.public?.of(family))))
            .collect();
        let inward: Vec<_> = public.iter().map(|(own, public)| format!("{public} : {own}")).collect();
        let outward: Vec<_> = public.iter().map(|(own, public)| format!("{own} : {public}")).collect();
        write!(
            rules,
            "table {keyword} public_addresses {{
                chain arriving {{
                    type nat hook prerouting priority dstnat;
                    iifname \"out-*\" dnat to {keyword} daddr map {{ {} }}
                }}
                chain leaving {{
                    type nat hook postrouting priority srcnat;
                    oifname \"out-*\" snat to {keyword} saddr map {{ {} }}
                    oifname \"out-*\" {keyword} saddr {network} snat to {}
                }}
            }}\n",
            inward.join(", "),
            outward.join(", "),
            SHARED_EGRESS.of(family),
        )
        .expect("writing to a string cannot fail");
    }
    rules
}

/// The hosts that policy protects.
fn machines() -> impl Iterator<Item = (&'static Host, Machine)> {
    HOSTS.iter().filter_map(|host| Some((host, host.machine?)))
}

fn outsiders() -> impl Iterator<Item = &'static Host> {
    HOSTS.iter().filter(|host| host.machine.is_none())
}

//! What passes and what does not: TCP, UDP and ICMP over both families, replies, and errors about what passed.

use palisade_lab::probe::{
    Outcome::{Answered, Refused, Silence},
    Transport::{Icmp, Tcp, Udp},
};

use crate::scene::Scene;

#[test]
fn only_what_rules_allow_passes() {
    let rules = [
        "in allow tcp from 198.51.100.23/32 to 80",
        "in allow tcp from 2e00:100::23/128 to 80",
        "in allow icmp from 198.51.100.40/32 to *",
        "in allow icmp from 2e00:100::40/128 to *",
        "in allow udp from VirtualNetwork to 53",
        "in deny * from VirtualNetwork to *",
        "out allow tcp to 203.0.113.80/32 to 443",
        "out allow tcp to 2e00:113::80/128 to 443",
        "out allow udp to Internet to 53",
        "out deny * to Internet to *",
        "out deny * to VirtualNetwork to *",
    ];
    let Some(scene) = Scene::open(&["web1"], &rules) else { return };
    scene.expect(&[
        ("customer", "web1", Tcp, 80, Answered),
        ("customer", "web1", Tcp, 443, Silence),
        ("customer", "web1", Icmp, 0, Silence),
        ("attacker", "web1", Tcp, 80, Silence),
        ("attacker", "web1", Udp, 53, Silence),
        ("office", "web1", Icmp, 0, Answered),
        ("office", "web1", Tcp, 80, Silence),
        ("web2", "web1", Udp, 53, Answered),
        ("web2", "web1", Tcp, 80, Silence),
        ("web2", "web1", Icmp, 0, Silence),
        ("web1", "www", Tcp, 443, Answered),
        ("web1", "www", Tcp, 80, Silence),
        ("web1", "www", Udp, 53, Answered),
        ("web1", "www", Icmp, 0, Silence),
        ("web1", "c2", Tcp, 443, Silence),
        ("web1", "web2", Tcp, 80, Silence),
        ("web1", "web2", Udp, 53, Silence),
        // Machines that are not in the estate are not this agent's business.
        ("attacker", "web2", Tcp, 80, Answered),
    ]);
    let status = scene.agent.status();
    let nic = &status.nics[0];
    assert_eq!((nic.record.interface.as_str(), nic.record.name.as_str()), ("vm-web1", "web1-nic"));
    assert!(nic.flows > 0 && nic.inbound.packets > 0 && nic.outbound.packets > 0, "{nic:?}");
    for traffic in [&nic.inbound, &nic.outbound] {
        assert!(traffic.dropped.keys().all(|reason| *reason == "NetworkInterfaceDeny"), "{traffic:?}");
        assert!(traffic.dropped.values().sum::<u64>() > 0, "{traffic:?}");
    }
}

#[test]
fn errors_about_a_flow_pass_where_rules_would_not_let_them() {
    let rules = [
        "in allow udp from * to 54",
        "in deny * from * to *",
        "out allow udp to * to 54",
        "out deny * to * to *",
    ];
    let Some(scene) = Scene::open(&["web1"], &rules) else { return };
    // Nobody listens at port 54: an ICMP error comes back, against the direction of the datagram.
    scene.expect(&[
        ("attacker", "web1", Udp, 54, Refused),
        ("web2", "web1", Udp, 54, Refused),
        ("web1", "www", Udp, 54, Refused),
        ("web1", "db1", Udp, 54, Refused),
        ("attacker", "web1", Udp, 55, Silence),
        ("web1", "www", Udp, 55, Silence),
        ("attacker", "web1", Icmp, 0, Silence),
        ("web1", "www", Icmp, 0, Silence),
    ]);
}

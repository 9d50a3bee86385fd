//! Interfaces that come, go, or have no policy.

use palisade_lab::{
    netns::ip::Batch,
    probe::{
        Outcome::{Answered, Silence},
        Transport::{Icmp, Tcp, Udp},
    },
};
use palisade_net::Family;
use palisade_tests::traffic::Leak;

use crate::scene::Scene;

const CLOSED: u16 = 7777;
const ATTEMPTS: u64 = 300;

#[test]
fn a_nic_that_left_the_estate_is_closed() {
    let open = ["in allow * from * to *"];
    let Some(scene) = Scene::open(&["web1", "db1"], &open) else { return };
    let doors = [
        ("web2", "web1", Tcp, 80, Answered),
        ("web1", "www", Udp, 53, Answered),
        ("web1", "db1", Icmp, 0, Answered),
    ];
    scene.expect(&doors);
    scene.change(&["db1"], &open);
    let status = scene.agent.wait_until("the interface is closed", |s| s.closed.contains_key("vm-web1"));
    assert!(status.nics.iter().all(|nic| nic.record.name == "db1-nic"), "{status:?}");
    let outcomes = scene.try_all(&doors);
    assert!(outcomes.iter().flatten().all(|outcome| *outcome != Answered), "{outcomes:?}");
    assert!(scene.agent.status().dropped_without_policy > 0);
    scene.expect(&[("web2", "db1", Tcp, 80, Answered), ("db1", "www", Udp, 53, Answered)]);

    scene.change(&["web1", "db1"], &open);
    scene.expect(&doors);
}

#[test]
fn an_interface_that_appears_is_guarded_before_it_passes_anything() {
    let rules = ["in allow tcp from VirtualNetwork to 80", "in deny * from * to *"];
    let Some(scene) = Scene::open(&["web1"], &rules) else { return };
    let (hypervisor, web1) = (scene.hypervisor(), scene.of("web1"));
    Batch::new().line("link del vm-web1").run_in(&hypervisor).expect("the interface can be removed");
    scene.agent.wait_until("the interface is gone", |status| status.nics.is_empty());

    plug_in(&scene);
    scene.agent.wait_until("the new interface is guarded", |status| {
        status.nics.iter().any(|nic| nic.attached && nic.in_force)
    });
    let leaks = Family::ALL
        .map(|family| (family, scene.address("web2", "web1", family, CLOSED)))
        .map(|(family, at)| Leak::start(&scene.of("web2"), &web1, with_port_of(family, at)));
    switch_on(&scene);
    scene.expect(&[
        ("web2", "web1", Tcp, 80, Answered),
        ("web2", "web1", Tcp, 443, Silence),
        ("attacker", "web1", Tcp, 80, Silence),
    ]);
    for leak in leaks {
        leak.wait_for_more(ATTEMPTS);
        assert_eq!(leak.arrived(), 0, "packets that rules deny came through");
        leak.finish();
    }
}

/// Two sockets that listen at the same port of the same host would not know whose datagram it is.
fn with_port_of(family: Family, at: std::net::SocketAddr) -> std::net::SocketAddr {
    let step = Family::ALL.iter().position(|other| *other == family).expect("there are two") as u16;
    std::net::SocketAddr::new(at.ip(), at.port() + step)
}

/// A new cable to the machine, at a bridge and not yet up: as a hypervisor makes it before it starts the machine.
fn plug_in(scene: &Scene) {
    let host = scene.lab.host("web1").expect("the lab has the host");
    let machine = host.machine.expect("it is a machine");
    let (mac, namespace) = (host.addresses.mac(), scene.of("web1"));
    Batch::new()
        .line(format!("link add vm-web1 type veth peer name eth0 address {mac} netns {}", namespace.name()))
        .line(format!("link set vm-web1 alias {}", machine.nic))
        .line(format!("link set vm-web1 master br-{}", machine.subnet.name))
        .run_in(&scene.hypervisor())
        .expect("the interface can be made");
}

fn switch_on(scene: &Scene) {
    let host = scene.lab.host("web1").expect("the lab has the host");
    let gateway = host.machine.expect("it is a machine").subnet.gateway;
    Batch::new().line("link set vm-web1 up").run_in(&scene.hypervisor()).expect("the interface can be used");
    Batch::new()
        .line(format!("address add {}/24 dev eth0", host.addresses.v4))
        .line(format!("address add {}/64 dev eth0 nodad", host.addresses.v6))
        .line("link set eth0 up")
        .line(format!("route add default via {}", gateway.v4))
        .line(format!("route add default via {}", gateway.v6))
        .run_in(&scene.of("web1"))
        .expect("the machine can be configured");
}

//! Kinds of interfaces: those that are enforced, from which side, and those that are refused with words.

use nix::sys::signal::Signal;

use crate::fleet::wait_for;
use crate::macvtap::{MAC, Machine, fresh_ifindex};
use crate::stage::{HOST, Stage, VM};
use crate::{ANSWER, OPEN, SHUT, answers, drops, enforced, is_dropped, stage};

#[test]
fn a_tap_is_enforced() {
    let Some(stage) = stage() else { return };
    stage.write_estate(OPEN);
    let _agent = stage.start_agent();
    wait_for("the estate to be accepted", || stage.state()?.estate);
    stage.ip("tuntap add tap0 mode tap");
    stage.ip("link set tap0 alias web1-nic");
    assert_eq!(enforced(&stage).nics[0].record.interface, "tap0");
}

#[test]
fn a_macvtap_is_enforced_with_its_directions_inverted() {
    let Some(stage) = stage() else { return };
    stage.write_estate(OPEN);
    let agent = stage.start_agent();
    let ifindex = fresh_ifindex();
    stage.ip("link add up0 type veth peer name net0");
    let made =
        stage.try_ip(&format!("link add link up0 name vm0 index {ifindex} address {MAC} type macvtap"));
    if let Err(why) = made {
        println!("skipped: no macvtap can be made: {why}");
        return;
    }
    let _machine = match Machine::start(ifindex) {
        Ok(machine) => machine,
        Err(why) => {
            println!("skipped: the macvtap's device cannot be opened: {why}");
            return;
        }
    };
    stage.ip("link set vm0 alias web1-nic");
    stage.ip("link set up0 up");
    assert_eq!(enforced(&stage).nics[0].record.interface, "vm0");
    wait_for("the agent to say how", || agent.log().contains("directions inverted").then_some(()));
    stage.ip("link set vm0 up");
    stage.ip("link set net0 up");
    stage.ip(&format!("addr add {HOST}/32 dev net0"));
    stage.ip(&format!("route add {VM}/32 dev net0"));
    stage.ip(&format!("neigh add {VM} lladdr {MAC} dev net0 nud permanent"));

    // The kernel sends nothing out of an interface in the first moments after it came up.
    wait_for("an answer", || answers(&stage, OPEN, ANSWER / 10).then_some(()));
    // Were the sides mixed up, this would be traffic of the machine, and pass.
    is_dropped(&stage, SHUT);
    let nic = stage.status().nics.remove(0);
    assert!(nic.flows > 0 && nic.inbound.packets > 0 && nic.outbound.packets > 0, "{nic:?}");

    // The next agent finds it as it should be.
    assert!(agent.stop().success());
    let agent = stage.start_agent();
    wait_for("the agent to adopt", || agent.log().contains("accepted an estate").then_some(()));
    agent.signal(Signal::SIGHUP);
    wait_for("the agent to look again", || (agent.log().matches("accepted").count() == 2).then_some(()));
    assert!(!agent.log().contains("attach to"), "{}", agent.log());
    assert!(answers(&stage, OPEN, ANSWER));
    is_dropped(&stage, SHUT);
}

#[test]
fn an_interface_that_is_moved_between_bridges_stays_enforced_and_is_judged_once() {
    let Some(stage) = stage() else { return };
    stage.write_estate(OPEN);
    let agent = stage.start_agent();
    stage.add_machine();
    let first = enforced(&stage);
    stage.raise_machine();
    let _server = stage.serve(&[OPEN, SHUT]);
    for bridge in ["br1", "br2"] {
        stage.ip(&format!("link add {bridge} type bridge"));
        stage.ip(&format!("link set {bridge} up"));
    }
    let mut before = "vm0";
    for (place, how) in
        [("br1", "master br1"), ("br2", "master br2"), ("vm0", "nomaster"), ("br2", "master br2")]
    {
        stage.ip(&format!("addr flush dev {before}"));
        stage.ip(&format!("link set vm0 {how}"));
        stage.ip(&format!("addr add {HOST}/32 dev {place}"));
        stage.ip(&format!("route replace {VM}/32 dev {place}"));
        stage.machine_ip("neigh flush dev eth0");
        assert!(answers(&stage, OPEN, ANSWER), "at {place}");
        every_datagram_is_judged_once(&stage);
        before = place;
    }
    let last = stage.status();
    assert_eq!(
        (last.generation, last.nics[0].record.ifindex),
        (first.generation, first.nics[0].record.ifindex)
    );
    assert_eq!(agent.log().matches("attach to vm0").count(), 1, "{}", agent.log());
}

/// Sends some datagrams that are denied, and expects as many drops.
fn every_datagram_is_judged_once(stage: &Stage) {
    const SENT: u64 = 5;
    let before = drops(&stage.status());
    let socket = stage.host_socket();
    for _ in 0..SENT {
        socket.send_to(b"?", (VM, SHUT)).unwrap();
    }
    let counted = wait_for("the drops to be counted", || {
        Some(drops(&stage.status()) - before).filter(|counted| *counted >= SENT)
    });
    assert_eq!(counted, SENT);
}

#[test]
fn a_bridge_is_refused() {
    is_refused("bridge", "link add it0 type bridge", "bridge");
}

#[test]
fn a_macvlan_is_refused() {
    is_refused("macvlan", "link add link up0 name it0 type macvlan", "macvlan");
}

#[test]
fn an_ipvlan_is_refused() {
    is_refused("ipvlan", "link add link up0 name it0 type ipvlan", "ipvlan");
}

#[test]
fn a_vlan_is_refused() {
    is_refused("VLAN", "link add link up0 name it0 type vlan id 5", "vlan");
}

#[test]
fn a_bond_is_refused() {
    is_refused("bond", "link add it0 type bond", "bond");
}

#[test]
fn a_tun_is_refused() {
    is_refused("tun", "tuntap add it0 mode tun", "tun");
}

/// Makes an interface that carries a NIC's name, and expects that nothing is claimed of it.
fn is_refused(what: &str, line: &str, kind: &str) {
    let Some(stage) = stage() else { return };
    stage.ip("link add up0 type veth peer name net0");
    if let Err(why) = stage.try_ip(line) {
        println!("skipped: no {what} can be made: {why}");
        return;
    }
    stage.ip("link set it0 alias web1-nic");
    stage.write_estate(OPEN);
    let _agent = stage.start_agent();
    let refused = wait_for("the interface to be refused", || stage.status().not_enforced.pop());
    assert_eq!(refused.at, "interface it0");
    assert!(
        refused.why.starts_with(&format!("policy cannot be enforced at a {kind} interface")),
        "{refused:?}"
    );
    let status = stage.status();
    assert!(status.nics.is_empty() && status.closed.is_empty() && status.elsewhere.is_empty(), "{status:?}");
}

#[test]
fn a_machine_behind_a_socket_is_not_called_enforced() {
    let Some(stage) = stage() else { return };
    let socket = stage.estate_file().with_file_name("vhu1");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    stage.write_estate(OPEN);
    let tagged = std::fs::read_to_string(stage.estate_file()).unwrap().replace(
        r#""name": "web1-nic","#,
        &format!(r#""name": "web1-nic", "tags": {{ "palisade-interface": "{}" }},"#, socket.display()),
    );
    std::fs::write(stage.estate_file(), tagged).unwrap();
    let _agent = stage.start_agent();
    let found = wait_for("the socket to be found", || stage.status().not_enforced.pop());
    assert_eq!(found.at, format!("vhost-user socket {}", socket.display()));
    assert!(found.why.contains("not through this host's network stack"), "{found:?}");
    assert_eq!(stage.status().elsewhere, []);
}

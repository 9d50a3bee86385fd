//! Endpoints with real packets and nftables: who reaches the machine by its public port, and what the table outlives.

use std::fs;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::Command;
use std::time::Duration;

use palisade_agent::endpoints::EndpointRecord;

use crate::fleet::wait_for;
use crate::stage::{Server, Stage, inside, new_namespace, run, try_run};
use crate::{ANSWER, OPEN, SHUT, drops, enforced};

/// Where the machine is reached from outside, and at which port.
pub const FRONTENDS: [&str; 2] = ["203.0.113.7", "2001:db8:7::7"];
pub const PUBLIC_PORT: u16 = 50_001;
/// Addresses outside, by family: one that is listed, and one that is not.
pub const LISTED: [&str; 2] = ["192.0.2.2", "2001:db8:1::2"];
const UNLISTED: [&str; 2] = ["192.0.2.3", "2001:db8:1::3"];
/// What is closed must stay silent so long.
pub const SILENCE: Duration = Duration::from_millis(300);

/// A stage with somebody outside, or why there is none.
pub fn stage() -> Option<(Stage, OwnedFd)> {
    let stage = crate::stage()?;
    if let Err(why) = try_run("nft", ["list", "tables"].into_iter()) {
        println!("skipped: nft cannot be used here: {why}");
        return None;
    }
    stage.add_machine();
    stage.raise_machine();
    stage.machine_ip("route del default dev eth0");
    stage.ip("addr add fd00::1/64 dev vm0 nodad");
    for line in [
        "addr add fd00::4/64 dev eth0 nodad",
        "route add default via 198.51.100.1 dev eth0 onlink",
        "-6 route add default via fd00::1 dev eth0",
    ] {
        stage.machine_ip(line);
    }
    for setting in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
        fs::write(format!("/proc/sys/net/{setting}"), "1").unwrap();
    }
    for frontend in FRONTENDS {
        stage.ip(&format!("addr add {frontend} dev lo"));
    }
    let outside = outside(&stage);
    Some((stage, outside))
}

/// A namespace outside, with all addresses, whose way leads over the host.
fn outside(stage: &Stage) -> OwnedFd {
    let outside = new_namespace().unwrap();
    let path = format!("/proc/{}/fd/{}", std::process::id(), outside.as_raw_fd());
    stage.ip(&format!("link add up0 type veth peer name eth0 netns {path}"));
    stage.ip("addr add 192.0.2.1/24 dev up0");
    stage.ip("addr add 2001:db8:1::1/64 dev up0 nodad");
    stage.ip("link set up0 up");
    inside(&outside, || {
        let ip = |line: &str| run("ip", line.split(' '));
        ip("link set lo up");
        for [v4, v6] in [LISTED, UNLISTED] {
            ip(&format!("addr add {v4}/24 dev eth0"));
            ip(&format!("addr add {v6}/64 dev eth0 nodad"));
        }
        ip("link set eth0 up");
        ip("route add default via 192.0.2.1");
        ip("-6 route add default via 2001:db8:1::1");
    });
    outside
}

/// The estate of the other tests with an address of each family, and an endpoint at each.
pub fn estate(port: u16) -> String {
    let lb = "[resourceId('Microsoft.Network/loadBalancers/KIND', 'lb', 'NAME')]";
    let reference =
        |kind: &str, name: &str| format!(r#"{{"id": "{}"}}"#, lb.replace("KIND", kind).replace("NAME", name));
    let frontend = |name: &str| {
        format!(
            r#"{{"name": "{name}", "properties": {{"publicIPAddress":
               {{"id": "[resourceId('Microsoft.Network/publicIPAddresses', '{name}')]"}}}}}}"#
        )
    };
    let rule = |name: &str, source: &str| {
        format!(
            r#"{{"name": "{name}", "properties": {{"protocol": "Udp", "frontendPort": {PUBLIC_PORT}, "backendPort": {OPEN},
               "allowedSourceAddressPrefixes": ["{source}"],
               "frontendIPConfiguration": {}}}}}"#,
            reference("frontendIPConfigurations", name)
        )
    };
    let public = |name: &str, address: &str| {
        format!(
            r#"{{"type": "Microsoft.Network/publicIPAddresses", "apiVersion": "2023-09-01", "name": "{name}",
               "sku": {{"name": "Standard"}}, "properties": {{"ipAddress": "{address}"}}}}"#
        )
    };
    let balancer = format!(
        r#"{{"type": "Microsoft.Network/loadBalancers", "apiVersion": "2023-09-01", "name": "lb", "properties":
           {{"frontendIPConfigurations": [{}, {}], "inboundNatRules": [{}, {}]}}}}, {}, {},"#,
        frontend("four"),
        frontend("six"),
        rule("four", LISTED[0]),
        rule("six", LISTED[1]),
        public("four", FRONTENDS[0]),
        public("six", FRONTENDS[1])
    );
    let named =
        |name: &str| format!(r#""loadBalancerInboundNatRules": [{}]"#, reference("inboundNatRules", name));
    let second = format!(
        r#"{{"name": "six", "properties": {{"privateIPAddress": "fd00::4", "privateIPAddressVersion": "IPv6",
           "subnet": {{"id": "[resourceId('Microsoft.Network/virtualNetworks/subnets', 'net', 'web')]"}}, {}}}}},"#,
        named("six")
    );
    include_str!("estate.json")
        .replace("PORT", &port.to_string())
        .replace(r#""10.0.0.0/16""#, r#""10.0.0.0/16", "fd00::/64""#)
        .replace(r#""addressPrefix": "10.0.0.0/24""#, r#""addressPrefixes": ["10.0.0.0/24", "fd00::/64"]"#)
        .replace(r#""resources": ["#, &format!(r#""resources": [{balancer}"#))
        .replace(r#""ipConfigurations": ["#, &format!(r#""ipConfigurations": [{second}"#))
        .replace(
            r#""privateIPAllocationMethod": "Static","#,
            &format!(r#""privateIPAllocationMethod": "Static", {},"#, named("four")),
        )
}

/// Whether an address outside has an answer from its family's frontend.
fn reaches(outside: &OwnedFd, from: &str, frontend: &str, patience: Duration) -> bool {
    inside(outside, || {
        let from: IpAddr = from.parse().unwrap();
        let frontend: IpAddr = frontend.parse().unwrap();
        let socket = UdpSocket::bind(SocketAddr::new(from, 0)).unwrap();
        socket.set_read_timeout(Some(patience)).unwrap();
        socket.connect(SocketAddr::new(frontend, PUBLIC_PORT)).unwrap();
        socket.send(b"?").unwrap();
        socket.recv(&mut [0; 8]).is_ok()
    })
}

/// Both families are open to who is listed, and closed to others.
fn is_open(outside: &OwnedFd) {
    for family in 0..2 {
        // Of those that come first, the neighbours may still be looked for.
        let is_answered = (0..3).any(|_| reaches(outside, LISTED[family], FRONTENDS[family], ANSWER));
        assert!(is_answered, "{} is shut out", LISTED[family]);
        assert!(
            !reaches(outside, UNLISTED[family], FRONTENDS[family], SILENCE),
            "{} came in",
            UNLISTED[family]
        );
    }
}

fn is_shut(outside: &OwnedFd) {
    for family in 0..2 {
        assert!(!reaches(outside, LISTED[family], FRONTENDS[family], SILENCE), "{} came in", LISTED[family]);
    }
}

pub fn endpoints(stage: &Stage) -> Vec<EndpointRecord> {
    stage.status().endpoints
}

pub fn in_force(stage: &Stage) {
    wait_for("both endpoints to be in force", || {
        let found = endpoints(stage);
        (found.len() == 2 && found.iter().all(|endpoint| endpoint.in_force)).then_some(())
    });
}

fn table(stage: &Stage) -> Option<String> {
    let output =
        Command::new("nft").args(["list", "table", "inet", &stage.instance().table()]).output().unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

/// What answers in the machine at the private port, of both families.
pub fn serve(stage: &Stage) -> Server {
    let at = |address: &str| SocketAddr::new(address.parse().unwrap(), OPEN);
    stage.serve_at(&[at("10.0.0.4"), at("fd00::4")])
}

#[test]
fn a_machine_is_reached_by_its_public_port_from_listed_sources_only() {
    let Some((stage, outside)) = stage() else { return };
    stage.write_text(&estate(OPEN));
    let _server = serve(&stage);
    is_shut(&outside);
    let agent = stage.start_agent();
    enforced(&stage);
    in_force(&stage);
    is_open(&outside);

    // The NSG judges after the translation, by the private port: nothing of the endpoint changes.
    stage.write_text(&estate(SHUT));
    wait_for("the other rule to be in force", || (stage.status().generation == 2).then_some(()));
    in_force(&stage);
    let before = drops(&stage.status());
    is_shut(&outside);
    assert!(
        drops(&stage.status()) >= before + 2,
        "the NSG dropped what was translated: {:?}",
        stage.status()
    );
    stage.write_text(&estate(OPEN));
    wait_for("the first rule to be in force", || (stage.status().generation == 3).then_some(()));
    is_open(&outside);

    // Somebody deletes the table, or a rule of it.
    run("nft", ["delete", "table", "inet", &stage.instance().table()].into_iter());
    wait_for("the table to be repaired", || table(&stage));
    let repaired = "endpoints were changed by somebody else and are in force again (2)";
    wait_for("the repair to be told", || agent.log().contains(repaired).then_some(()));
    run("nft", ["flush", "chain", "inet", &stage.instance().table(), "sources"].into_iter());
    wait_for("the rules to be repaired", || table(&stage).filter(|text| text.contains("drop")));
    is_open(&outside);

    // It is killed, and the kernel goes on; the next agent has nothing to do.
    drop(agent);
    is_open(&outside);
    let agent = stage.start_agent();
    wait_for("the next agent to take over", || stage.status().agent_running.then_some(()));
    in_force(&stage);
    is_open(&outside);
    assert!(!agent.log().contains("endpoints"), "{}", agent.log());

    stage.write_estate(OPEN);
    wait_for("the last endpoint to go", || table(&stage).is_none().then_some(()));
    wait_for("its end to be told", || endpoints(&stage).is_empty().then_some(()));
    is_shut(&outside);

    stage.write_text(&estate(OPEN));
    in_force(&stage);
    assert!(agent.stop().success());
    is_open(&outside);
    palisade_agent::remove(stage.instance()).unwrap();
    assert_eq!(table(&stage), None);
    is_shut(&outside);
}

#[test]
fn a_source_that_is_taken_off_the_list_is_cut_off_in_the_middle() {
    let Some((stage, outside)) = stage() else { return };
    stage.write_text(&estate(OPEN));
    let _server = serve(&stage);
    let _agent = stage.start_agent();
    in_force(&stage);
    let socket = inside(&outside, || {
        let socket = UdpSocket::bind((LISTED[0], 0)).unwrap();
        socket.connect((FRONTENDS[0], PUBLIC_PORT)).unwrap();
        socket
    });
    socket.set_read_timeout(Some(ANSWER)).unwrap();
    let answers = || socket.send(b"?").is_ok() && socket.recv(&mut [0; 8]).is_ok();
    assert!(answers());
    stage.write_text(&estate(OPEN).replace(&format!("[\"{}\"]", LISTED[0]), "[\"192.0.2.77\"]"));
    wait_for("the list to be in force", || table(&stage).filter(|text| text.contains("192.0.2.77")));
    socket.set_read_timeout(Some(SILENCE)).unwrap();
    assert!(!answers(), "the flow goes on");
}

#[test]
fn without_nft_the_estate_is_enforced_and_the_endpoint_is_told() {
    let Some((stage, _outside)) = stage() else { return };
    stage.write_text(&estate(OPEN));
    let agent = stage.start_agent_on_path("/nonexistent");
    enforced(&stage);
    let found = wait_for("the endpoints to be told", || {
        let found = endpoints(&stage);
        (found.len() == 2).then_some(found)
    });
    for endpoint in found {
        assert!(!endpoint.in_force);
        assert_eq!(
            endpoint.why.as_deref(),
            Some("the program nft is not on PATH (install the package nftables)")
        );
    }
    // It says so after it has written it down, and once.
    let told = || agent.log().matches("is not in force: the program nft is not on PATH").count();
    wait_for("both to be told", || (told() >= 2).then_some(()));
    assert_eq!(told(), 2, "{}", agent.log());
    // What is missing is found when it is there.
    drop(agent);
    let _agent = stage.start_agent();
    in_force(&stage);
}

#[test]
fn a_host_that_does_not_forward_is_told() {
    let Some((stage, _outside)) = stage() else { return };
    fs::write("/proc/sys/net/ipv4/ip_forward", "0").unwrap();
    stage.write_text(&estate(OPEN));
    let _agent = stage.start_agent();
    let found = wait_for("the endpoints to be told", || {
        let found = endpoints(&stage);
        (found.len() == 2).then_some(found)
    });
    let told: Vec<_> = found.iter().map(|endpoint| (endpoint.in_force, endpoint.why.as_deref())).collect();
    let why = "this host forwards no packets (sysctl -w net.ipv4.ip_forward=1)";
    assert_eq!(told, [(false, Some(why)), (true, None)]);
}

//! A machine behind a host that routes, and two addresses outside, of both families: wires, resources, and connections over them.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use palisade_client::{Client, Patience, Precondition};
use palisade_lab::netns::{ip::Batch, stage::Stage};
use serde_json::json;

use crate::{
    PATIENCE,
    up::{Up, login},
};

/// The namespaces, as [`wire`] connects them.
pub const PARTS: [&str; 4] = ["host", "vm", "near", "far"];
/// Address of the machine.
pub const VM: &str = "10.30.1.4";
/// Address of `near`.
pub const NEAR: &str = "198.51.100.7";
/// The same of the other family.
pub const VM_SIX: &str = "fd30:0:0:1::4";
/// Address of `near`.
pub const NEAR_SIX: &str = "2001:db8:1::7";
/// Address of `far`.
pub const FAR_SIX: &str = "2001:db8:2::9";
/// Port that [`echo`] serves.
pub const PORT: u16 = 3389;
/// What is closed must stay silent so long.
pub const SILENCE: Duration = Duration::from_millis(400);
/// What is open may take its time on a loaded machine.
pub const OPEN_WITHIN: Duration = Duration::from_secs(5);

/// A host that routes, a machine behind it, and two addresses outside.
pub fn wire(stage: &Stage) -> palisade_lab::Result<()> {
    let inner = |part: &str| stage.namespace(part).name().to_owned();
    Batch::new()
        .line("link set lo up")
        .line("link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0")
        .line("address add 10.30.1.1/24 dev br0")
        .line("address add fd30:0:0:1::1/64 dev br0 nodad")
        .line("link set br0 up")
        .line(format!(
            "link add vm-1 type veth peer name eth0 address 02:50:00:00:00:0a netns {}",
            inner("vm")
        ))
        .line("link set vm-1 alias vm1-nic")
        .line("link set vm-1 master br0 up")
        .line(format!("link add near type veth peer name eth0 netns {}", inner("near")))
        .line("address add 198.51.100.1/24 dev near")
        .line("address add 2001:db8:1::1/64 dev near nodad")
        .line("link set near up")
        .line(format!("link add far type veth peer name eth0 netns {}", inner("far")))
        .line("address add 203.0.113.1/24 dev far")
        .line("address add 2001:db8:2::1/64 dev far nodad")
        .line("link set far up")
        .run_in(&stage.namespace("host"))?;
    stage.namespace("host").configure(&[("ipv4/ip_forward", "1"), ("ipv6/conf/all/forwarding", "1")])?;
    for (part, addresses, via) in [
        ("vm", ["10.30.1.4/24", "fd30:0:0:1::4/64"], ["10.30.1.1", "fd30:0:0:1::1"]),
        ("near", ["198.51.100.7/24", "2001:db8:1::7/64"], ["198.51.100.1", "2001:db8:1::1"]),
        ("far", ["203.0.113.9/24", "2001:db8:2::9/64"], ["203.0.113.1", "2001:db8:2::1"]),
    ] {
        Batch::new()
            .line("link set lo up")
            .line(format!("address add {} dev eth0", addresses[0]))
            .line(format!("address add {} dev eth0 nodad", addresses[1]))
            .line("link set eth0 up")
            .line(format!("route add default via {}", via[0]))
            .line(format!("route add ::/0 via {}", via[1]))
            .run_in(&stage.namespace(part))?;
    }
    Ok(())
}

/// A machine whose NSG has allowed everything for long.
pub fn make_estate(client: &Client) {
    let group = format!("/subscriptions/{}/resourceGroups/g", client.subscription());
    let id = |kind: &str, name: &str| format!("{group}/providers/Microsoft.Network/{kind}/{name}");
    let reference = |kind: &str, name: &str| json!({"id": id(kind, name)});
    let older = |way: &str| {
        json!({"name": format!("older{way}"), "properties": {"priority": 100, "direction": way, "access": "Allow",
            "protocol": "*", "sourceAddressPrefix": "*", "sourcePortRange": "*", "destinationAddressPrefix": "*",
            "destinationPortRange": "*"}})
    };
    let rules = [older("Inbound"), older("Outbound")];
    let prefixes = json!(["10.30.1.0/24", "fd30:0:0:1::/64"]);
    let subnets = json!([{"name": "lan", "properties": {"addressPrefixes": prefixes}}]);
    let subnet = json!({"id": format!("{}/subnets/lan", id("virtualNetworks", "net"))});
    let address = json!({"subnet": subnet, "privateIPAddress": VM, "privateIPAllocationMethod": "Static"});
    let six = json!({"subnet": subnet, "privateIPAddress": VM_SIX, "privateIPAddressVersion": "IPv6",
        "privateIPAllocationMethod": "Static"});
    let nic = json!({"macAddress": "02-50-00-00-00-0A", "networkSecurityGroup": reference("networkSecurityGroups", "nsg"),
        "ipConfigurations": [{"name": "main", "properties": address}, {"name": "six", "properties": six}]});
    let machine =
        json!({"networkProfile": {"networkInterfaces": [reference("networkInterfaces", "vm1-nic")]}});
    for (id, properties) in [
        (group.clone(), json!({})),
        (id("networkSecurityGroups", "nsg"), json!({"securityRules": rules})),
        (
            id("virtualNetworks", "net"),
            json!({"addressSpace": {"addressPrefixes": ["10.30.0.0/16", "fd30::/48"]}, "subnets": subnets}),
        ),
        (id("networkInterfaces", "vm1-nic"), nic),
        (format!("{group}/providers/Microsoft.Compute/virtualMachines/vm1"), machine),
    ] {
        let body = json!({"location": "westeurope", "properties": properties});
        let written = client.put(&id, &body, Precondition::Always).expect("it is valid");
        if let Some(operation) = written.operation {
            client.wait(&operation, Patience(PATIENCE), |_| ()).expect("it comes in force");
        }
    }
}

/// `palisade up` with that machine, which echoes, and the command logged in.
pub fn serve<'s>(stage: &'s Stage, more: &[&str]) -> Up<'s> {
    let (up, client) = Up::start(stage, more);
    stage.namespace("host").enter(|| make_estate(&client)).expect("the namespace is there");
    echo(stage);
    login(stage);
    up
}

/// Answers every byte with itself, on every connection of both families.
pub fn echo(stage: &Stage) {
    let listen = || TcpListener::bind((std::net::Ipv6Addr::UNSPECIFIED, PORT)).expect("the port is free");
    let listener = stage.namespace("vm").enter(listen).expect("the namespace is there");
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || {
                let Ok(mut stream) = stream else { return };
                let mut byte = [0];
                while stream.read_exact(&mut byte).is_ok() && stream.write_all(&byte).is_ok() {}
            });
        }
    });
}

/// A connection from a namespace to the port, if it opens.
pub fn connect(stage: &Stage, from: &str, within: Duration) -> Option<TcpStream> {
    connect_to(stage, from, format!("{VM}:{PORT}").parse().expect("an address"), within)
}

/// A connection from a namespace to any address and port, if it opens.
pub fn connect_to(stage: &Stage, from: &str, to: SocketAddr, within: Duration) -> Option<TcpStream> {
    let connect = || TcpStream::connect_timeout(&to, within).ok();
    stage.namespace(from).enter(connect).expect("the namespace is there")
}

/// Whether a byte comes back.
pub fn lives(stream: &mut TcpStream, within: Duration) -> bool {
    stream.set_read_timeout(Some(within)).expect("a timeout");
    stream.write_all(b"x").is_ok() && stream.read_exact(&mut [0]).is_ok()
}

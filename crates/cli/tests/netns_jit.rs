//! Time-limited access with real packets and the real command: closed though an older rule allows, opened to one source, closed at
//! its second with server and agent killed, for connections that live and for new ones.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use palisade_client::{Bootstrap, Client, Precondition};
use palisade_lab::{
    Lifetime,
    netns::{ip::Batch, obstacle, registry::unique_name, stage::Stage},
};
use serde_json::{Value, json};

const PALISADE: &str = env!("CARGO_BIN_EXE_palisade");
const VM: &str = "10.30.1.4";
/// Who is let in.
const NEAR: &str = "198.51.100.7";
const PORT: u16 = 3389;
/// Far longer than it takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// What is closed must stay silent so long.
const SILENCE: Duration = Duration::from_millis(400);
/// What is open may take its time on a loaded machine.
const OPEN_WITHIN: Duration = Duration::from_secs(5);
/// How soon after its end a grant must be closed.
const CLOSED_WITHIN: Duration = Duration::from_secs(1);

/// Server and agent in one process, which is killed, and whose instance is taken out of the kernel, however the test ends.
struct Up<'s> {
    child: Child,
    instance: &'s str,
}

impl Drop for Up<'_> {
    fn drop(&mut self) {
        let _over = self.child.kill();
        let _over = self.child.wait();
        let _gone = Command::new(PALISADE).args(["detach", "--instance", self.instance]).output();
    }
}

/// A host that routes, a machine behind it, and two addresses outside.
fn wire(stage: &Stage) -> palisade_lab::Result<()> {
    let inner = |part: &str| stage.namespace(part).name().to_owned();
    Batch::new()
        .line("link set lo up")
        .line("link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0")
        .line("address add 10.30.1.1/24 dev br0")
        .line("link set br0 up")
        .line(format!(
            "link add vm-1 type veth peer name eth0 address 02:50:00:00:00:0a netns {}",
            inner("vm")
        ))
        .line("link set vm-1 alias vm1-nic")
        .line("link set vm-1 master br0 up")
        .line(format!("link add near type veth peer name eth0 netns {}", inner("near")))
        .line("address add 198.51.100.1/24 dev near")
        .line("link set near up")
        .line(format!("link add far type veth peer name eth0 netns {}", inner("far")))
        .line("address add 203.0.113.1/24 dev far")
        .line("link set far up")
        .run_in(&stage.namespace("host"))?;
    stage.namespace("host").configure(&[("ipv4/ip_forward", "1")])?;
    for (part, address, via) in [
        ("vm", "10.30.1.4/24", "10.30.1.1"),
        ("near", "198.51.100.7/24", "198.51.100.1"),
        ("far", "203.0.113.9/24", "203.0.113.1"),
    ] {
        Batch::new()
            .line("link set lo up")
            .line(format!("address add {address} dev eth0"))
            .line("link set eth0 up")
            .line(format!("route add default via {via}"))
            .run_in(&stage.namespace(part))?;
    }
    Ok(())
}

/// Starts server and agent, and waits until the one serves the other; its client, which works in the host's namespace only.
fn serve(stage: &Stage) -> (Up<'_>, Client) {
    let data = stage.folder().join("data");
    let child = stage
        .command("host", PALISADE)
        .expect("the namespace is there")
        .args(["up", "--listen", "127.0.0.1:8443", "--agents-listen", "127.0.0.1:0", "--host", "h"])
        .args(["--instance", stage.name(), "--data"])
        .arg(&data)
        .stdin(Stdio::null())
        .spawn()
        .expect("the command starts");
    let mut up = Up { child, instance: stage.name() };
    let begun = Instant::now();
    loop {
        let client = stage.namespace("host").enter(|| {
            let bootstrap = Bootstrap::read(&data.join("bootstrap.json")).ok()?;
            let client = Client::of(bootstrap.profile().ok()?).ok()?;
            client.host("h").ok().map(|_| client)
        });
        if let Some(client) = client.expect("the namespace is there") {
            return (up, client);
        }
        assert!(up.child.try_wait().expect("it is ours").is_none(), "it ended");
        assert!(begun.elapsed() < PATIENCE, "its agent has not joined");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A machine whose NSG has allowed everything for long.
fn make_estate(client: &Client) {
    let group = format!("/subscriptions/{}/resourceGroups/g", client.subscription());
    let id = |kind: &str, name: &str| format!("{group}/providers/Microsoft.Network/{kind}/{name}");
    let reference = |kind: &str, name: &str| json!({"id": id(kind, name)});
    let rule = json!([{"name": "older", "properties": {"priority": 100, "direction": "Inbound", "access": "Allow",
        "protocol": "*", "sourceAddressPrefix": "*", "sourcePortRange": "*", "destinationAddressPrefix": "*",
        "destinationPortRange": "*"}}]);
    let subnets = json!([{"name": "lan", "properties": {"addressPrefix": "10.30.1.0/24"}}]);
    let subnet = json!({"id": format!("{}/subnets/lan", id("virtualNetworks", "net"))});
    let address = json!({"subnet": subnet, "privateIPAddress": VM, "privateIPAllocationMethod": "Static"});
    let nic = json!({"macAddress": "02-50-00-00-00-0A", "networkSecurityGroup": reference("networkSecurityGroups", "nsg"),
        "ipConfigurations": [{"name": "main", "properties": address}]});
    let machine =
        json!({"networkProfile": {"networkInterfaces": [reference("networkInterfaces", "vm1-nic")]}});
    for (id, properties) in [
        (group.clone(), json!({})),
        (id("networkSecurityGroups", "nsg"), json!({"securityRules": rule})),
        (
            id("virtualNetworks", "net"),
            json!({"addressSpace": {"addressPrefixes": ["10.30.0.0/16"]}, "subnets": subnets}),
        ),
        (id("networkInterfaces", "vm1-nic"), nic),
        (format!("{group}/providers/Microsoft.Compute/virtualMachines/vm1"), machine),
    ] {
        let body = json!({"location": "westeurope", "properties": properties});
        let written = client.put(&id, &body, Precondition::Always).expect("it is valid");
        if let Some(operation) = written.operation {
            client.wait(&operation, palisade_client::Patience(PATIENCE), |_| ()).expect("it comes in force");
        }
    }
}

/// Answers every byte with itself, on every connection.
fn echo(stage: &Stage) {
    let listen = || TcpListener::bind((VM, PORT)).expect("the port is free");
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

fn connect(stage: &Stage, from: &str, within: Duration) -> Option<TcpStream> {
    let to: SocketAddr = format!("{VM}:{PORT}").parse().expect("an address");
    let connect = || TcpStream::connect_timeout(&to, within).ok();
    stage.namespace(from).enter(connect).expect("the namespace is there")
}

/// Whether a byte comes back.
fn lives(stream: &mut TcpStream, within: Duration) -> bool {
    stream.set_read_timeout(Some(within)).expect("a timeout");
    stream.write_all(b"x").is_ok() && stream.read_exact(&mut [0]).is_ok()
}

/// Runs the command as who `login` made it.
fn palisade(stage: &Stage, words: &[&str]) -> Output {
    let mut command = stage.command("host", PALISADE).expect("the namespace is there");
    command
        .args(words)
        .env("HOME", stage.folder())
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("PALISADE_PROFILE");
    let output = command.output().expect("the command runs");
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn answer(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// How long it is until a second of the wall clock, or since then.
fn until(end: u64) -> Result<Duration, Duration> {
    let end = UNIX_EPOCH + Duration::from_secs(end);
    end.duration_since(SystemTime::now()).map_err(|error| error.duration())
}

/// Asks for the port from near.
fn ask(stage: &Stage, time: &str) -> Value {
    let words = ["jit", "request", "vm1", "--port", "3389", "--for", time, "--from", NEAR, "--why", "test"];
    let request = answer(&palisade(stage, &[&words[..], &["--format", "json"]].concat()));
    assert_eq!(request["virtualMachines"][0]["ports"][0]["state"], "Active");
    request
}

/// Opens the door, extends it, closes it, and looks at what is told of it.
fn revoking_cuts_at_once(stage: &Stage) {
    let request = ask(stage, "30m");
    let name = request["name"].as_str().expect("it has a name");
    let mut live = connect(stage, "near", OPEN_WITHIN).expect("it is open");
    let end = |request: &Value| request["virtualMachines"][0]["ports"][0]["endTimeUtc"].as_str().map(seconds);
    let longer = answer(&palisade(stage, &["jit", "extend", name, "--for", "50m", "--format", "json"]));
    assert!(end(&longer) > end(&request));
    assert!(lives(&mut live, OPEN_WITHIN), "extending cuts nothing");
    let open = answer(&palisade(stage, &["jit", "list", "vm1", "--format", "json"]));
    assert_eq!(open[0]["name"], name);
    palisade(stage, &["jit", "revoke", name]);
    assert!(!lives(&mut live, SILENCE), "it is cut when the command returns");
    assert!(connect(stage, "near", SILENCE).is_none());
    assert_eq!(answer(&palisade(stage, &["jit", "list", "--format", "json"])), json!([]));
    let told = palisade(stage, &["jit", "history"]);
    assert!(String::from_utf8_lossy(&told.stdout).contains("EndedEarly"));
}

#[test]
fn a_door_closes_at_its_second_with_everybody_dead() {
    if let Some(reason) = obstacle() {
        println!("skipped: {reason}");
        return;
    }
    let parts = ["host", "vm", "near", "far"];
    let stage = Stage::up(&unique_name(), Lifetime::Process, &parts, wire).expect("namespaces");
    let (mut up, client) = serve(&stage);
    stage.namespace("host").enter(|| make_estate(&client)).expect("the namespace is there");
    echo(&stage);
    let data = stage.folder().join("data").join("bootstrap.json");
    palisade(&stage, &["login", "--bootstrap", data.to_str().expect("a path of text")]);

    let mut early = connect(&stage, "near", OPEN_WITHIN).expect("the NSG allows it");
    assert!(lives(&mut early, OPEN_WITHIN));
    let told = palisade(&stage, &["jit", "policy", "vm1", "--port", "3389", "--max", "1h"]);
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.contains("JitRuleOverridden") && told.contains("securityRules/older"), "{told}");
    assert!(!lives(&mut early, SILENCE), "closing cuts what lives");
    assert!(connect(&stage, "near", SILENCE).is_none(), "closed, though an older rule allows it");

    revoking_cuts_at_once(&stage);
    let request = ask(&stage, "10s");
    let port = &request["virtualMachines"][0]["ports"][0];
    let mut live = connect(&stage, "near", OPEN_WITHIN)
        .expect("it was asked for, and is in force when the command returns");
    assert!(connect(&stage, "far", SILENCE).is_none(), "one source only");
    let end = seconds(port["endTimeUtc"].as_str().expect("an end"));

    up.child.kill().expect("it runs");
    up.child.wait().expect("it is ours");
    let mut opened_late = 0;
    while until(end).is_ok_and(|left| left > Duration::from_millis(500)) {
        assert!(lives(&mut live, OPEN_WITHIN), "{:?} before its end", until(end));
        if let Some(stream) = connect(&stage, "near", SILENCE) {
            opened_late += 1;
            stream.shutdown(Shutdown::Both).expect("it is open");
        }
    }
    assert!(opened_late > 0, "nobody but the kernel is there, and it lets pass what it should");
    let (mut last_byte, mut last_opened) = (Duration::ZERO, Duration::ZERO);
    while until(end).is_ok() || until(end).is_err_and(|since| since < Duration::from_secs(3)) {
        let asked = until(end).err();
        if lives(&mut live, SILENCE) {
            last_byte = asked.unwrap_or_default();
        }
        let asked = until(end).err();
        if connect(&stage, "near", SILENCE).is_some() {
            last_opened = asked.unwrap_or_default();
        }
    }
    println!("after the end: a byte at {last_byte:?}, a connection at {last_opened:?}");
    assert!(last_byte < CLOSED_WITHIN && last_opened < CLOSED_WITHIN, "{last_byte:?}, {last_opened:?}");
}

/// Seconds since 1970 of a moment as the server writes it.
fn seconds(text: &str) -> u64 {
    let moment = palisade_model::calendar::Moment::parse(text).expect("a moment");
    u64::try_from(moment.seconds).expect("after 1970")
}

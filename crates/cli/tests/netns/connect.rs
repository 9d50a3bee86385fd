//! Tunnels with real packets and the real command: to a port that nobody else ever finds open, and each thing that ends one.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    process::{Child, Output, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use palisade_lab::{
    Lifetime,
    netns::{obstacle, registry::unique_name, stage::Stage},
};
use serde_json::Value;

use crate::{
    PATIENCE,
    machine::{OPEN_WITHIN, PARTS, SILENCE, connect, lives, serve, wire},
    up::{command, login_another, palisade},
};

/// `palisade connect` that listens, until it is dropped.
pub struct Local {
    child: Child,
    /// Lines of what it says.
    said: mpsc::Receiver<String>,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Local {
    /// Starts it for a port of the machine.
    pub fn start(stage: &Stage, profile: Option<&str>, port: u16, more: &[&str]) -> Self {
        let mut start = command(stage);
        if let Some(profile) = profile {
            start.env("PALISADE_PROFILE", profile);
        }
        start.args(["connect", "vm1", &port.to_string()]).args(more);
        start.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = start.spawn().expect("the command starts");
        let mut line = String::new();
        let mut printed = BufReader::new(child.stdout.take().expect("it is piped"));
        printed.read_line(&mut line).expect("it prints");
        let errors = BufReader::new(child.stderr.take().expect("it is piped"));
        let (tell, said) = mpsc::channel();
        thread::spawn(move || errors.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
        let Ok(address) = line.trim().parse() else {
            panic!("it listens nowhere: {line:?} {:?}", said.iter().collect::<Vec<_>>());
        };
        Self { child, said, address }
    }

    /// A connection through it.
    fn connect(&self, stage: &Stage) -> TcpStream {
        let address = self.address;
        let connected =
            stage.namespace("host").enter(move || TcpStream::connect_timeout(&address, OPEN_WITHIN));
        connected.expect("the namespace is there").expect("it listens")
    }

    /// Waits until it says `word`.
    fn says(&self, word: &str) {
        let mut all = Vec::new();
        while !all.last().is_some_and(|line: &String| line.contains(word)) {
            let Ok(line) = self.said.recv_timeout(PATIENCE) else { panic!("it said no {word:?}: {all:?}") };
            all.push(line);
        }
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        let _over = self.child.kill();
        let _over = self.child.wait();
    }
}

/// Whether the port is closed to everybody: to others, and to the host itself.
fn is_closed(stage: &Stage) -> bool {
    ["near", "far", "host"].into_iter().all(|from| connect(stage, from, SILENCE).is_none())
}

/// How long until the other side ends it, while a byte is sent now and then, or not.
fn ends_after(stream: &mut TcpStream, sends: bool) -> Duration {
    let begun = Instant::now();
    stream.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout");
    loop {
        if sends && stream.write_all(b"x").is_err() {
            return begun.elapsed();
        }
        match stream.read(&mut [0]) {
            Ok(0) => return begun.elapsed(),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return begun.elapsed(),
        }
        assert!(begun.elapsed() < PATIENCE, "it does not end");
    }
}

/// What the audit log says of the end of tunnels, oldest first: why, and bytes both ways.
fn endings(stage: &Stage) -> Vec<(String, u64, u64)> {
    let printed = palisade(stage, &["audit", "export"]);
    let lines = String::from_utf8(printed.stdout).expect("text");
    let entries: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let is_end = |entry: &&Value| {
        entry["verb"] == "end" && entry["target"].as_str().is_some_and(|id| id.contains("/tunnels/"))
    };
    let told = |entry: &Value| {
        let after = &entry["after"]["document"];
        let bytes = |key: &str| after[key].as_u64().expect("a number");
        let why = after["endedFor"].as_str().expect("a word").to_owned();
        (why, bytes("bytesToMachine"), bytes("bytesFromMachine"))
    };
    entries.iter().filter(is_end).map(told).collect()
}

fn last_ending(stage: &Stage, count: usize) -> (String, u64, u64) {
    let begun = Instant::now();
    loop {
        let all = endings(stage);
        if all.len() >= count {
            return all[count - 1].clone();
        }
        assert!(begun.elapsed() < PATIENCE, "{count} tunnels have not ended: {all:?}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// The tunnels that are open.
fn tunnels(stage: &Stage) -> Vec<Value> {
    let listed = palisade(stage, &["get", "tunnels", "--format", "json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    listed.as_array().expect("a list").clone()
}

#[test]
fn a_tunnel_is_the_only_way_in_and_ends_for_every_reason() {
    if let Some(reason) = obstacle() {
        println!("skipped: {reason}");
        return;
    }
    let stage = Stage::up(&unique_name(), Lifetime::Process, &PARTS, wire).expect("namespaces");
    let mut up = serve(&stage, &[]);
    palisade(&stage, &["jit", "policy", "vm1", "--port", "3389", "--max", "1h"]);
    assert!(is_closed(&stage));

    // It opens, carries, is found by nobody, and is closed by its client.
    let local = Local::start(&stage, None, 3389, &["--why", "test"]);
    let mut live = local.connect(&stage);
    assert!(lives(&mut live, OPEN_WITHIN));
    let open = tunnels(&stage);
    assert_eq!(open.len(), 1);
    assert_eq!(open[0]["properties"]["sourceAddress"], "10.30.1.1");
    assert!(is_closed(&stage), "while a tunnel lives too");
    assert!(lives(&mut live, OPEN_WITHIN));
    drop(live);
    assert_eq!(last_ending(&stage, 1), ("Closed".to_owned(), 2, 2));
    assert!(tunnels(&stage).is_empty());
    drop(local);

    // Its time cuts it though bytes flow, its idle time does though there is time left.
    let local = Local::start(&stage, None, 3389, &["--for", "4s"]);
    let after = ends_after(&mut local.connect(&stage), true);
    assert!(after < Duration::from_secs(6), "{after:?}");
    local.says("TimeLimit");
    assert_eq!(last_ending(&stage, 2).0, "TimeLimit");
    let local = Local::start(&stage, None, 3389, &["--idle", "2s"]);
    let mut quiet = local.connect(&stage);
    assert!(lives(&mut quiet, OPEN_WITHIN));
    let after = ends_after(&mut quiet, false);
    assert!((Duration::from_millis(1_500)..Duration::from_secs(4)).contains(&after), "{after:?}");
    local.says("IdleLimit");
    assert_eq!(last_ending(&stage, 3).0, "IdleLimit");

    // Whoever deletes it ends it.
    let local = Local::start(&stage, None, 3389, &[]);
    let mut live = local.connect(&stage);
    assert!(lives(&mut live, OPEN_WITHIN));
    let id = tunnels(&stage)[0]["id"].as_str().expect("an id").to_owned();
    palisade(&stage, &["delete", &id]);
    assert!(!lives(&mut live, SILENCE));
    local.says("Revoked");
    assert_eq!(last_ending(&stage, 4).0, "Revoked");

    // What the policy does not allow is refused, with its code.
    refused(&stage, None, &["--for", "2h"], "JitDurationNotAllowed");
    roles(&stage, 5);

    // With server and agent dead nothing is left that anybody could use.
    let local = Local::start(&stage, None, 3389, &[]);
    let mut live = local.connect(&stage);
    assert!(lives(&mut live, OPEN_WITHIN));
    up.kill();
    assert!(!lives(&mut live, OPEN_WITHIN));
    assert!(is_closed(&stage));
}

/// Asks for standard input and output, and for an address to listen at, and is refused.
fn refused(stage: &Stage, profile: Option<&str>, more: &[&str], code: &str) {
    for way in [&["--stdio"][..], &[]] {
        let mut ask = command(stage);
        if let Some(profile) = profile {
            ask.env("PALISADE_PROFILE", profile);
        }
        let Output { status, stderr, stdout } = ask
            .args(["connect", "vm1", "3389"])
            .args(way)
            .args(more)
            .stdin(Stdio::null())
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&stderr);
        assert_eq!(status.code(), Some(2), "{way:?}: {said}");
        assert!(said.contains(code), "{way:?}: {said}");
        assert!(stdout.is_empty(), "{way:?}");
    }
}

/// Without a role nobody comes through, and who loses his is cut off.
fn roles(stage: &Stage, count: usize) {
    let read = |words: &[&str]| -> Value {
        let printed = palisade(stage, &[words, &["--format", "json"]].concat());
        serde_json::from_slice(&printed.stdout).expect("JSON")
    };
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_else(|| panic!("{value}")).to_owned();
    login_another(stage, "guest");
    palisade(stage, &["role", "assign", "Reader", "--to", "guest", "-g", "g"]);
    refused(stage, Some("guest"), &[], "AuthorizationFailed");

    let role = read(&["role", "assign", "Palisade Security Operator", "--to", "guest", "-g", "g"]);
    let local = Local::start(stage, Some("guest"), 3389, &[]);
    let mut live = local.connect(stage);
    assert!(lives(&mut live, OPEN_WITHIN));
    palisade(stage, &["role", "delete", &text(&role, "id")]);
    assert!(ends_after(&mut live, true) < OPEN_WITHIN);
    local.says("NotAllowed");
    assert_eq!(last_ending(stage, count).0, "NotAllowed");
}

//! Endpoints with real packets and the real command: a random public port that leads to a machine, for who is listed, with server and
//! agent dead, until it is taken away.

use std::{net::TcpStream, process::Output};

use palisade_lab::{
    Lifetime,
    netns::{ip::Batch, obstacle, registry::unique_name, stage::Stage},
};
use serde_json::{Value, json};

use crate::{
    PALISADE,
    machine::{OPEN_WITHIN, PARTS, SILENCE, connect_to, lives, serve, wire},
    up::palisade,
};

/// Where the host is reached from outside.
const FRONTEND: &str = "192.0.2.80";

fn answer(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Whether both near and far reach a public port, as they should.
fn reached(stage: &Stage, port: u64) -> [bool; 2] {
    let to = format!("{FRONTEND}:{port}").parse().expect("an address");
    let mut near = connect_to(stage, "near", to, OPEN_WITHIN);
    let alive = |stream: &mut TcpStream| lives(stream, OPEN_WITHIN);
    [near.as_mut().is_some_and(alive), connect_to(stage, "far", to, SILENCE).is_some()]
}

fn is_shut(stage: &Stage, port: u64) -> bool {
    let to = format!("{FRONTEND}:{port}").parse().expect("an address");
    ["near", "far"].iter().all(|from| connect_to(stage, from, to, SILENCE).is_none())
}

#[test]
fn a_public_port_leads_to_a_machine_for_who_is_listed() {
    if let Some(reason) = obstacle() {
        println!("skipped: {reason}");
        return;
    }
    if std::process::Command::new("nft").arg("--version").output().is_err() {
        println!("skipped: there is no program nft");
        return;
    }
    let stage = Stage::up(&unique_name(), Lifetime::Process, &PARTS, wire).expect("namespaces");
    Batch::new()
        .line(format!("address add {FRONTEND}/32 dev lo"))
        .run_in(&stage.namespace("host"))
        .expect("the namespace is there");
    let mut up = serve(&stage, &[]);

    // Not for everybody, and nothing is written.
    let mut refused = stage.command("host", PALISADE).expect("the namespace is there");
    refused.args(["endpoint", "add", "vm1", "3389", "--address", FRONTEND]).env("HOME", stage.folder());
    let refused = refused.output().expect("the command starts");
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{told}");
    assert!(told.contains("port 3389 is a management port") && told.contains("add --from PREFIX"), "{told}");
    assert_eq!(answer(&palisade(&stage, &["endpoint", "list", "--format", "json"])), json!([]));

    let add = [
        "endpoint",
        "add",
        "vm1",
        "3389",
        "--from",
        "198.51.100.0/24",
        "--address",
        FRONTEND,
        "--format",
        "json",
    ];
    let added = answer(&palisade(&stage, &add));
    let port = added["publicPort"].as_u64().expect("a port");
    assert!((49_152..=65_534).contains(&port), "{added}");
    assert_eq!((&added["name"], &added["machine"]), (&json!("vm1-tcp-3389"), &json!("vm1")));
    assert_eq!(reached(&stage, port), [true, false], "near is listed and far is not");
    let listed = answer(&palisade(&stage, &["endpoint", "list", "vm1", "--format", "json"]));
    assert_eq!(listed, json!([added]));
    let status = palisade(&stage, &["status", "--instance", stage.name(), "--format", "json"]);
    assert_eq!(answer(&status)["endpoints"][0]["inForce"], true);

    palisade(&stage, &["endpoint", "remove", "vm1-tcp-3389"]);
    assert!(is_shut(&stage, port));
    assert_eq!(answer(&palisade(&stage, &["endpoint", "list", "--format", "json"])), json!([]));

    let again = [&add[..], &["--public-port", "3390"]].concat();
    assert_eq!(answer(&palisade(&stage, &again))["publicPort"], 3390, "by the load balancer that was made");
    up.kill();
    assert_eq!(reached(&stage, 3390), [true, false], "the kernel goes on");
    palisade(&stage, &["detach", "--instance", stage.name()]);
    assert!(is_shut(&stage, 3390));
}

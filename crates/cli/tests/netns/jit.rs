//! Time-limited access with real packets and the real command: closed though an older rule allows, opened to one source, closed at
//! its second with server and agent killed, for connections that live and for new ones.

use std::{
    net::Shutdown,
    process::Output,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use palisade_lab::{
    Lifetime,
    netns::{obstacle, registry::unique_name, stage::Stage},
};
use serde_json::{Value, json};

use crate::{
    PATIENCE,
    machine::{NEAR, OPEN_WITHIN, PARTS, SILENCE, connect, lives, serve, wire},
    up::{command, login_another, palisade, palisade_as},
};

/// How soon after its end a grant must be closed.
const CLOSED_WITHIN: Duration = Duration::from_secs(1);

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
    let stage = Stage::up(&unique_name(), Lifetime::Process, &PARTS, wire).expect("namespaces");
    let mut up = serve(&stage, &[]);

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

    up.kill();
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

/// The first connection has the door to itself, and its end closes it.
#[test]
fn a_grant_for_one_connection_is_used_up_by_it() {
    if let Some(reason) = obstacle() {
        println!("skipped: {reason}");
        return;
    }
    let stage = Stage::up(&unique_name(), Lifetime::Process, &PARTS, wire).expect("namespaces");
    let _up = serve(&stage, &["--detect"]);
    palisade(&stage, &["jit", "policy", "vm1", "--port", "3389"]);
    let words = ["jit", "request", "vm1", "--port", "3389", "--for", "30m", "--from", NEAR, "--once"];
    palisade(&stage, &[&words[..], &["--why", "test"]].concat());
    let door = || {
        let requests = answer(&palisade(&stage, &["jit", "history", "--format", "json"]));
        requests[0]["virtualMachines"][0]["ports"][0].clone()
    };

    let mut first = connect(&stage, "near", OPEN_WITHIN).expect("it is open");
    let port = first.local_addr().expect("it has an address").port();
    let begun = Instant::now();
    let mut second = connect(&stage, "near", OPEN_WITHIN);
    while second.as_mut().is_some_and(|second| lives(second, SILENCE)) {
        assert!(begun.elapsed() < PATIENCE, "a second connection lives on: {}", door());
    }
    println!("the second connection was closed after {:?}", begun.elapsed());
    assert!(lives(&mut first, OPEN_WITHIN), "the first goes on");
    assert!(connect(&stage, "near", SILENCE).is_none(), "nobody else comes in");
    let used = door();
    assert_eq!((&used["state"], &used["usedBy"]["port"]), (&json!("Active"), &json!(port)), "{used}");

    drop(first);
    let begun = Instant::now();
    while door()["state"] != "UsedUp" {
        assert!(begun.elapsed() < PATIENCE, "its end does not close it: {}", door());
    }
    assert!(connect(&stage, "near", SILENCE).is_none());
}

/// Who must not, is told so by a code.
fn refused(stage: &Stage, words: &[&str], code: &str) {
    let output = command(stage).args(words).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains(code), "{said}");
}

/// Who asks can neither let himself in nor stay longer; somebody else can let him.
#[test]
fn a_door_with_four_eyes_opens_when_somebody_else_approves() {
    if let Some(reason) = obstacle() {
        println!("skipped: {reason}");
        return;
    }
    let stage = Stage::up(&unique_name(), Lifetime::Process, &PARTS, wire).expect("namespaces");
    let _up = serve(&stage, &[]);
    login_another(&stage, "colleague");
    palisade(&stage, &["role", "assign", "Palisade Security Operator", "--to", "colleague", "-g", "g"]);
    palisade(&stage, &["jit", "policy", "vm1", "--port", "3389", "--max", "1h", "--approval"]);

    let words = ["jit", "request", "vm1", "--port", "3389", "--for", "30m", "--from", NEAR, "--why", "test"];
    let request = answer(&palisade(&stage, &[&words[..], &["--format", "json"]].concat()));
    let name = request["name"].as_str().expect("it has a name");
    assert_eq!(request["virtualMachines"][0]["ports"][0]["state"], "Pending");
    refused(&stage, &["jit", "approve", name], "JitApprovalByRequester");
    assert!(connect(&stage, "near", SILENCE).is_none(), "it waits");

    let approve = ["jit", "approve", name, "--format", "json"];
    let approved = answer(&palisade_as(&stage, "colleague", &approve));
    assert_eq!(approved["virtualMachines"][0]["ports"][0]["state"], "Active");
    assert_ne!(approved["approver"], approved["requestorId"], "{approved}");
    let mut live = connect(&stage, "near", OPEN_WITHIN).expect("it is open when the command returns");
    assert!(lives(&mut live, OPEN_WITHIN));
    assert!(connect(&stage, "far", SILENCE).is_none(), "one source only");

    refused(&stage, &["jit", "extend", name, "--for", "50m"], "JitApprovalByRequester");
    palisade_as(&stage, "colleague", &["jit", "extend", name, "--for", "50m"]);
    let told = palisade(&stage, &["jit", "history", "--format", "json"]);
    assert_eq!(answer(&told)[0]["approver"], approved["approver"]);
    palisade(&stage, &["jit", "revoke", name]);
    assert!(!lives(&mut live, SILENCE), "who asked may end it");
}

/// Seconds since 1970 of a moment as the server writes it.
fn seconds(text: &str) -> u64 {
    let moment = palisade_model::calendar::Moment::parse(text).expect("a moment");
    u64::try_from(moment.seconds).expect("after 1970")
}

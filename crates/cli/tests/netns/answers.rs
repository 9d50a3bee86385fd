//! Quarantine and lock-outs with real packets and the real command: live connections are cut, new ones drop; a lock-out ends by itself
//! and a quarantine stays, with server and agent killed; who guesses is locked out by a policy.

use std::{
    net::TcpStream,
    process::Output,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use palisade_lab::{
    Lifetime,
    netns::{obstacle, registry::unique_name, stage::Stage},
};
use palisade_model::calendar::Moment;
use serde_json::{Value, json};

use crate::{
    machine::{NEAR, OPEN_WITHIN, PARTS, SILENCE, connect, lives, serve, wire},
    up::palisade,
};

const FAR: &str = "203.0.113.9";

pub fn answer(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("JSON")
}

pub fn ready() -> Option<Stage> {
    if let Some(reason) = obstacle() {
        println!("skipped: {reason}");
        return None;
    }
    Some(Stage::up(&unique_name(), Lifetime::Process, &PARTS, wire).expect("namespaces"))
}

fn open(stage: &Stage, from: &str) -> TcpStream {
    let mut stream = connect(stage, from, OPEN_WITHIN).expect("the NSG allows it");
    assert!(lives(&mut stream, OPEN_WITHIN), "{from}");
    stream
}

pub fn is_after(end: &str) -> bool {
    let end = Moment::parse(end).expect("a moment").seconds;
    let end = UNIX_EPOCH + Duration::from_secs(u64::try_from(end).expect("after 1970"));
    SystemTime::now() >= end
}

#[test]
fn who_is_locked_out_is_cut_and_let_in_again_by_the_kernel_alone() {
    let Some(stage) = ready() else { return };
    let mut up = serve(&stage, &[]);
    let (mut near, mut far) = (open(&stage, "near"), open(&stage, "far"));
    let words = ["lockouts", "add", NEAR, "--for", "20s", "--why", "it guesses", "--format", "json"];
    let told = answer(&palisade(&stage, &words));
    let end = told["properties"]["endTimeUtc"].as_str().expect("it ends").to_owned();
    assert!(!lives(&mut near, SILENCE), "it is cut when the command returns");
    assert!(connect(&stage, "near", SILENCE).is_none());
    assert!(lives(&mut far, OPEN_WITHIN) && connect(&stage, "far", OPEN_WITHIN).is_some(), "nobody else");
    let listed = answer(&palisade(&stage, &["lockouts", "list", "--format", "json"]));
    assert_eq!(listed[0]["name"], told["name"]);
    up.kill();
    let mut held = 0;
    while !is_after(&end) {
        held += usize::from(connect(&stage, "near", SILENCE).is_none());
    }
    println!("{held} attempts dropped with nobody there but the kernel");
    assert!(held > 0);
    assert!(
        connect(&stage, "near", OPEN_WITHIN).is_some(),
        "its time has come, and nobody but the kernel is there"
    );
}

#[test]
fn quarantine_cuts_all_but_the_forensic_path_and_outlives_server_and_agent() {
    let Some(stage) = ready() else { return };
    let mut up = serve(&stage, &[]);
    let (mut near, mut far) = (open(&stage, "near"), open(&stage, "far"));
    let forensic = format!("{FAR}:3389");
    let words = ["quarantine", "vm1", "--forensic", &forensic, "--why", "it scans", "--format", "json"];
    let told = answer(&palisade(&stage, &words));
    assert_eq!(told["properties"]["forensic"], json!([{"source": FAR, "port": 3389, "protocol": "TCP"}]));
    assert!(!lives(&mut near, SILENCE), "it is cut when the command returns");
    assert!(connect(&stage, "near", SILENCE).is_none());
    assert!(lives(&mut far, OPEN_WITHIN), "the forensic path stays open, what lives there too");
    palisade(&stage, &["release", "vm1"]);
    drop(open(&stage, "near"));
    palisade(&stage, &words);
    up.kill();
    assert!(connect(&stage, "near", SILENCE).is_none(), "with everybody dead");
    drop(open(&stage, "far"));
    let out = stage.namespace("vm").enter(|| {
        let to = "203.0.113.9:9".parse().expect("an address");
        TcpStream::connect_timeout(&to, SILENCE).err().map(|error| error.kind())
    });
    let out = out.expect("the namespace is there");
    assert_eq!(out, Some(std::io::ErrorKind::TimedOut), "nothing leaves: nobody is there to refuse it");
}

/// One try at a password, as the flows see it.
fn guess(stage: &Stage) -> bool {
    let Some(mut stream) = connect(stage, "near", SILENCE) else { return false };
    (0..4).all(|_| lives(&mut stream, SILENCE))
}

#[test]
fn who_guesses_is_locked_out_by_policy_and_nobody_else() {
    let Some(stage) = ready() else { return };
    let _up = serve(&stage, &["--detect"]);
    let policy = stage.folder().join("answers.json");
    let rules = json!([{"alerts": ["*_BF_*"], "direction": "Inbound", "step": "lockout"}]);
    std::fs::write(&policy, json!({"rules": rules}).to_string()).expect("the folder is there");
    palisade(&stage, &["answers", "policy", "set", policy.to_str().expect("a path of text")]);
    let begun = std::time::Instant::now();
    let tries = (0..60).take_while(|_| guess(&stage)).inspect(|_| std::thread::sleep(Duration::from_secs(1)));
    let tries = tries.count();
    println!("locked out after {tries} tries and {:?}", begun.elapsed());
    let listed = answer(&palisade(&stage, &["lockouts", "list", "--format", "json"]));
    assert_eq!(listed[0]["properties"]["source"], NEAR, "{tries} tries: {listed}");
    assert!(connect(&stage, "near", SILENCE).is_none() && connect(&stage, "far", OPEN_WITHIN).is_some());
}

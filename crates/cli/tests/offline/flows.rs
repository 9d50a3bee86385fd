//! `palisade flows import|query|top|export|compact` on the golden logs of the flow store.

use std::{
    fs,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::{Run, palisade};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../flowstore/tests/golden");

fn flows(arguments: &[&str]) -> Run {
    palisade(&[&["flows"], arguments].concat(), b"")
}

/// A store with all golden logs, and its address.
fn store() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = folder.path().join("flows").to_str().expect("its name is text").to_owned();
    let run = flows(&["import", GOLDEN, "--to", &store, "--format", "json"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let told: Value = serde_json::from_str(&run.stdout).expect("it is JSON");
    assert_eq!(told["written"]["records"], json!(20), "{told}");
    (folder, store)
}

#[test]
fn groups_have_stable_names() {
    let (_folder, store) = store();
    let run = flows(&["query", &store, "--kind", "deny", "--by", "local_port", "--format", "json"]);
    let told: Value = serde_json::from_str(&run.stdout).expect("it is JSON");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let groups = told["groups"].as_array().expect("there are groups");
    assert!(
        groups.contains(&json!({ "local_port": 3389, "bytes": 0, "packets": 0, "records": 2 })),
        "{told}"
    );
    assert_eq!(told["groupsFound"], json!(groups.len()));

    let run = flows(&["top", &store, "--by", "nic,hour", "--limit", "1", "--nic", "web1-nic"]);
    let rows: Vec<Vec<&str>> = run.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        rows,
        [vec!["NIC", "HOUR", "BYTES", "RECORDS"], vec!["web1-nic", "2026-11-22T13:00:00Z", "12960", "3"]]
    );
}

#[test]
fn records_are_printed_as_lines_and_as_rows() {
    let (_folder, store) = store();
    let run = flows(&["query", &store, "--nic", "WEB1-NIC", "--format", "json"]);
    let lines = fs::read_to_string(format!("{GOLDEN}/lines.jsonl")).expect("it is there");
    assert_eq!(run.stdout, lines.split_inclusive('\n').take(3).collect::<String>(), "{}", run.stderr);
    let run = flows(&["query", &store, "--address", "2001:db8::/32"]);
    assert_eq!(run.stdout.lines().count(), 3, "{}", run.stdout);
    assert!(run.stdout.contains("[2001:db8::9]:61691"), "{}", run.stdout);
}

#[test]
fn an_export_says_what_it_leaves_out() {
    let (folder, store) = store();
    let output = folder.path().join("log.json").to_str().expect("its name is text").to_owned();
    let run = flows(&["export", &store, "--as", "nsg2", "--nic", "web1-nic", "--output", &output]);
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (0, "", ""));
    assert!(fs::read_to_string(&output).expect("it is there").starts_with(r#"{"records":[{"time":"#));
    let run = flows(&["export", &store, "--as", "nsg2"]);
    assert_eq!(run.code, 1);
    assert!(run.stderr.starts_with("warning: 3 records are left out"), "{}", run.stderr);
}

#[test]
fn what_is_wrong_is_said() {
    let (folder, store) = store();
    for (arguments, says) in [
        (&["query", "nowhere"][..], "the store nowhere is no folder"),
        (&["query", "ftp://nowhere"], "has the scheme ftp, which is not known"),
        (&["query", &store, "--by", "rank"], "it is none of minute, hour, day, kind"),
        (&["query", &store, "--local-port", "9-1"], "the range 9-1 is reversed (write 1-9)"),
        (&["query", &store, "--from", "yesterday"], "it is no moment since 1970"),
        (&["query", &store, "--limit", "3"], "--by"),
        (&["top", &store, "--measure", "luck"], "possible values"),
        (&["export", &store], "--as"),
        (&["import", "estate.json", "--to", &store], "the files hold no flow"),
    ] {
        let run = flows(arguments);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains(says), "{arguments:?}: {}", run.stderr);
    }
    let broken = folder.path().join("broken.jsonl");
    fs::write(&broken, "{\"kind\":\"begin\",\"timeMs\":1}\n").expect("it can be written");
    let good = format!("{GOLDEN}/lines.jsonl");
    let run = flows(&["import", broken.to_str().expect("text"), &good, "--to", &store]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(run.stderr.contains("broken.jsonl:1: missing field"), "{}", run.stderr);
}

#[test]
fn old_hours_go() {
    let (_folder, store) = store();
    let run = flows(&["compact", &store, "--keep-bytes", "0", "--format", "json"]);
    let told: Value = serde_json::from_str(&run.stdout).expect("it is JSON");
    assert!(told["expired"]["files"].as_u64() > Some(0), "{told}");
    let run = flows(&["top", &store, "--format", "json"]);
    assert_eq!(serde_json::from_str::<Value>(&run.stdout).expect("it is JSON")["groups"], json!([]));
}

#[test]
fn of_a_killed_import_nothing_is_in_view() {
    const HOURS: u64 = 200;
    let folder = tempfile::tempdir().expect("a folder");
    let store = folder.path().join("flows");
    let tuple = |hour: u64| {
        format!("{},203.0.113.7,10.0.1.4,50000,443,T,I,A,E,1,60,1,60", 1_769_800_000 + 3_600 * hour)
    };
    let tuples: Vec<String> = (0..HOURS).map(tuple).collect();
    let rules = json!([{ "rule": "UserRule_a", "flows": [{ "mac": "000D3AF87856", "flowTuples": tuples }] }]);
    let log = json!({ "records": [{ "resourceId": "/a", "properties": { "Version": 2, "flows": rules } }] });
    let file = folder.path().join("log.json");
    fs::write(&file, log.to_string()).expect("a file");

    let mut child = Command::new(env!("CARGO_BIN_EXE_palisade"))
        .args(["flows", "import"])
        .arg(&file)
        .arg("--to")
        .arg(&store)
        .stdout(Stdio::null())
        .spawn()
        .expect("the command starts");
    let is_writing = || fs::read_dir(store.join("importing")).is_ok_and(|mut found| found.next().is_some());
    while !is_writing() {
        assert!(child.try_wait().expect("it is ours").is_none(), "it ended");
    }
    child.kill().expect("it is ours");
    child.wait().expect("it ends");

    // Whoever imports next ends what was whole already, which it hardly was.
    let store = store.to_str().expect("its name is text");
    let run = flows(&["import", &format!("{GOLDEN}/nsg2.json"), "--to", store, "--format", "json"]);
    let told: Value = serde_json::from_str(&run.stdout).expect("it is JSON");
    let own = told["written"]["records"].as_u64().expect("a number");
    let run = flows(&["query", store, "--format", "json"]);
    let found = run.stdout.lines().count() as u64;
    assert!([own, own + HOURS].contains(&found), "{found} of {own} and {HOURS}");
}

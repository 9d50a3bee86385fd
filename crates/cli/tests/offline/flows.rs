//! `palisade flows import|query|top|export|compact` on the golden logs of the flow store.

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
    let lines = std::fs::read_to_string(format!("{GOLDEN}/lines.jsonl")).expect("it is there");
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
    assert!(std::fs::read_to_string(&output).expect("it is there").starts_with(r#"{"records":[{"time":"#));
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
    std::fs::write(&broken, "{\"kind\":\"begin\",\"timeMs\":1}\n").expect("it can be written");
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

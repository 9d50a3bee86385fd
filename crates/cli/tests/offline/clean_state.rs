//! `palisade clean-state` and `palisade evidence`: a machine is sealed, taken and brought back, with the exit codes on the way.

use std::{fs, path::Path};

use serde_json::Value;

use crate::{Run, palisade};

/// A machine of one disk, its store and its key.
pub struct Case(pub tempfile::TempDir);

impl Case {
    pub fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().expect("paths here are text").to_owned()
    }

    pub fn run(&self, arguments: &[&str]) -> Run {
        let (store, public) = (self.path("store"), self.path("key.pub"));
        palisade(&[arguments, &["--store", &store, "--public-key", &public]].concat(), b"")
    }
}

fn sealed() -> Case {
    let case = Case(tempfile::tempdir().unwrap());
    let disk: Vec<u8> = (0..1 << 20).map(|at: u32| (at >> 8) as u8).collect();
    fs::write(case.path("web.raw"), disk).unwrap();
    assert_eq!(palisade(&["clean-state", "key", &case.path("key")], b"").code, 0);
    let (disk, key) = (case.path("web.raw"), case.path("key"));
    let run = case.run(&["clean-state", "create", "web", "--disk", &disk, "--key", &key, "--format", "json"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("web.raw.qcow2 (qcow2): change its configuration"), "{}", run.stderr);
    case
}

fn only(run: &Run) -> Value {
    assert_eq!(run.code, 0, "{}", run.stderr);
    serde_json::from_str::<Value>(&run.stdout).expect("JSON")[0].clone()
}

#[test]
fn a_state_is_verified_and_damage_named() {
    let case = sealed();
    let state = only(&case.run(&["clean-state", "list", "--format", "json"]));
    let id = state["id"].as_str().unwrap();
    let clean = case.run(&["clean-state", "verify", id]);
    assert_eq!(
        (clean.code, clean.stdout.as_str()),
        (0, format!("{id}: every byte is what was sealed\n").as_str())
    );
    assert!(clean.stderr.contains("MB/s"), "{}", clean.stderr);
    let base = Path::new(state["disks"][0]["layers"][0]["path"].as_str().unwrap()).to_owned();
    let mut bytes = fs::read(&base).unwrap();
    bytes[70_000] ^= 1;
    fs::remove_file(&base).unwrap();
    fs::write(&base, bytes).unwrap();
    let damaged = case.run(&["clean-state", "verify", id]);
    assert_eq!(damaged.code, 1);
    assert!(
        damaged.stdout.ends_with("what a guest reads differs at bytes 65536-131071\n"),
        "{}",
        damaged.stdout
    );
    let refused = case.run(&["clean-state", "revert", "web", "--why", "INC-7"]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("nothing was booted"), "{}", refused.stderr);
    assert_eq!(case.run(&["clean-state", "revert", "web", "--abandon"]).code, 0);
}

#[test]
fn a_machine_is_brought_back_and_evidence_kept() {
    let case = sealed();
    let run = case.run(&["clean-state", "revert", "web", "--why", "INC-7", "--format", "json"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stderr.contains("warning: no --vm") && run.stderr.contains("neither --changes nor --seed"),
        "{}",
        run.stderr
    );
    let records: Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(records.as_array().unwrap().len(), 15);
    let list: Value =
        serde_json::from_str(&case.run(&["evidence", "list", "--format", "json"]).stdout).expect("JSON");
    let id = list["evidence"][0]["id"].as_str().unwrap();
    assert_eq!(case.run(&["evidence", "diff", id]).code, 0);
    assert_eq!(case.run(&["evidence", "export", id, &case.path("case")]).code, 0);
    assert!(Path::new(&case.path("case/disk-0.qcow2")).exists());
    assert_eq!(case.run(&["evidence", "diff", "web-9"]).code, 2);
    let none = case.run(&["clean-state", "revert", "web", "--continue"]);
    assert_eq!(
        (none.code, none.stderr.contains("no revert that has not ended")),
        (2, true),
        "{}",
        none.stderr
    );
}

//! `palisade clean-state revert` killed at every step, and refused where what it would boot is worse than what was sealed.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::process::ExitStatusExt as _,
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};

use crate::{clean_state::Case, evidence, palisade};

/// As they are told on standard error.
const STEPS: [&str; 14] = [
    "quarantine",
    "record",
    "revoke grants",
    "freeze",
    "power off",
    "take evidence",
    "verify the base",
    "new overlay",
    "changes before first contact",
    "audit",
    "boot with the link down",
    "tighten the policy",
    "link up",
    "watch",
];

/// A Linux that was sealed and taken, and whether its file system can be changed here.
fn taken() -> Option<(Case, bool)> {
    let case = evidence::sealed(&[])?;
    let can_change = ["qemu-storage-daemon", "setpriv"].iter().all(|tool| has(tool))
        && fs::OpenOptions::new().read(true).write(true).open("/dev/fuse").is_ok();
    if !can_change {
        println!(
            "skipped: changes in the file system, for which qemu-storage-daemon, setpriv and /dev/fuse are needed"
        );
    }
    evidence::taken(&case).then_some((case, can_change))
}

fn has(tool: &str) -> bool {
    Command::new(tool).arg("--version").output().is_ok()
}

/// The words that begin a revert, with these changes where they can be made.
fn begin(case: &Case, changes: Option<&Value>) -> Vec<String> {
    let mut words = ["clean-state", "revert", "web", "--why", "INC-7"].map(str::to_owned).to_vec();
    if let Some(changes) = changes {
        fs::write(case.path("changes.json"), changes.to_string()).expect("it is written");
        words.extend(["--changes".to_owned(), case.path("changes.json")]);
    }
    words
}

/// Runs the command and kills it some time after it has told of a step; whether it was killed.
fn killed(case: &Case, words: &[String], step: &str, after: Duration) -> bool {
    let mut child = Command::new(env!("CARGO_BIN_EXE_palisade"))
        .args(words)
        .args(["--store", &case.path("store"), "--public-key", &case.path("key.pub")])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let told = BufReader::new(child.stderr.take().expect("it is piped"));
    let mut lines = told.lines().map_while(Result::ok);
    lines.find(|line| line == step);
    std::thread::sleep(after);
    child.kill().expect("it is this test's own");
    child.wait().expect("it has ended").signal() == Some(9)
}

/// What the machine has in its file system after the way back, as the audit tells it.
fn audit(case: &Case) -> String {
    palisade(&["guest", "audit", &case.path("web.qcow2"), "--format", "json"], b"").stdout
}

/// What the only piece of evidence says the intruder left: paths, and what is there now.
fn left(case: &Case) -> Vec<(String, String)> {
    let list = case.json(&["evidence", "list"], 0);
    let [evidence] = &list["evidence"].as_array().expect("a list")[..] else { panic!("one piece: {list}") };
    let found = case.json(&["evidence", "diff", evidence["id"].as_str().expect("a name")], 1);
    let files = found["disks"][0]["volumes"][0]["compared"]["files"].as_array().expect("a list").clone();
    let text = |value: &Value| value.to_string();
    files.iter().map(|file| (text(&file["path"]), text(&file["after"]["sha256"]))).collect()
}

#[test]
fn a_revert_that_is_killed_at_every_step_ends_like_one_that_is_not() {
    let wanted = json!({"lockPasswords": ["*"], "sshd": ["Port 50022"]});
    let Some((whole, can_change)) = taken() else { return };
    let changes = can_change.then_some(&wanted);
    let words = begin(&whole, changes);
    let run = whole.run(&words.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(run.code, 0, "{}", run.stderr);
    for milliseconds in [0, 2, 12, 60] {
        let Some((case, _)) = taken() else { return };
        let mut words = begin(&case, changes);
        let mut kills = 0;
        for step in STEPS {
            kills += usize::from(killed(&case, &words, step, Duration::from_millis(milliseconds)));
            words = ["clean-state", "revert", "web", "--continue"].map(str::to_owned).to_vec();
        }
        let last = case.run(&["clean-state", "revert", "web", "--continue"]);
        let has_ended = last.code == 2 && last.stderr.contains("no revert that has not ended");
        assert!(last.code == 0 || has_ended, "{milliseconds} ms: {}", last.stderr);
        // With more time between, a run gets through several steps before it is killed.
        assert!(kills >= if milliseconds == 0 { 10 } else { 1 }, "{milliseconds} ms: {kills} kills");
        assert_eq!(audit(&case), audit(&whole), "{milliseconds} ms");
        assert_eq!(left(&case), left(&whole), "{milliseconds} ms");
        assert!(!fs::exists(case.path("web.qcow2.palisade-changes")).expect("the folder is read"));
        let custody = fs::read_to_string(case.path("store/custody.jsonl")).expect("a log");
        assert_eq!(custody.lines().count(), 1, "{custody}");
    }
}

#[test]
fn what_is_worse_than_the_sealed_state_is_not_booted() {
    let Some((case, true)) = taken() else { return };
    let worse = json!({"sshd": ["PermitRootLogin yes", "PermitEmptyPasswords yes"]});
    let words = begin(&case, Some(&worse));
    let run = case.run(&words.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(run.stderr.contains("findings that the sealed state has not"), "{}", run.stderr);
    assert!(!run.stderr.contains("\nboot with the link down"), "{}", run.stderr);
    let again = case.run(&["clean-state", "revert", "web", "--continue"]);
    assert_eq!(again.code, 3, "{}", again.stderr);
    let run = case.run(&["clean-state", "revert", "web", "--continue", "--audit-fails-on", "none"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.contains("worse than in the sealed state"), "{}", run.stdout);
}

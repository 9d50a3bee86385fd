//! `palisade prove`: intents from a file and from the library, in both forms, and the exit code.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::{Run, palisade};

/// A file of this test's own.
fn file(name: &str, text: &str) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("prove-{name}.json"));
    std::fs::write(&path, text).expect("the file can be written");
    path.to_str().expect("the path is text").to_owned()
}

fn prove(intents: &str, format: &str) -> Run {
    palisade(&["prove", "estate.json", "--intents", intents, "--format", format], b"")
}

/// The document of a run.
fn document(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", run.stdout, run.stderr))
}

fn one(name: &str, shape: &str, packets: &Value) -> String {
    file(name, &json!({ "intents": [{ "name": name, shape: packets }] }).to_string())
}

#[test]
fn an_intent_that_holds_exits_clean() {
    let intents = one(
        "no-ssh",
        "forbidden",
        &json!({ "from": "Internet", "to": "subnet:shop/web", "services": "tcp/22" }),
    );
    let run = prove(&intents, "table");
    assert_eq!((run.code, run.stdout.as_str()), (0, "holds         no-ssh\n"), "{}", run.stderr);
    let run = prove(&intents, "json");
    let found = document(&run);
    assert_eq!(found["holds"], true);
    assert_eq!(found["summary"], json!({ "holds": 1, "violated": 0, "undetermined": 0 }));
    let intent = json!({ "name": "no-ssh", "shape": "forbidden", "effect": "deny", "severity": "error",
                         "outcome": "holds", "asked": 1, "violations": [], "unknown": [] });
    assert_eq!(found["intents"], json!([intent]));
}

#[test]
fn a_violation_is_told_with_a_witness_that_verify_confirms() {
    let intents = one("no-https", "forbidden", &json!({ "from": "Internet", "to": "*", "services": [443] }));
    let run = prove(&intents, "json");
    assert_eq!(run.code, 1, "{}", run.stderr);
    let found = document(&run);
    let is_at_web1 = |violation: &&Value| {
        violation["ends"][0]["places"][0].as_str().is_some_and(|id| id.ends_with("/web1-nic"))
    };
    let violations = found["intents"][0]["violations"].as_array().expect("a list");
    let violation = violations.iter().find(is_at_web1).unwrap_or_else(|| panic!("{found:#}"));
    let [end] = &violation["ends"].as_array().expect("a list")[..] else { panic!("{violation:#}") };
    assert_eq!(
        (&end["direction"], &end["decision"]["rule"]),
        (&json!("Inbound"), &json!("securityRules/allow-web"))
    );
    assert_eq!(violation["witness"]["localPort"], 443);
    // The witness is a question as verify takes it.
    let asked = ["verify", "estate.json", "--flows", "-", "--format", "json"];
    let answer = palisade(&asked, violation["witness"].to_string().as_bytes());
    let answer: Value = serde_json::from_str(&answer.stdout).expect("one answer");
    assert_eq!(answer, end["decision"]);
    let text = prove(&intents, "table").stdout;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "violated      no-https (error, deny)", "{text}");
    let at = "  at       web1-nic  Inbound: Allow by securityRules/allow-web of nic-nsg (NetworkInterface)";
    let place = lines.iter().position(|line| *line == at).unwrap_or_else(|| panic!("{text}"));
    assert!(lines[place + 1].starts_with("  traffic  IPv4: Tcp from Internet"), "{text}");
}

#[test]
fn what_is_not_known_is_told_and_is_no_success() {
    // No tag file tells what the backup rule lets pass, and none was given.
    let to_backup = json!({ "from": "nic:web1-nic", "to": "Internet", "services": "tcp/443" });
    let run = prove(&one("closed", "forbidden", &to_backup), "table");
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(
        run.stdout.starts_with("undetermined  closed (error, deny)\n  unknown  what the rules say"),
        "{}",
        run.stdout
    );
    let nobody = json!({ "from": "subnet:shop/nowhere", "to": "*" });
    let run = prove(&one("nobody", "allowed", &nobody), "table");
    assert!(
        run.stdout.contains("  unknown  the estate has no subnet named shop/nowhere\n"),
        "{}",
        run.stdout
    );
}

#[test]
fn the_library_is_listed_and_used_with_and_without_a_file() {
    let list = palisade(&["prove", "--list"], b"");
    assert_eq!(list.code, 0);
    assert!(
        list.stdout.contains("no-rdp-or-ssh-from-internet\n  nobody reaches RDP or SSH"),
        "{}",
        list.stdout
    );
    let asked = ["prove", "estate.json", "--library", "no-rdp-or-ssh-from-internet,tiers-downwards"];
    let run = palisade(&[&asked[..], &["--with", "tiers=subnet:shop/web,subnet:shop/open"]].concat(), b"");
    // The default rules let machines of one network talk to each other.
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    for expected in [
        "violated      no-rdp-or-ssh-from-internet (error, deny)",
        "violated      tiers-downwards/tier-2 (error, deny)",
    ] {
        assert!(run.stdout.lines().any(|line| line == expected), "{}", run.stdout);
    }
    let run = palisade(&asked, b"");
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("tiers-downwards needs \"tiers\""), "{}", run.stderr);
    let run = palisade(&["prove", "estate.json", "--library", "no-known-bad", "--with", "tiers=a,b"], b"");
    assert_eq!(
        (run.code, run.stderr.contains("none of no-known-bad has the parameter")),
        (2, true),
        "{}",
        run.stderr
    );
}

#[test]
fn the_schema_is_one_and_knows_every_key() {
    let run = palisade(&["prove", "--schema"], b"");
    let schema = document(&run);
    for key in ["allowed", "forbidden", "only", "effect", "severity", "name", "description"] {
        assert!(schema["$defs"]["intent"]["properties"].get(key).is_some(), "{key}");
    }
}

#[test]
fn every_problem_of_a_file_is_told_with_its_place() {
    let text = "{\n  \"intents\": [\n    { \"name\": \"a\", \"forbidden\": { \"from\": \"subnet\", \"to\": \"10.0.0.1/8\" } },\n    \
                { \"name\": \"a\", \"allowed\": { \"from\": \"*\", \"to\": \"*\", \"services\": \"tcp/70000\", \"port\": 1 } }\n  ]\n}\n";
    let path = file("problems", text);
    let run = prove(&path, "table");
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    let expected = [
        "3:59: /intents/0/forbidden/to: 10.0.0.1/8 has host bits set (write 10.0.0.0/8)",
        "4:69: /intents/1/allowed/services: ",
        "/intents/1/allowed/port: \"port\" is not known here",
    ];
    for line in expected {
        assert!(run.stderr.contains(line), "{line}: {}", run.stderr);
    }
    assert!(
        run.stderr.lines().all(|line| line.starts_with("error: ") && line.contains("prove-problems.json:"))
    );
    let missing = prove("nowhere.json", "table");
    assert_eq!((missing.code, missing.stderr.contains("nowhere.json")), (2, true));
}

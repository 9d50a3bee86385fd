//! `palisade whatif`: changes against logs written here, in both forms, and the exit code.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::{Run, palisade};

const NSG: &str = "/SUBSCRIPTIONS/11111111-2222-3333-4444-555555555555/RESOURCEGROUPS/SHOP/PROVIDERS/MICROSOFT.NETWORK/NETWORKSECURITYGROUPS/WEB-NSG";

/// A log as a file of this test's own: rules, each with its tuples.
fn log(name: &str, rules: &[(&str, &[&str])]) -> String {
    let flows: Vec<Value> = rules
        .iter()
        .map(|(rule, tuples)| json!({ "rule": rule, "flows": [{ "mac": "000D3AFFFFFF", "flowTuples": tuples }] }))
        .collect();
    let record = json!({ "resourceId": NSG, "properties": { "Version": 2, "flows": flows } });
    write(name, &json!({ "records": [record] }).to_string())
}

fn write(name: &str, text: &str) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("whatif-{name}.json"));
    std::fs::write(&path, text).expect("the file can be written");
    path.to_str().expect("the path is text").to_owned()
}

/// Web traffic, an existing office session, an attempt, and a packet to a public address.
fn usual(name: &str) -> String {
    log(
        name,
        &[
            (
                "UserRule_allow-https",
                &[
                    "1700000000,203.0.113.7,10.0.1.4,50000,443,T,I,A,B,,,,",
                    "1700000060,203.0.113.7,10.0.1.4,50000,443,T,I,A,C,10,1000,20,2000",
                    "1700000120,203.0.113.7,10.0.1.4,50000,443,T,I,A,E,1,100,2,200",
                    "1700000100,198.51.100.9,20.1.2.3,50001,443,T,I,A,B,,,,",
                ],
            ),
            ("DefaultRule_DenyAllInBound", &["1700000200,203.0.113.9,10.0.1.4,50000,8443,T,I,D,B,,,,"]),
        ],
    )
}

fn whatif(log: &str, change: &[&str], format: &str) -> Run {
    let asked = ["whatif", "estate.json", "--flows", log, "--format", format];
    palisade(&[&asked, change].concat(), b"")
}

fn document(log: &str, change: &[&str], code: i32) -> Value {
    let run = whatif(log, change, "json");
    assert_eq!(run.code, code, "{}{}", run.stdout, run.stderr);
    serde_json::from_str(&run.stdout).expect("one document")
}

#[test]
fn without_a_change_the_log_is_compared_with_the_rules() {
    let found = document(&usual("same"), &[], 0);
    assert_eq!((&found["summary"], &found["changes"]), (&Value::Null, &json!([])));
    assert_eq!(found["log"]["records"], 5);
    assert_eq!(found["drift"]["disagreements"], json!([]), "{found:#}");
    let drifted =
        log("drifted", &[("UserRule_old", &["1700000000,203.0.113.7,10.0.1.4,50000,8443,T,I,A,B,,,,"])]);
    let found = document(&drifted, &[], 1);
    let said = &found["drift"]["disagreements"][0];
    assert_eq!((&said["differs"], &said["logged"]["rule"]), (&json!("verdict"), &json!("old")));
    assert_eq!(said["rules"]["access"], "Deny");
}

#[test]
fn a_rule_that_goes_breaks_flows_and_cuts_those_that_exist() {
    let log = usual("breaks");
    let found = document(&log, &["--remove-rule", "web-nsg/allow-https"], 1);
    // The packet to a public address is of no interface, and is judged at the NSG alone.
    let changes = found["changes"].as_array().expect("a list");
    assert!(changes.iter().any(|change| change["places"] == json!(["web-nsg"])));
    let at_nic = changes.iter().find(|change| change["places"] == json!(["web1-nic"]));
    let change = at_nic.unwrap_or_else(|| panic!("{found:#}"));
    assert_eq!((&change["effect"], &change["direction"]), (&json!("breaks"), &json!("Inbound")));
    assert_eq!(change["after"]["rule"], "defaultSecurityRules/DenyAllInBound");
    assert_eq!((&change["existing"], &change["bytes"]), (&json!(1), &json!(3_300)));
    assert_eq!(change["flushConnection"], true);
    assert_eq!(
        (&change["first"], &change["last"]),
        (&json!("2023-11-14T22:13:20Z"), &json!("2023-11-14T22:15:20Z"))
    );
    let service = &change["services"][0];
    assert_eq!((&service["protocol"], &service["port"]), (&json!("Tcp"), &json!(443)));
    let mut question = change["witness"].clone();
    assert!(question["nic"] == "web1-nic", "{question}");
    question["remotePort"] = json!(50_000);
    let run = palisade(
        &["verify", "estate.json", "--flows", "-", "--format", "json"],
        question.to_string().as_bytes(),
    );
    assert!(run.stdout.contains("\"Allow\""), "{}", run.stdout);
    let text = whatif(&log, &["--remove-rule", "web-nsg/allow-https"], "table");
    assert!(text.stdout.contains("breaks  web1-nic  Inbound: Allow -> Deny\n"), "{}", text.stdout);
    assert!(text.stdout.contains("are cut (flushConnection)"), "{}", text.stdout);
}

#[test]
fn a_rule_that_comes_opens_what_was_attempted() {
    let log = usual("opens");
    let change = [
        "--add-rule",
        "web-nsg/alt=200 Inbound Allow Tcp from * to * port 8443,9443",
        "--add-rule",
        "nic-nsg/alt=300 Inbound Allow Tcp from Internet port * to * port 8443",
    ];
    let found = document(&log, &change, 1);
    let [change] = found["changes"].as_array().expect("a list").as_slice() else { panic!("{found:#}") };
    assert_eq!((&change["effect"], &change["attempts"]), (&json!("opens"), &json!(1)));
    assert_eq!(change["services"][0]["peers"][0]["name"], "203.0.113.0/24");
}

#[test]
fn a_rule_that_moves_or_another_file_is_a_change_too() {
    let log = usual("moves");
    assert_eq!(document(&log, &["--move-rule", "web-nsg/allow-https=4000"], 0)["changes"], json!([]));
    let estate = include_str!("../fixtures/estate.json");
    let after = write("after", &estate.replacen("\"443\"\n        ]", "\"444\"\n        ]", 1));
    let found = document(&log, &["--after", &after], 1);
    assert_eq!(found["changes"][0]["effect"], "breaks", "{found:#}");
}

#[test]
fn bad_edits_and_bad_logs_are_named() {
    let log = usual("bad");
    for (change, message) in [
        (["--remove-rule", "web-nsg/none"], "has no rule \"none\""),
        (["--remove-rule", "no-nsg/none"], "there is no NSG \"no-nsg\""),
        (["--add-rule", "web-nsg/x=1 Inbound"], "is no rule (write NSG/RULE="),
        (["--add-rule", "web-nsg/x=99 Inbound Allow Tcp from * to *"], "99"),
        (["--move-rule", "web-nsg/allow-https"], "says no priority"),
    ] {
        let run = whatif(&log, &change, "json");
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{change:?}");
        assert!(run.stderr.contains(message), "{change:?}: {}", run.stderr);
    }
    let broken = write(
        "broken",
        "{\"records\":[{\"properties\":{\"flows\":[{\"rule\":\"a\",\"flows\":[{\"flowTuples\":[\"x\"]}]}]}}]}",
    );
    let run = whatif(&broken, &[], "json");
    assert_eq!(run.code, 2);
    assert!(
        run.stderr.contains("broken.json:1: records[0].properties.flows[0].flows[0].flowTuples[0]"),
        "{}",
        run.stderr
    );
}

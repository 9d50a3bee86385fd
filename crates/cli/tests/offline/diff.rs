//! `palisade diff`: what two estates judge differently, in both forms, and the exit code.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::{Run, palisade};

/// The estate of the fixtures with a text replaced, as a file of this test's own.
fn edited(name: &str, from: &str, to: &str) -> PathBuf {
    let estate = include_str!("../fixtures/estate.json");
    assert!(estate.contains(from), "{from}");
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("diff-{name}.json"));
    std::fs::write(&path, estate.replace(from, to)).expect("the file can be written");
    path
}

fn diff(after: &str, format: &str) -> Run {
    palisade(&["diff", "estate.json", after, "--format", format], b"")
}

/// Both forms; the document read.
fn both(after: &std::path::Path, code: i32) -> (Value, String) {
    let after = after.to_str().expect("the path is text");
    let (document, text) = (diff(after, "json"), diff(after, "table"));
    assert_eq!((document.code, text.code), (code, code), "{}", document.stderr);
    (serde_json::from_str(&document.stdout).expect("one document"), text.stdout)
}

/// The rule that `verify` names for a witness.
fn verified(estate: &str, witness: &Value) -> Value {
    let mut question = witness.clone();
    question["nic"] = json!("web1-nic");
    let asked = ["verify", estate, "--flows", "-", "--format", "json"];
    let run = palisade(&asked, question.to_string().as_bytes());
    serde_json::from_str(&run.stdout).expect("one answer")
}

#[test]
fn an_estate_is_identical_to_itself() {
    let (document, text) = both("estate.json".as_ref(), 0);
    let nothing = json!({ "identical": true, "regions": [], "removed": [], "added": [], "unknown": [] });
    assert_eq!((document, text.as_str()), (nothing, "no traffic is judged differently\n"));
}

#[test]
fn a_change_that_another_list_hides_changes_nothing() {
    // The interface's NSG lets only port 443 pass, whatever the subnet's says of 3389.
    let after = edited("hidden", "\"3389\"", "\"22\"");
    assert_eq!(both(&after, 0).0["identical"], true);
}

#[test]
fn a_wider_rule_is_told_by_what_it_lets_pass() {
    let after = edited(
        "wider",
        "\"destinationPortRange\": \"443\",\n        \"destinationPortRanges\": []\n      }\n    ]",
        "\"destinationPortRange\": \"*\",\n        \"destinationPortRanges\": []\n      }\n    ]",
    );
    let (document, text) = both(&after, 1);
    assert_eq!(document["identical"], false);
    let regions = document["regions"].as_array().expect("a list");
    assert!(!regions.is_empty(), "{document:#}");
    let inbound: Vec<&Value> = regions.iter().filter(|region| region["direction"] == "Inbound").collect();
    let [region] = inbound.as_slice() else { panic!("{document:#}") };
    assert_eq!(region["places"], json!(["web1-nic"]));
    assert_eq!(
        region["before"],
        json!({ "access": "Deny", "rule": "defaultSecurityRules/DenyAllInBound", "nsg": "nic-nsg",
                "layer": "NetworkInterface", "reason": "DefaultRule" })
    );
    assert_eq!(region["after"]["rule"], "securityRules/allow-web");
    let told = region["region"].as_str().expect("a text");
    // Probes were let pass before.
    assert!(told.contains("IPv4: Tcp from Internet but AzureLoadBalancer to * port 80"), "{told}");
    assert!(told.contains("IPv6: Tcp from Internet to * port 80"), "{told}");
    assert!(told.contains("IPv4: Tcp from 198.51.100.0/24, 203.0.113.7/32 to * port 3389"), "{told}");
    assert!(told.contains("IPv6: Icmp from all but AzureLoadBalancer to * type 8"), "{told}");
    assert_eq!(region["witness"]["localAddress"], "10.0.1.4");
    assert_eq!(region["rest"], "0");
    // 65,536 source ports, and as many destinations as there are addresses.
    let volume = region["volume"].as_str().expect("a text");
    assert!(volume.bytes().all(|digit| digit.is_ascii_digit()) && volume.len() > 70, "{volume}");
    for (estate, side) in [("estate.json", "before"), (after.to_str().expect("it is text"), "after")] {
        let answer = verified(estate, &region["witness"]);
        assert_eq!(answer, region[side], "{estate}");
    }
    assert!(text.contains("web1-nic  Inbound: Deny -> Allow\n"), "{text}");
    assert!(text.contains("  after    securityRules/allow-web of nic-nsg (NetworkInterface)\n"), "{text}");
}

#[test]
fn an_interface_that_went_away_is_a_difference() {
    let after =
        edited("gone", "\"web1-nic\",\n    \"resourceGroup\"", "\"web9-nic\",\n    \"resourceGroup\"");
    let text = std::fs::read_to_string(&after).expect("it was written");
    std::fs::write(&after, text.replace("networkInterfaces/web1-nic", "networkInterfaces/web9-nic"))
        .expect("it can be written");
    let (document, text) = both(&after, 1);
    let ends = |list: &Value, name: &str| list[0].as_str().is_some_and(|id| id.ends_with(name));
    assert!(ends(&document["removed"], "/web1-nic") && ends(&document["added"], "/web9-nic"), "{document:#}");
    assert!(text.contains("only before: ") && text.contains("only after: "), "{text}");
}

/// A tag file that says what `Storage` is, as a file of this test's own.
fn storage(name: &str, prefixes: &[&str]) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("diff-tags-{name}.json"));
    let tag = json!({ "name": "Storage", "properties": { "addressPrefixes": prefixes } });
    std::fs::write(&path, json!({ "changeNumber": 1, "values": [tag] }).to_string())
        .expect("it can be written");
    path.to_str().expect("the path is text").to_owned()
}

#[test]
fn the_drift_of_a_tag_file_is_told() {
    let before = storage("before", &["20.0.0.0/24"]);
    let after = storage("after", &["20.0.0.0/24", "20.0.9.0/24"]);
    let asked = ["diff", "estate.json", "estate.json", "--service-tags", &before];
    let same = palisade(&asked, b"");
    assert_eq!(same.code, 0, "{}", same.stdout);
    let drifted = palisade(&[&asked[..], &["--service-tags-after", &after]].concat(), b"");
    assert_eq!(drifted.code, 1, "{}", drifted.stderr);
    let lines: Vec<&str> = drifted.stdout.lines().collect();
    assert_eq!(
        lines,
        [
            "web1-nic  Outbound: Deny -> Allow",
            "  before   securityRules/deny-internet of web-nsg (Subnet)",
            "  after    securityRules/allow-backup of web-nsg (Subnet)",
            "  traffic  IPv4: Tcp from * to 20.0.9.0/24 port 443",
            "  example  Outbound Tcp 10.0.1.4:50000 -> 20.0.9.0:443",
            // One protocol and port, any source and its ports, 256 destinations.
            "  volume   72057594037927936 first packets of IPv4",
        ]
    );
}

#[test]
fn an_estate_that_cannot_be_read_is_bad_input() {
    for arguments in [
        &["diff", "estate.json", "refused.json"][..],
        &["diff", "absent.json", "estate.json"],
        &["diff", "estate.json"],
    ] {
        let run = palisade(arguments, b"");
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(!run.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_plan_that_replaces_an_nsg_is_told_by_the_traffic_that_changes() {
    let plan = concat!(env!("CARGO_MANIFEST_DIR"), "/../arm/tests/fixtures/plan-replaced.json");
    let run = palisade(&["diff", "--terraform-plan", plan], b"");
    assert_eq!(run.code, 1, "{}", run.stderr);
    let lines: Vec<&str> = run.stdout.lines().collect();
    let [place, before, after, traffic, ..] = lines[..] else { panic!("{}", run.stdout) };
    assert_eq!(
        (place, before, after),
        (
            "web1-nic  Inbound: Allow -> Deny",
            "  before   securityRules/allow-ssh of web-nsg (Subnet)",
            "  after    defaultSecurityRules/DenyAllInBound of web-nsg (Subnet)",
        )
    );
    assert!(traffic.starts_with("  traffic  IPv4: Tcp from ") && traffic.ends_with(" port 22"), "{traffic}");
    // The rules that only got other numbers change nothing.
    assert_eq!(lines.iter().filter(|line| line.contains(" -> Deny")).count(), 1, "{}", run.stdout);
    for format in ["table", "json"] {
        let run = palisade(&["diff", "--terraform-plan", plan, "--format", format], b"");
        assert!(!run.stdout.contains("horse") && !run.stderr.contains("horse"), "a secret is printed");
    }
    let refused = palisade(&["diff", "--terraform-plan", "estate.json"], b"");
    assert_eq!(
        (refused.code, refused.stderr.contains("is no Terraform plan")),
        (2, true),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_side_may_be_several_files() {
    let run = palisade(&["diff", "--before", "estate.json", "--after", "estate.json", "estate.json"], b"");
    assert_eq!((run.code, run.stdout.as_str()), (0, "no traffic is judged differently\n"), "{}", run.stderr);
    for arguments in [&["diff", "estate.json"][..], &["diff", "--before", "estate.json"]] {
        assert_eq!(palisade(arguments, b"").code, 2, "{arguments:?}");
    }
}

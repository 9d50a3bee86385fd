//! `palisade learn`: the rules that it writes, their proof, and exit codes.

use serde_json::{Value, json};

use crate::{lockdown, palisade};

fn learn(name: &str, more: &[&str]) -> crate::Run {
    let (estate, log) = (lockdown::estate(&format!("learn-{name}")), lockdown::log(&format!("learn-{name}")));
    let tags = lockdown::tags(&format!("learn-{name}"), &["20.60.0.0/16"]);
    let fixed = [
        "learn",
        &estate,
        "--flows",
        &log,
        "--service-tags",
        &tags,
        "--at",
        "2026-01-31T08:00Z",
        "--format",
        "json",
    ];
    palisade(&[&fixed[..], more].concat(), b"")
}

#[test]
fn rules_are_those_that_were_used() {
    for target in [["--nsg", "shop-nsg"], ["--subnet", "net/front"]] {
        let run = learn(&format!("used{}", target[0]), &target);
        assert_eq!(run.code, 0, "{} {}", run.stdout, run.stderr);
        let document: Value = serde_json::from_str(&run.stdout).expect("one document");
        assert_eq!(document["proof"]["opensNothing"], true);
        assert_eq!(document["replaced"], json!(["no-telnet"]));
        assert_eq!(document["flows"]["broken"], json!([]));
        let rules = document["rules"].as_array().expect("a list");
        let denies = rules.iter().filter(|rule| rule["access"] == "Deny").count();
        let inbound = rules.iter().filter(|rule| rule["direction"] == "Inbound").count();
        assert_eq!((denies, inbound), (2, 2), "{rules:#?}");
        let whole = &document["template"]["resources"][0]["properties"]["securityRules"];
        assert_eq!(whole.as_array().map(Vec::len), Some(rules.len()));
        // The name of the subnet is that of a network's part; interfaces are as good a target, if they have an NSG.
    }
}

#[test]
fn a_forbidden_peer_breaks_its_flows() {
    let run = learn("forbidden", &["--nsg", "shop-nsg", "--forbid", "198.51.100.0/24"]);
    let document: Value = serde_json::from_str(&run.stdout).expect("one document");
    assert_eq!(
        (run.code, document["flows"]["broken"].as_array().map(Vec::len)),
        (1, Some(1)),
        "{}",
        run.stderr
    );
}

#[test]
fn bad_targets_are_refused() {
    for more in [&["--nsg", "nobody"][..], &["--nic", "web1-nic"], &["--subnet", "nowhere"], &[]] {
        let run = learn("bad", more);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{more:?} {}", run.stderr);
    }
}

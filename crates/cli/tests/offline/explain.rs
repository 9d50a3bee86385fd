//! `--explain` of `verify` and `effective`.

use serde_json::Value;

use crate::palisade;

/// A flow from the office to the database, which its own NSG stops.
const STOPPED: &[&str] = &[
    "verify",
    "tiers.json",
    "--nic",
    "db1",
    "--direction",
    "Inbound",
    "--protocol",
    "Tcp",
    "--local-port",
    "22",
    "--remote-address",
    "10.9.0.7",
    "--explain",
];

#[test]
fn a_denied_flow_is_followed_hop_by_hop() {
    let run = palisade(STOPPED, b"");
    assert_eq!(run.code, 1, "{}", run.stderr);
    let lines: Vec<&str> = run.stdout.lines().collect();
    let at = |begin: &str| lines.iter().position(|line| line.trim_start().starts_with(begin));
    let (out, way, into) = (at("out of desk1: Allow"), at("network:"), at("into db1: Deny"));
    assert!(out.is_some() && out < way && way < into, "{}", run.stdout);
    assert!(run.stdout.contains("no route"), "{}", run.stdout);
    assert!(run.stdout.contains("securityRules/web-in  does not (other source"), "{}", run.stdout);
    assert!(run.stdout.contains("securityRules/admin  matches: Allow"), "{}", run.stdout);
    let taken = lines.iter().find(|line| line.contains("it would take")).expect("there is a way");
    assert!(taken.contains("a rule in db-nsg (NetworkInterface): Inbound Tcp"), "{taken}");
    assert!(taken.contains("priority 100, before defaultSecurityRules/DenyAllInBound"), "{taken}");
}

#[test]
fn json_keeps_its_shape_and_adds_an_explanation() {
    let plain = palisade(&[&STOPPED[..STOPPED.len() - 1], &["--format", "json"]].concat(), b"");
    let run = palisade(&[STOPPED, &["--format", "json"]].concat(), b"");
    let mut document: Value = serde_json::from_str(&run.stdout).expect("it is one object");
    let explanation = document["explanation"].take();
    document.as_object_mut().expect("it is an object").remove("explanation");
    assert_eq!(document, serde_json::from_str::<Value>(&plain.stdout).expect("it is one object"));
    assert_eq!(explanation["access"], "Deny");
    let hop = &explanation["hops"][1];
    assert_eq!(hop["direction"], "Inbound");
    let lists = hop["evaluatedNetworkSecurityGroups"].as_array().expect("two lists");
    let said: Vec<_> = lists.iter().map(|list| (list["nsg"].clone(), list["access"].clone())).collect();
    assert_eq!(said, [("app-nsg".into(), "Allow".into()), ("db-nsg".into(), "Deny".into())]);
    let rule = &lists[0]["rulesEvaluationResult"][0];
    assert_eq!((&rule["protocolMatched"], &rule["sourceMatched"]), (&true.into(), &false.into()));
    assert_eq!(explanation["route"]["noRoute"], true);
    let step = &explanation["changes"][0]["steps"][0];
    assert_eq!((&step["kind"], &step["newRule"]["priority"]), (&"AddRule".into(), &100.into()));
}

#[test]
fn an_allowed_flow_says_what_would_stop_it() {
    let arguments = [
        "verify",
        "estate.json",
        "--nsg",
        "web-nsg",
        "--virtual-network",
        "10.0.0.0/16",
        "--direction",
        "Inbound",
        "--protocol",
        "Tcp",
        "--local-address",
        "10.0.1.4",
        "--local-port",
        "443",
        "--remote-address",
        "8.8.8.8",
        "--explain",
    ];
    let run = palisade(&arguments, b"");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stdout.contains("to be denied, it would take securityRules/allow-https out of web-nsg"),
        "{}",
        run.stdout
    );
}

#[test]
fn effective_rules_say_how_much_they_decide() {
    let run = palisade(&["effective", "tiers.json", "--nic", "db1", "--explain"], b"");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let of = |nsg: &str, rule: &str| {
        let found = run.stdout.lines().find(|line| line.contains(nsg) && line.contains(rule));
        found.unwrap_or_else(|| panic!("{rule} of {nsg} is not in {}", run.stdout)).to_owned()
    };
    let dead = of("app-nsg", "AllowVnetInBound");
    assert!(dead.contains("never") && dead.contains("inside"), "{dead}");
    assert!(of("db-nsg", "quiet").contains(" all"), "{}", run.stdout);
    let run = palisade(&["effective", "tiers.json", "--nic", "db1", "--explain", "--format", "json"], b"");
    let document: Value = serde_json::from_str(&run.stdout).expect("it is one document");
    let rule = &document["value"][0]["effectiveSecurityRules"][0];
    assert!(rule["explanation"]["decided"]["most"].is_string(), "{rule}");
}

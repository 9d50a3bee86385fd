//! `palisade lockdown`: what it writes is read back, validated and asked; exit codes.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::{Run, palisade};

const NOW: &str = "2026-01-31T08:00Z";
const NSG: &str =
    "/subscriptions/s/resourceGroups/shop/providers/Microsoft.Network/networkSecurityGroups/shop-nsg";

fn file(name: &str, content: &Value) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("lockdown-{name}.json"));
    std::fs::write(&path, content.to_string()).expect("the file can be written");
    path.to_str().expect("the path is text").to_owned()
}

/// Two machines of one subnet, which may reach the Internet.
pub fn estate(name: &str) -> String {
    let nic = |name: &str, address: &str| {
        json!({
            "id": format!("/subscriptions/s/resourceGroups/shop/providers/Microsoft.Network/networkInterfaces/{name}"),
            "name": name, "type": "Microsoft.Network/networkInterfaces",
            "properties": { "ipConfigurations": [{ "name": "a", "properties": {
                "privateIPAddress": address,
                "subnet": { "id": "/subscriptions/s/resourceGroups/shop/providers/Microsoft.Network/virtualNetworks/net/subnets/front" } } }] },
        })
    };
    let estate = json!([
        { "id": NSG, "name": "shop-nsg", "type": "Microsoft.Network/networkSecurityGroups", "location": "westus",
          "properties": { "securityRules": [{ "name": "no-telnet", "properties": {
              "priority": 200, "direction": "Outbound", "access": "Deny", "protocol": "Tcp", "sourceAddressPrefix": "*",
              "sourcePortRange": "*", "destinationAddressPrefix": "*", "destinationPortRange": "23" } }] } },
        { "id": "/subscriptions/s/resourceGroups/shop/providers/Microsoft.Network/virtualNetworks/net", "name": "net",
          "type": "Microsoft.Network/virtualNetworks",
          "properties": { "addressSpace": { "addressPrefixes": ["10.0.0.0/16"] }, "subnets": [{ "name": "front",
              "properties": { "addressPrefix": "10.0.1.0/24", "networkSecurityGroup": { "id": NSG } } }] } },
        nic("web1-nic", "10.0.1.4"),
        nic("web2-nic", "10.0.1.5"),
    ]);
    file(&format!("estate-{name}"), &estate)
}

pub fn tags(name: &str, storage: &[&str]) -> String {
    let tag = |name: &str, prefixes: &[&str]| json!({ "name": name, "properties": { "addressPrefixes": prefixes } });
    let values = [tag("Storage", &["20.60.0.0/16", "20.61.0.0/16"]), tag("Storage.WestUS", storage)];
    file(&format!("tags-{name}"), &json!({ "changeNumber": 7, "cloud": "Public", "values": values }))
}

/// A log of version 2: storage twice, a host of its own, an attempt that was denied, and what comes in.
pub fn log(name: &str) -> String {
    let tuples = [
        "1769800000,10.0.1.4,20.60.0.9,50000,443,T,O,A,B,,,,",
        "1769800060,10.0.1.5,20.60.7.7,50001,443,T,O,A,E,3,300,4,400",
        "1769800060,10.0.1.4,198.51.100.7,50001,8443,T,O,A,E,1,100,1,100",
        "1769800070,10.0.1.4,203.0.113.9,50001,23,T,O,D,B,,,,",
        "1769800080,10.0.1.5,10.0.1.4,50001,443,T,I,A,B,,,,",
    ];
    let flows = json!([{ "rule": "DefaultRule_AllowInternetOutBound", "flows": [{ "mac": "000D3AF87856", "flowTuples": tuples }] }]);
    let record = json!({ "time": "2026-01-30T19:00:00Z", "systemId": "x", "category": "NetworkSecurityGroupFlowEvent",
        "resourceId": NSG.to_uppercase(), "operationName": "NetworkSecurityGroupFlowEvents",
        "properties": { "Version": 2, "flows": flows } });
    file(&format!("log-{name}"), &json!({ "records": [record] }))
}

fn lockdown(name: &str, more: &[&str]) -> (Run, String) {
    let (estate, log, tags) = (estate(name), log(name), tags(name, &["20.60.0.0/16"]));
    let output = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("lockdown-out-{name}.json"));
    let output = output.to_str().expect("the path is text").to_owned();
    let fixed = [
        "lockdown",
        &estate,
        "--flows",
        &log,
        "--service-tags",
        &tags,
        "--at",
        NOW,
        "--format",
        "json",
        "--output",
        &output,
    ];
    (palisade(&[&fixed[..], more].concat(), b""), output)
}

fn document(run: &Run, code: i32) -> Value {
    assert_eq!(run.code, code, "{} {}", run.stdout, run.stderr);
    serde_json::from_str(&run.stdout).expect("one document")
}

/// Names of the rules of the only NSG.
fn names(document: &Value) -> Vec<&str> {
    let rules = document["groups"][0]["rules"].as_array().expect("a list");
    rules.iter().filter_map(|rule| rule["name"].as_str()).collect()
}

#[test]
fn exceptions_are_tags_before_addresses_and_the_proof_holds() {
    let (run, output) = lockdown("plain", &[]);
    let document = document(&run, 0);
    assert_eq!(
        names(&document),
        ["lockdown-Storage.WestUS-tcp", "lockdown-addresses-8443-tcp-v4", "lockdown-deny-internet"]
    );
    assert_eq!(document["proof"]["opensNothing"], true);
    assert_eq!(document["flows"]["broken"], json!([]));
    let template: Value =
        serde_json::from_str(&std::fs::read_to_string(&output).expect("it was written")).expect("it is JSON");
    assert_eq!(template, document["template"]);
    assert_eq!(template["metadata"]["serviceTags"][0]["changeNumber"], 7);
    let rules = &template["resources"][0]["properties"]["securityRules"];
    assert_eq!(rules[0]["name"], "no-telnet", "older rules are kept");
    // Read back with the network and the interfaces, it answers as it claims.
    let estate = estate("back");
    let tags = tags("back", &["20.60.0.0/16"]);
    for (remote, port, access) in [
        ("20.60.0.9", 443, "Allow"),
        ("198.51.100.7", 8443, "Allow"),
        ("8.8.8.8", 443, "Deny"),
        ("203.0.113.9", 23, "Deny"),
    ] {
        let flow = json!({ "nic": "web1-nic", "direction": "Outbound", "protocol": "Tcp", "localAddress": "10.0.1.4",
            "localPort": 50_000, "remoteAddress": remote, "remotePort": port });
        let asked = [
            "verify",
            &estate,
            &output,
            "--resource-group",
            "shop",
            "--subscription",
            "s",
            "--location",
            "westus",
            "--service-tags",
            &tags,
            "--flows",
            "-",
            "--format",
            "json",
        ];
        let answer: Value =
            serde_json::from_str(&palisade(&asked, flow.to_string().as_bytes()).stdout).expect("an answer");
        assert_eq!(answer["access"], access, "{remote} {answer}");
    }
}

#[test]
fn a_shadow_changes_nothing() {
    let (run, output) = lockdown("shadow", &["--shadow"]);
    assert_eq!(document(&run, 0)["proof"]["shadowChangesNothing"], true);
    let written = std::fs::read_to_string(output).expect("it was written");
    assert_eq!(written.matches("\"mode\": \"Audit\"").count(), 3, "{written}");
}

#[test]
fn what_breaks_is_told() {
    let (run, _) = lockdown("breaks", &["--only-tags", "--forbid", "20.60.7.0/24", "--never-tag", "Storage"]);
    let document = document(&run, 1);
    assert_eq!(names(&document), ["lockdown-deny-internet"]);
    let broken = document["flows"]["broken"].as_array().expect("a list");
    let reasons: Vec<_> = broken.iter().filter_map(|flow| flow["reason"].as_str()).collect();
    assert_eq!(broken.len(), 3, "{broken:?}");
    assert!(reasons.contains(&"its peer is forbidden") && reasons.contains(&"no tag may stand for its peer"));
}

#[test]
fn a_second_run_changes_only_what_drifted() {
    let (first, output) = lockdown("first", &["--expand-tags"]);
    let before = document(&first, 0);
    assert!(names(&before).contains(&"lockdown-Storage.WestUS-tcp-v4"), "{before:#}");
    let (estate, log) = (estate("second"), log("second"));
    let drifted = tags("second", &["20.60.0.0/16", "20.99.0.0/24"]);
    let asked = [
        "lockdown",
        &estate,
        &output,
        "--resource-group",
        "shop",
        "--subscription",
        "s",
        "--location",
        "westus",
        "--flows",
        &log,
        "--service-tags",
        &drifted,
        "--at",
        NOW,
        "--format",
        "json",
        "--expand-tags",
    ];
    let after = document(&palisade(&asked, b""), 0);
    let rules = |document: &Value| {
        document["template"]["resources"][0]["properties"]["securityRules"].as_array().cloned()
    };
    let (before, after) = (rules(&before).expect("a list"), rules(&after).expect("a list"));
    let changed: Vec<_> = before.iter().zip(&after).filter(|(one, other)| one != other).collect();
    let [(one, other)] = changed.as_slice() else { panic!("{changed:#?}") };
    assert_eq!(
        (&one["name"], &one["properties"]["priority"]),
        (&other["name"], &other["properties"]["priority"])
    );
    assert_eq!(other["properties"]["destinationAddressPrefixes"], json!(["20.60.0.0/16", "20.99.0.0/24"]));
}

#[test]
fn rules_alone_and_the_table() {
    let (run, _) = lockdown("rules", &["--rules-only"]);
    let document = document(&run, 0);
    assert_eq!(document["template"]["resources"][0]["name"], "shop-nsg/lockdown-Storage.WestUS-tcp");
    let (table, _) = lockdown("table", &["--format", "table"]);
    assert_eq!(table.code, 2, "the format is given twice");
    let (estate, log) = (estate("text"), log("text"));
    let text = palisade(&["lockdown", &estate, "--flows", &log, "--at", NOW], b"");
    assert_eq!(text.code, 0, "{}", text.stderr);
    assert!(text.stdout.contains("lockdown-addresses-443-tcp-v4"), "{}", text.stdout);
    assert!(text.stdout.contains("proof  nothing is opened that is denied today"), "{}", text.stdout);
}

#[test]
fn bad_input_is_refused() {
    for more in
        [&["--nsg", "nobody"][..], &["--priority", "99"], &["--priority", "200"], &["--priority", "201"]]
    {
        let (run, _) = lockdown("bad", more);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{more:?}");
        assert!(run.stderr.starts_with("error: "), "{}", run.stderr);
    }
}

//! Intents from the command line: stored, held against a write, previewed by a dry run, overridden.

use serde_json::{Value, json};

use crate::site::Site;

#[test]
fn intents_hold_what_is_applied() {
    let site = Site::start();
    site.lay();
    let (listed, _) = site.expect(0, &["get", "intents"]);
    assert!(listed.contains("baseline"), "{listed}");
    let rule = site.id("Microsoft.Network/networkSecurityGroups/web/securityRules/rdp");
    site.file(
        "rule.json",
        &json!({ "id": rule, "properties": {
        "protocol": "Tcp", "access": "Allow", "direction": "Inbound", "priority": 100,
        "sourceAddressPrefix": "*", "sourcePortRange": "*",
        "destinationAddressPrefix": "*", "destinationPortRange": "3389",
    } }),
    );

    let (told, _) = site.expect(1, &["apply", "rule.json", "--dry-run"]);
    for part in ["Create", "one  Inbound: Deny -> Allow", "securityRules/rdp of web", "Violated", "no-rdp"] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    let (told, _) = site.expect(1, &["apply", "rule.json", "--dry-run", "--format", "json"]);
    let told: Value = serde_json::from_str(&told).expect("one document");
    assert_eq!(told["changes"][0]["change"], "Create");
    assert_eq!(told["traffic"]["regions"][0]["places"][0], "one");
    assert_eq!(told["intents"][0]["outcome"], "Violated");

    let (_, refused) = site.expect(2, &["apply", "rule.json"]);
    assert!(refused.contains("PolicyViolation") && refused.contains("-> 10.0.1.4:3389"), "{refused}");
    site.expect(2, &["get", &rule]);
    let (_, warned) = site.expect(0, &["apply", "rule.json", "--override", "change 4711"]);
    assert!(warned.contains("warning: PolicyViolation"), "{warned}");
    let (log, _) = site.expect(0, &["audit", "export"]);
    let entries = log.lines().map(|line| serde_json::from_str::<Value>(line).expect("an entry"));
    let overridden: Vec<Value> = entries.filter(|entry| entry["reason"] == "change 4711").collect();
    assert_eq!(overridden.len(), 1, "{log}");
    assert_eq!(overridden[0]["broken"][0]["intent"], "no-rdp");
    site.expect(0, &["audit", "verify"]);
}

#[test]
fn a_dry_run_tells_which_flows_of_a_log_would_break() {
    let site = Site::start();
    site.lay();
    let nsg = site.id("Microsoft.Network/networkSecurityGroups/web");
    let tuples = json!([
        "1700000000,10.0.1.9,10.0.1.4,50000,443,T,I,A,B,,,,",
        "1700000060,10.0.1.9,10.0.1.4,50000,443,T,I,A,E,10,1000,20,2000",
        "1700000100,10.0.1.9,10.0.1.4,50000,22,T,I,A,B,,,,",
    ]);
    let flows = json!([{ "mac": site.mac(), "flowTuples": tuples }]);
    let rules = json!([{ "rule": "DefaultRule_AllowVnetInBound", "flows": flows }]);
    let record = json!({ "resourceId": nsg, "properties": { "Version": 2, "flows": rules } });
    site.file("log.json", &json!({ "records": [record] }));
    let deny = json!({
        "protocol": "Tcp", "access": "Deny", "direction": "Inbound", "priority": 100,
        "sourceAddressPrefix": "*", "sourcePortRange": "*",
        "destinationAddressPrefix": "*", "destinationPortRange": "443",
    });
    site.file("deny.json", &json!({ "id": format!("{nsg}/securityRules/no-web"), "properties": deny }));

    let asked = ["apply", "deny.json", "--dry-run", "--flows", "log.json"];
    let (told, _) = site.expect(1, &asked);
    for part in [
        "breaks  one  Inbound: Allow -> Deny",
        "after    securityRules/no-web of web",
        "443",
        "unchanged  1 flow",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    let (told, _) = site.expect(1, &[&asked[..], &["--format", "json"]].concat());
    let told: Value = serde_json::from_str(&told).expect("one document");
    let (breaks, change) = (&told["flows"]["summary"]["breaks"], &told["flows"]["changes"][0]);
    assert_eq!(
        (&breaks["flows"], &breaks["existing"], &breaks["bytes"]),
        (&json!(1), &json!(1), &json!(3000))
    );
    assert_eq!((&change["effect"], &change["witness"]["localPort"]), (&json!("breaks"), &json!(443)));
    assert_eq!(told["flows"]["drift"], Value::Null);
    let (_, said) = site.expect(2, &["apply", "deny.json", "--dry-run", "--flows", "none.json"]);
    assert!(said.contains("none.json"), "{said}");
    site.expect(2, &["apply", "deny.json", "--flows", "log.json"]);
}

//! `palisade effective`: the shape of Azure's effectiveNetworkSecurityGroups.

use serde_json::{Value, json};

use crate::palisade;

fn effective(arguments: &[&str]) -> Value {
    effective_of("estate.json", arguments)
}

fn effective_of(estate: &str, arguments: &[&str]) -> Value {
    let asked = ["effective", estate, "--format", "json"];
    let run = palisade(&[&asked[..], arguments].concat(), b"");
    assert_eq!(run.code, 0, "{}", run.stderr);
    serde_json::from_str(&run.stdout).expect("one document")
}

fn named<'a>(entry: &'a Value, name: &str) -> &'a Value {
    let rules = entry["effectiveSecurityRules"].as_array().expect("a list");
    rules.iter().find(|rule| rule["name"] == name).expect("the rule is there")
}

#[test]
fn an_entry_an_nsg_in_the_order_of_evaluation() {
    let answer = effective(&["--nic", "WEB1-nic"]);
    let entries = answer["value"].as_array().expect("a list");
    let names = |entry: &Value| {
        let rules = entry["effectiveSecurityRules"].as_array().expect("a list");
        rules.iter().map(|rule| rule["name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(entries.len(), 2);
    assert_eq!(
        names(&entries[0]),
        [
            "securityRules/allow-https",
            "securityRules/allow-office",
            "securityRules/allow-ping",
            "defaultSecurityRules/AllowVnetInBound",
            "defaultSecurityRules/AllowAzureLoadBalancerInBound",
            "defaultSecurityRules/DenyAllInBound",
            "securityRules/allow-backup",
            "securityRules/deny-internet",
            "defaultSecurityRules/AllowVnetOutBound",
            "defaultSecurityRules/AllowInternetOutBound",
            "defaultSecurityRules/DenyAllOutBound",
        ]
    );
    let id = |value: &Value| value["id"].as_str().expect("an id").rsplit('/').next().map(str::to_owned);
    assert_eq!(id(&entries[0]["networkSecurityGroup"]).as_deref(), Some("web-nsg"));
    assert_eq!(id(&entries[0]["association"]["subnet"]).as_deref(), Some("web"));
    assert_eq!(id(&entries[1]["networkSecurityGroup"]).as_deref(), Some("nic-nsg"));
    assert_eq!(id(&entries[1]["association"]["networkInterface"]).as_deref(), Some("web1-nic"));
    assert_eq!(effective(&["--nic", "open-nic"]), json!({ "value": [] }));
}

/// Fields as a recorded answer of Azure has them.
#[test]
fn a_default_rule_reads_as_azure_prints_it() {
    let answer = effective(&["--nic", "web1-nic"]);
    let entry = &answer["value"][0];
    let network = json!(["10.0.0.0/16", "168.63.129.16/32"]);
    assert_eq!(
        *named(entry, "defaultSecurityRules/AllowVnetInBound"),
        json!({
            "name": "defaultSecurityRules/AllowVnetInBound",
            "protocol": "All",
            "sourcePortRange": "0-65535",
            "destinationPortRange": "0-65535",
            "sourcePortRanges": ["0-65535"],
            "destinationPortRanges": ["0-65535"],
            "sourceAddressPrefix": "VirtualNetwork",
            "destinationAddressPrefix": "VirtualNetwork",
            "sourceAddressPrefixes": ["VirtualNetwork"],
            "destinationAddressPrefixes": ["VirtualNetwork"],
            "expandedSourceAddressPrefix": network,
            "expandedDestinationAddressPrefix": network,
            "access": "Allow",
            "priority": 65000,
            "direction": "Inbound",
        })
    );
    assert_eq!(
        *named(entry, "defaultSecurityRules/DenyAllOutBound"),
        json!({
            "name": "defaultSecurityRules/DenyAllOutBound",
            "protocol": "All",
            "sourcePortRange": "0-65535",
            "destinationPortRange": "0-65535",
            "sourcePortRanges": ["0-65535"],
            "destinationPortRanges": ["0-65535"],
            "sourceAddressPrefix": "0.0.0.0/0",
            "destinationAddressPrefix": "0.0.0.0/0",
            "sourceAddressPrefixes": ["0.0.0.0/0", "0.0.0.0/0"],
            "destinationAddressPrefixes": ["0.0.0.0/0", "0.0.0.0/0"],
            "access": "Deny",
            "priority": 65500,
            "direction": "Outbound",
        })
    );
    assert_eq!(entry["tagMap"]["VirtualNetwork"], network);
    assert_eq!(entry["tagMap"]["AzureLoadBalancer"], json!(["168.63.129.16/32", "fe80::1234:5678:9abc/128"]));
    assert!(entry["tagMap"]["Internet"].as_array().is_some_and(|list| list.contains(&json!("8.0.0.0/7"))));
    assert!(entry["tagMap"].get("Storage").is_none(), "no tag file says what it is");
}

#[test]
fn a_users_rule_keeps_its_lists() {
    let answer = effective(&["--nic", "web1-nic"]);
    let entry = &answer["value"][0];
    let office = named(entry, "securityRules/allow-office");
    assert_eq!(office["sourceAddressPrefixes"], json!(["198.51.100.0/24", "203.0.113.7/32"]));
    assert!(
        office.get("sourceAddressPrefix").is_none() && office.get("expandedSourceAddressPrefix").is_none()
    );
    assert_eq!((&office["protocol"], &office["destinationPortRange"]), (&json!("Tcp"), &json!("3389-3389")));
    let https = named(entry, "securityRules/allow-https");
    assert_eq!(https["destinationPortRanges"], json!(["80-80", "443-443"]));
    let backup = named(entry, "securityRules/allow-backup");
    assert_eq!(backup["destinationAddressUnknown"], true);
}

#[test]
fn an_nsg_alone_has_no_association() {
    let answer = effective(&["--nsg", "nic-nsg", "--virtual-network", "192.168.0.0/16"]);
    let entry = &answer["value"][0];
    assert_eq!(entry["association"], json!({}));
    assert_eq!(entry["tagMap"]["VirtualNetwork"], json!(["168.63.129.16/32", "192.168.0.0/16"]));
}

#[test]
fn windows_and_audit_are_told() {
    let answer = effective_of("trial.json", &["--nsg", "trial-nsg"]);
    let entry = &answer["value"][0];
    assert_eq!(named(entry, "securityRules/close-web")["palisade"], json!({ "mode": "Audit" }));
    let window = json!({ "notBefore": "2027-01-15T08:00:00Z", "expiresAt": "2027-01-15T09:00:00Z" });
    assert_eq!(named(entry, "securityRules/allow-web")["palisade"], window);
    assert!(named(entry, "defaultSecurityRules/DenyAllInBound").get("palisade").is_none());
    let table = palisade(&["effective", "trial.json", "--nsg", "trial-nsg"], b"").stdout;
    for text in ["Deny (audit)", "Allow from 2027-01-15T08:00:00Z until 2027-01-15T09:00:00Z"] {
        assert!(table.contains(text), "{table}");
    }
}

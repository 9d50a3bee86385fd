//! Templates that are applied to a group that is not there yet: both come, or neither does.

use serde_json::{Value, json};

use crate::site::Site;

const SCHEMA: &str = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#";

fn template(resources: &Value) -> Value {
    json!({ "$schema": SCHEMA, "contentVersion": "1.0.0.0", "resources": resources })
}

/// An NSG with a rule of this priority.
fn nsg(priority: u32) -> Value {
    let rule = json!({ "name": "ssh", "properties": {
        "priority": priority, "protocol": "Tcp", "access": "Allow", "direction": "Inbound",
        "sourceAddressPrefix": "10.0.0.0/8", "sourcePortRange": "*",
        "destinationAddressPrefix": "*", "destinationPortRange": "22",
    } });
    json!([{ "type": "Microsoft.Network/networkSecurityGroups", "apiVersion": "2024-05-01", "name": "n",
        "location": "[resourceGroup().location]", "properties": { "securityRules": [rule] } }])
}

#[test]
fn a_refused_template_leaves_no_group() {
    let site = Site::start();
    site.lay();
    site.file("language.json", &template(&json!([{ "name": "[nonsense(" }])));
    site.file("refused.json", &template(&nsg(5)));
    let open = json!([{ "type": "Microsoft.Network/networkSecurityGroups/securityRules", "apiVersion": "2024-05-01",
        "name": "n/open", "properties": {} }]);
    site.file("orphan.json", &template(&open));
    site.file("sound.json", &template(&nsg(100)));
    let groups = || site.expect(0, &["get", "groups"]).0;
    let new = ["--resource-group", "new", "--location", "westeurope"];
    for (file, said) in [
        ("language.json", "InvalidTemplate"),
        ("refused.json", "InvalidTemplateDeployment"),
        ("orphan.json", "n"),
    ] {
        for more in [&[][..], &["--dry-run"]] {
            let (_, told) = site.expect(2, &[&["apply", file], &new[..], more].concat());
            assert!(told.contains(said) && !told.contains("created"), "{file}: {told}");
            assert!(!groups().contains("new"), "{file}");
        }
    }
    let (_, told) = site.expect(2, &["apply", "sound.json", "--resource-group", "new"]);
    assert!(told.contains("ResourceGroupNotFound") && told.contains("--location"), "{told}");

    let (told, _) = site.expect(1, &[&["apply", "sound.json", "--dry-run"], &new[..]].concat());
    assert!(told.contains("Create") && told.contains("resourceGroups/new"), "{told}");
    assert!(!groups().contains("new"), "a dry run makes nothing");
    let (_, told) = site.expect(0, &[&["apply", "sound.json"], &new[..]].concat());
    assert!(told.contains("created") && told.contains("resourceGroups/new"), "{told}");
    let (_, told) = site.expect(0, &[&["apply", "sound.json"], &new[..]].concat());
    assert!(!told.contains("created"), "it was there: {told}");

    // A group that was there stays, however empty it is.
    site.expect(0, &["delete", "nsg", "n", "--resource-group", "new"]);
    site.expect(2, &[&["apply", "refused.json"], &new[..]].concat());
    assert!(groups().contains("new"));
}

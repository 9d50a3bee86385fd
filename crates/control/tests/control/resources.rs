//! What is written is what is read, with what the server fills in.

use palisade_control::Effect;
use serde_json::{Value, json};

use crate::support::{Bench, SUBSCRIPTION, id, nic, reference, rule, with};

const ANY: &str = "rg/net/networkSecurityGroups/nsg1";

#[tokio::test]
async fn a_group_with_rules_is_read_as_azure_would_show_it() {
    let bench = Bench::with_group().await;
    let body = json!({
        "location": "West Europe",
        "tags": {"Team": "Red"},
        "properties": {
            "securityRules": [
                {"name": "Ssh", "properties": {
                    "protocol": "TCP", "access": "allow", "direction": "Inbound", "priority": 100,
                    "sourceAddressPrefixes": ["10.0.0.0/8", "192.168.0.0/16"], "sourcePortRange": "*",
                    "destinationAddressPrefix": "*", "destinationPortRange": "22", "somethingNew": {"a": 1},
                }},
            ],
            "provisioningState": "Failed",
            "unheardOf": [1, 2],
        },
    });
    let outcome = bench.put("RG/net/networksecuritygroups/Nsg1", body).await.expect("it is valid");
    assert_eq!(outcome.effect, Effect::Created);
    let shown = bench.get(ANY);
    assert_eq!(Some(&shown), outcome.resource.as_ref());
    let own =
        format!("{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Network/networkSecurityGroups/Nsg1");
    let etag = shown["etag"].as_str().expect("an ETag").to_owned();
    assert!(etag.starts_with("W/\""), "{etag}");
    assert_eq!(shown["id"], own.as_str(), "the group's spelling, the caller's name, the type's own case");
    assert_eq!(shown["type"], "Microsoft.Network/networkSecurityGroups");
    assert_eq!(shown["location"], "westeurope");
    assert_eq!(shown["tags"], json!({"Team": "Red"}));
    let properties = &shown["properties"];
    assert_eq!(properties["provisioningState"], "Succeeded");
    assert_eq!(properties["unheardOf"], json!([1, 2]));
    assert_eq!(properties["flushConnection"], true);
    assert!(properties["resourceGuid"].is_string());
    assert_eq!(
        properties["securityRules"],
        json!([{
            "name": "Ssh", "id": format!("{own}/securityRules/Ssh"), "etag": etag,
            "type": "Microsoft.Network/networkSecurityGroups/securityRules",
            "properties": {
                "provisioningState": "Succeeded",
                "protocol": "TCP", "access": "allow", "direction": "Inbound", "priority": 100,
                "sourceAddressPrefixes": ["10.0.0.0/8", "192.168.0.0/16"],
                "sourcePortRange": "*", "sourcePortRanges": [],
                "destinationAddressPrefix": "*", "destinationAddressPrefixes": [],
                "destinationPortRange": "22", "destinationPortRanges": [], "somethingNew": {"a": 1},
            },
        }])
    );
    let defaults: Vec<&str> = properties["defaultSecurityRules"]
        .as_array()
        .expect("six")
        .iter()
        .filter_map(|r| r["name"].as_str())
        .collect();
    assert_eq!(
        defaults,
        [
            "AllowVnetInBound",
            "AllowAzureLoadBalancerInBound",
            "DenyAllInBound",
            "AllowVnetOutBound",
            "AllowInternetOutBound",
            "DenyAllOutBound",
        ]
    );
}

#[tokio::test]
async fn the_same_again_changes_nothing_and_another_rule_changes_the_etag() {
    let bench = Bench::with_group().await;
    let body = json!({"location": "westeurope", "properties": {"flushConnection": false}});
    bench.put(ANY, body).await.expect("it is valid");
    let first = bench.get(ANY);
    let again = bench.put(ANY, json!({"location": "westeurope"})).await.expect("it is valid");
    assert_eq!((again.effect, bench.get(ANY)), (Effect::Unchanged, first.clone()), "flushConnection is kept");
    let child = format!("{ANY}/securityRules/web");
    assert_eq!(bench.put(&child, rule(100, 80)).await.expect("valid").effect, Effect::Created);
    let second = bench.get(ANY);
    assert_ne!(first["etag"], second["etag"]);
    assert_eq!(bench.get(&child)["etag"], second["etag"]);
    assert_eq!(bench.put(&child, rule(100, 80)).await.expect("valid").effect, Effect::Unchanged);
    assert_eq!(bench.put(&child, rule(100, 81)).await.expect("valid").effect, Effect::Updated);
    assert_eq!(bench.delete(&child).await.expect("it goes").effect, Effect::Deleted);
    assert_eq!(bench.delete(&child).await.expect("it is gone").effect, Effect::Absent);
    assert_eq!(bench.get(ANY)["properties"]["securityRules"], json!([]));
}

#[tokio::test]
async fn an_interface_is_given_addresses_and_seen_from_what_it_uses() {
    let bench = Bench::with_group().await;
    bench.network().await;
    bench.put(ANY, json!({"location": "westeurope"})).await.expect("an NSG");
    bench.put("rg/net/publicIPAddresses/ip", json!({"location": "westeurope"})).await.expect("an address");
    let body = json!({"location": "westeurope", "properties": {
        "networkSecurityGroup": reference(ANY),
        "ipConfigurations": [
            {"name": "four", "properties": {
                "subnet": reference("rg/net/virtualNetworks/net/subnets/b"),
                "publicIPAddress": reference("rg/net/publicIPAddresses/ip"),
            }},
            {"name": "six", "properties": {
                "subnet": reference("rg/net/virtualNetworks/NET/subnets/B"), "privateIPAddressVersion": "IPv6",
            }},
        ],
    }});
    let shown =
        bench.put("rg/net/networkInterfaces/n1", body).await.expect("valid").resource.expect("it is shown");
    let properties = &shown["properties"];
    let address = |at: usize| properties["ipConfigurations"][at]["properties"]["privateIPAddress"].clone();
    assert_eq!((address(0), address(1)), ("10.0.2.4".into(), "fd00:0:0:2::4".into()));
    assert_eq!(properties["ipConfigurations"][0]["properties"]["primary"], true);
    assert_eq!(properties["ipConfigurations"][1]["properties"]["primary"], false);
    let mac = properties["macAddress"].as_str().expect("an address");
    assert!(mac.starts_with("00-0D-3A-"), "{mac}");
    let configuration = properties["ipConfigurations"][0]["id"].clone();
    assert_eq!(configuration, format!("{}/ipConfigurations/four", shown["id"].as_str().unwrap_or_default()));
    let second = bench.put("rg/net/networkInterfaces/n2", nic("rg/net/virtualNetworks/net/subnets/b")).await;
    let second = second.expect("valid").resource.expect("it is shown");
    assert_eq!(second["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"], "10.0.2.5");

    let machine = json!({"location": "westeurope", "properties": {"networkProfile": {"networkInterfaces": [
        {"id": id("rg/net/networkInterfaces/n1").as_str()},
    ]}}});
    bench.put("rg/vm/virtualMachines/m", machine).await.expect("a machine");
    let back = |path: &str, key: &str| bench.get(path)["properties"][key].clone();
    assert_eq!(back("rg/net/networkInterfaces/n1", "virtualMachine"), reference("rg/vm/virtualMachines/m"));
    assert_eq!(back(ANY, "networkInterfaces"), json!([reference("rg/net/networkInterfaces/n1")]));
    assert_eq!(back("rg/net/publicIPAddresses/ip", "ipConfiguration"), json!({"id": configuration}));
    assert_eq!(back("rg/net/publicIPAddresses/ip", "ipAddress"), "203.0.113.1");
    let held = back("rg/net/virtualNetworks/net/subnets/b", "ipConfigurations");
    assert_eq!(held.as_array().map(Vec::len), Some(3));
    assert!(bench.get("NetworkWatcherRG/net/networkWatchers/NetworkWatcher_westeurope")["id"].is_string());
}

#[tokio::test]
async fn a_network_keeps_its_collections_and_an_nsg_does_not() {
    let bench = Bench::with_group().await;
    bench.network().await;
    let net = "rg/net/virtualNetworks/net";
    let space = json!({"location": "westeurope", "properties": {
        "addressSpace": {"addressPrefixes": ["10.0.0.0/15", "fd00::/48"]}}});
    bench.put(net, space.clone()).await.expect("valid");
    assert_eq!(bench.get(net)["properties"]["subnets"].as_array().map(Vec::len), Some(2));
    bench.put(net, with(space, json!({"subnets": []}))).await.expect("valid");
    assert_eq!(bench.get(net)["properties"]["subnets"], json!([]));
    let rules: Value = json!([{"name": "web", "properties": rule(100, 80)["properties"]}]);
    let nsg = json!({"location": "westeurope", "properties": {}});
    bench.put(ANY, with(nsg.clone(), json!({"securityRules": rules}))).await.expect("valid");
    bench.put(ANY, nsg).await.expect("valid");
    assert_eq!(bench.get(ANY)["properties"]["securityRules"], json!([]));
}

#[tokio::test]
async fn peerings_are_connected_once_both_sides_have_one() {
    let bench = Bench::with_group().await;
    bench.network().await;
    let other = json!({"location": "northeurope", "properties": {"addressSpace": {"addressPrefixes": ["10.9.0.0/16"]}}});
    bench.put("rg/net/virtualNetworks/far", other).await.expect("valid");
    let peering = |to: &str| json!({"properties": {"remoteVirtualNetwork": reference(to)}});
    let (near, far) = ("rg/net/virtualNetworks/net", "rg/net/virtualNetworks/far");
    let there = format!("{near}/virtualNetworkPeerings/there");
    bench.put(&there, peering(far)).await.expect("valid");
    assert_eq!(bench.get(&there)["properties"]["peeringState"], "Initiated");
    bench.put(&format!("{far}/virtualNetworkPeerings/back"), peering(near)).await.expect("valid");
    let shown = bench.get(&there);
    assert_eq!(shown["properties"]["peeringState"], "Connected");
    assert_eq!(shown["properties"]["remoteAddressSpace"], json!({"addressPrefixes": ["10.9.0.0/16"]}));
}

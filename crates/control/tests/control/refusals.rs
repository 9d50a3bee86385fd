//! Every refusal: its status and code, and that nothing is another after it.

use palisade_model::ResourceId;
use serde_json::{Value, json};

use crate::support::{Bench, id, nic, put, reference, rule, with};

const NSG: &str = "rg/net/networkSecurityGroups/nsg1";
const NET: &str = "rg/net/virtualNetworks/net";

/// A bench with one of everything, each in use by another.
async fn estate() -> Bench {
    let bench = Bench::with_group().await;
    bench.network().await;
    let here = || json!({"location": "westeurope"});
    for path in [
        NSG,
        "rg/net/applicationSecurityGroups/asg1",
        "rg/net/publicIPAddresses/ip1",
        "rg/net/routeTables/rt1",
    ] {
        bench.put(path, here()).await.expect(path);
    }
    let elsewhere = json!({"location": "northeurope"});
    bench.put("rg/net/networkSecurityGroups/far", elsewhere).await.expect("an NSG elsewhere");
    bench.put(&format!("{NSG}/securityRules/web"), rule(100, 80)).await.expect("a rule");
    let subnet = json!({"properties": {"addressPrefix": "10.0.3.0/24", "networkSecurityGroup": reference(NSG),
        "routeTable": reference("rg/net/routeTables/rt1")}});
    bench.put(&format!("{NET}/subnets/c"), subnet).await.expect("a subnet");
    let mut own = nic(&format!("{NET}/subnets/c"));
    let configuration = &mut own["properties"]["ipConfigurations"][0]["properties"];
    configuration["publicIPAddress"] = reference("rg/net/publicIPAddresses/ip1");
    configuration["applicationSecurityGroups"] = json!([reference("rg/net/applicationSecurityGroups/asg1")]);
    bench.put("rg/net/networkInterfaces/nic1", own).await.expect("an interface");
    let machine = json!({"location": "westeurope", "properties": {"networkProfile": {"networkInterfaces": [
        {"id": id("rg/net/networkInterfaces/nic1").as_str()}]}}});
    bench.put("rg/vm/virtualMachines/vm1", machine).await.expect("a machine");
    bench
}

async fn refused(bench: &Bench, path: &str, body: Value) -> (u16, String) {
    let before = bench.control.read(|world| (world.revision(), world.documents().count()));
    let error = put(&bench.control, path, body).await.expect_err(path);
    let after = bench.control.read(|world| (world.revision(), world.documents().count()));
    assert_eq!(before, after, "{path} was refused and changed something");
    assert!(!error.message.is_empty());
    (error.status, error.code.into_owned())
}

#[tokio::test]
async fn bad_puts_are_refused_with_azures_codes() {
    let bench = estate().await;
    let here = || json!({"location": "westeurope", "properties": {}});
    let changed = |key: &str, value: Value| with(rule(200, 80), json!({key: value}));
    let at = |prefix: &str| json!({"properties": {"addressPrefix": prefix}});
    let cases: Vec<(&str, Value, u16, &str)> = vec![
        ("none/net/networkSecurityGroups/x", here(), 404, "ResourceGroupNotFound"),
        ("rg/net/networkSecurityGroups/none/securityRules/r", rule(200, 80), 404, "ParentResourceNotFound"),
        ("rg/net/natGateways/x", here(), 404, "InvalidResourceType"),
        ("rg/net/networkSecurityGroups/x", json!({}), 400, "LocationRequired"),
        ("rg/net/networkSecurityGroups/.x", here(), 400, "InvalidResourceName"),
        ("rg/net/networkSecurityGroups/x", json!([]), 400, "InvalidRequestFormat"),
        (NSG, json!({"location": "northeurope"}), 409, "InvalidResourceLocation"),
        (
            NSG,
            json!({"location": "westeurope", "properties": {"flushConnection": "maybe"}}),
            400,
            "InvalidRequestFormat",
        ),
        (
            NSG,
            json!({"location": "westeurope", "properties": {"securityRules": {}}}),
            400,
            "InvalidRequestFormat",
        ),
        (NSG, json!({"location": "westeurope", "tags": {"palisade-mood": "good"}}), 400, "InvalidTag"),
        ("rg", json!({"location": "northeurope"}), 409, "InvalidResourceGroupLocation"),
        ("rg2.", json!({"location": "northeurope"}), 400, "InvalidResourceGroupName"),
        ("NSG/r", rule(100, 81), 400, "SecurityRuleConflict"),
        ("NSG/r", rule(99, 81), 400, "SecurityRuleInvalidPriority"),
        ("NSG/r", changed("priority", json!("x")), 400, "InvalidRequestFormat"),
        ("NSG/r", changed("protocol", json!("Sctp")), 400, "InvalidValue"),
        (
            "NSG/r",
            changed("sourceAddressPrefix", json!("10.0.0.1/8")),
            400,
            "SecurityRuleInvalidAddressPrefix",
        ),
        ("NSG/r", changed("destinationPortRange", json!("80,443")), 400, "SecurityRuleInvalidPortRange"),
        ("NSG/r", changed("sourceAddressPrefixes", json!(["10.0.0.0/8"])), 400, "ExactlyOneValue"),
        ("NSG/r", changed("sourceAddressPrefix", json!(null)), 400, "SecurityRuleParametersMissing"),
        ("NSG/r", changed("description", json!("x".repeat(141))), 400, "DescriptionTooLong"),
        (
            "NSG/r",
            with(
                changed("sourceAddressPrefix", json!(null)),
                json!({"sourceApplicationSecurityGroups": [reference("rg/net/applicationSecurityGroups/none")]}),
            ),
            400,
            "InvalidResourceReference",
        ),
        ("NET/x", at("10.9.0.0/24"), 400, "NetcfgInvalidSubnet"),
        ("NET/x", at("10.0.1.128/25"), 400, "NetcfgSubnetRangesOverlap"),
        ("NET/c", at("10.0.4.0/24"), 400, "InUseSubnetCannotBeUpdated"),
        ("NET/x", json!({"properties": {}}), 400, "SubnetAddressPrefixMissing"),
        (
            "NET/a",
            with(
                at("10.0.1.0/24"),
                json!({"networkSecurityGroup": reference("rg/net/networkSecurityGroups/far")}),
            ),
            400,
            "InvalidResourceReference",
        ),
        (
            "NET/a",
            with(at("10.0.1.0/24"), json!({"networkSecurityGroup": reference("rg/net/routeTables/rt1")})),
            400,
            "InvalidResourceReference",
        ),
        (
            "NET/a",
            with(at("10.0.1.0/24"), json!({"networkSecurityGroup": {"id": "nsg1"}})),
            400,
            "LinkedInvalidPropertyId",
        ),
        ("rg/net/networkInterfaces/x", here(), 400, "NetworkInterfaceMustHaveAtLeastOneIpConfiguration"),
        (
            "rg/net/networkInterfaces/x",
            nic("rg/net/virtualNetworks/net/subnets/none"),
            400,
            "InvalidResourceReference",
        ),
        ("NIC/10.0.1.4", Value::Null, 400, "PrivateIPAddressNotInSubnet"),
        ("NIC/10.0.3.3", Value::Null, 400, "PrivateIPAddressInReservedRange"),
        ("NIC/10.0.3.255", Value::Null, 400, "PrivateIPAddressInReservedRange"),
        ("NIC/10.0.3.4", Value::Null, 400, "PrivateIPAddressIsAllocated"),
        ("NIC/ten", Value::Null, 400, "InvalidAddressPrefixFormat"),
    ];
    for (path, body, status, code) in cases {
        let (path, body) = match path.split_once('/') {
            Some(("NSG", name)) => (format!("{NSG}/securityRules/{name}"), body),
            Some(("NET", name)) => (format!("{NET}/subnets/{name}"), body),
            Some(("NIC", address)) => {
                let mut body = nic(&format!("{NET}/subnets/c"));
                body["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"] = address.into();
                ("rg/net/networkInterfaces/x".to_owned(), body)
            }
            _ => (path.to_owned(), body),
        };
        let found = refused(&bench, &path, body.clone()).await;
        assert_eq!(found, (status, code.to_owned()), "{path} {body}");
    }
}

#[tokio::test]
async fn what_is_in_use_stays() {
    let bench = estate().await;
    let cases = [
        (NSG, "InUseNetworkSecurityGroupCannotBeDeleted"),
        (NET, "InUseSubnetCannotBeDeleted"),
        ("rg/net/virtualNetworks/net/subnets/c", "InUseSubnetCannotBeDeleted"),
        ("rg/net/applicationSecurityGroups/asg1", "ApplicationSecurityGroupInUse"),
        ("rg/net/publicIPAddresses/ip1", "PublicIPAddressCannotBeDeleted"),
        ("rg/net/routeTables/rt1", "InUseRouteTableCannotBeDeleted"),
        ("rg/net/networkInterfaces/nic1", "NicInUse"),
    ];
    for (path, code) in cases {
        let error = bench.delete(path).await.expect_err(path);
        assert_eq!((error.status, &*error.code), (400, code), "{path}");
        assert!(bench.get(path)["id"].is_string());
    }
    // A PUT that leaves a used subnet out is a deletion too.
    let none = json!({"location": "westeurope", "properties": {
        "addressSpace": {"addressPrefixes": ["10.0.0.0/16", "fd00::/48"]}, "subnets": []}});
    assert_eq!(refused(&bench, NET, none).await, (400, "InUseSubnetCannotBeDeleted".to_owned()));
    for path in ["rg/vm/virtualMachines/vm1", "rg/net/networkInterfaces/nic1", NET, NSG] {
        bench.delete(path).await.expect(path);
    }
}

#[tokio::test]
async fn all_problems_of_a_body_are_told_at_once() {
    let bench = estate().await;
    let rules = json!([
        {"name": "a", "properties": with(rule(100, 80), json!({"protocol": "Sctp"}))["properties"]},
        {"name": "b", "properties": rule(5, 80)["properties"]},
    ]);
    let body = json!({"location": "westeurope", "properties": {"securityRules": rules}});
    let error = bench.put(NSG, body).await.expect_err("it has two problems");
    let codes: Vec<&str> = error.details.iter().map(|detail| &*detail.code).collect();
    assert_eq!(codes, ["InvalidValue", "SecurityRuleInvalidPriority"]);
    let body = json!({"location": 1, "properties": {"flushConnection": 2, "securityRules": [{"name": "a", "properties": {"priority": []}}]}});
    let error = bench.put(NSG, body).await.expect_err("it has three");
    let mut places: Vec<_> = error.details.iter().filter_map(|detail| detail.target.clone()).collect();
    places.sort();
    assert_eq!(places, ["properties.flushConnection", "properties.securityRules[0].properties.priority"]);
}

#[tokio::test]
async fn groups_of_interfaces_stay_in_one_network() {
    let bench = estate().await;
    let other = json!({"location": "westeurope", "properties": {"addressSpace": {"addressPrefixes": ["10.7.0.0/16"]},
        "subnets": [{"name": "s", "properties": {"addressPrefix": "10.7.0.0/24"}}]}});
    bench.put("rg/net/virtualNetworks/other", other).await.expect("a network");
    let mut own = nic("rg/net/virtualNetworks/other/subnets/s");
    let mut join = |group: &str| {
        own["properties"]["ipConfigurations"][0]["properties"]["applicationSecurityGroups"] =
            json!([reference(group)]);
        own.clone()
    };
    let first = join("rg/net/applicationSecurityGroups/asg1");
    let (_, code) = refused(&bench, "rg/net/networkInterfaces/x", first).await;
    assert_eq!(code, "GroupMembersInDifferentNetworks");
    bench
        .put("rg/net/applicationSecurityGroups/asg2", json!({"location": "westeurope"}))
        .await
        .expect("a group");
    let groups = with(
        rule(300, 80),
        json!({
            "sourceAddressPrefix": null, "destinationAddressPrefix": null,
            "sourceApplicationSecurityGroups": [reference("rg/net/applicationSecurityGroups/asg1")],
            "destinationApplicationSecurityGroups": [reference("rg/net/applicationSecurityGroups/asg2")],
        }),
    );
    bench.put(&format!("{NSG}/securityRules/g"), groups.clone()).await.expect("asg2 has no member yet");
    let second = join("rg/net/applicationSecurityGroups/asg2");
    let (_, code) = refused(&bench, "rg/net/networkInterfaces/x", second.clone()).await;
    assert_eq!(code, "AllApplicationSecurityGroupsInSecurityRuleMustBeFromSameVnet");
    bench.delete(&format!("{NSG}/securityRules/g")).await.expect("it goes");
    bench.put("rg/net/networkInterfaces/x", second).await.expect("nothing forbids it now");
    let (_, code) = refused(&bench, &format!("{NSG}/securityRules/g"), groups).await;
    assert_eq!(code, "AllApplicationSecurityGroupsInSecurityRuleMustBeFromSameVnet");
}

#[tokio::test]
async fn limits_of_an_nsg_hold_for_single_rules_too() {
    let bench = Bench::with_group().await;
    let rules: Vec<Value> = (0..1000)
        .map(|at| json!({"name": format!("r{at}"), "properties": rule(100 + at, 80)["properties"]}))
        .collect();
    let body = json!({"location": "westeurope", "tags": {"palisade-rule:r7": "mode=audit"}, "properties": {"securityRules": rules}});
    if let Err(error) = bench.put(NSG, body.clone()).await {
        assert_eq!(error.code, "InvalidTag", "{error}");
        let mut body = body;
        body["tags"] = json!({});
        bench.put(NSG, body).await.expect("a thousand rules");
    }
    let (_, code) = refused(&bench, &format!("{NSG}/securityRules/more"), rule(1200, 80)).await;
    assert_eq!(code, "SecurityRuleCountLimitReached");
    bench.delete(&format!("{NSG}/securityRules/r1")).await.expect("it goes");
    bench.put(&format!("{NSG}/securityRules/more"), rule(1200, 80)).await.expect("there is room");
    let many: Vec<String> = (0..4001).map(|at| format!("10.{}.{}.1", at / 250, at % 250)).collect();
    let wide = with(rule(1200, 80), json!({"sourceAddressPrefix": null, "sourceAddressPrefixes": many}));
    let (_, code) = refused(&bench, &format!("{NSG}/securityRules/more"), wide).await;
    assert_eq!(code, "AddressLimitReached");
}

#[test]
fn ids_that_name_nothing_are_told_apart() {
    let code = |text: &str| {
        palisade_control::kinds::locate(&ResourceId::new(text)).expect_err(text).code.into_owned()
    };
    for text in [
        "",
        "/",
        "nsg",
        "/subscriptions/s",
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network",
        "/subscriptions/s//x",
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkSecurityGroups",
    ] {
        assert_eq!(code(text), "InvalidResourceId", "{text}");
    }
    assert_eq!(
        code("/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/x/y"),
        "InvalidResourceType"
    );
}

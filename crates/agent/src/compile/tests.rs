use palisade_abi::flow::Direction;
use palisade_datapath::{Guards, LAYERS_INBOUND, Throttle};

use super::{CompiledNic, Windows, compile};
use crate::load::{self, EstateSources};
use palisade_model::Estate;

const TAGS: &str = r#""palisade-rule:over": "expiresAt=2026-01-01T00:00:00Z",
                      "palisade-rule:night": "notBefore=2026-01-01T00:00:00Z""#;

/// One NIC in one subnet; resource tags of its NSG and of itself as JSON.
fn estate(nsg_tags: &str, nic_tags: &str) -> Estate {
    load(&text(nsg_tags, nic_tags))
}

/// The same without the NIC's hardware address.
fn without_mac() -> Estate {
    load(&text("", "").replace(r#""macAddress": "00-0D-3A-12-34-56","#, ""))
}

fn load(text: &str) -> Estate {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("estate.json");
    std::fs::write(&path, text).unwrap();
    let sources = EstateSources { paths: vec![path], ..EstateSources::default() };
    load::estate(&sources).unwrap_or_else(|error| panic!("{error}")).estate
}

fn text(nsg_tags: &str, nic_tags: &str) -> String {
    let rule = |name: &str, priority: u16, access: &str| {
        format!(
            r#"{{ "name": "{name}", "properties": {{ "priority": {priority}, "direction": "Inbound", "access": "{access}",
                 "protocol": "Tcp", "sourceAddressPrefix": "*", "sourcePortRange": "*",
                 "destinationAddressPrefix": "*", "destinationPortRange": "{priority}" }} }}"#
        )
    };
    let rules = [rule("over", 100, "Allow"), rule("night", 110, "Deny"), rule("web", 120, "Allow")].join(",");
    format!(
        r#"{{ "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
             "contentVersion": "1.0.0.0", "resources": [
             {{ "type": "Microsoft.Network/networkSecurityGroups", "apiVersion": "2023-09-01", "name": "web-nsg",
                "tags": {{ {nsg_tags} }}, "properties": {{ "securityRules": [{rules}] }} }},
             {{ "type": "Microsoft.Network/virtualNetworks", "apiVersion": "2023-09-01", "name": "net",
                "properties": {{ "addressSpace": {{ "addressPrefixes": ["10.0.0.0/16"] }}, "subnets": [
                    {{ "name": "web", "properties": {{ "addressPrefix": "10.0.0.0/24", "networkSecurityGroup": {{
                        "id": "[resourceId('Microsoft.Network/networkSecurityGroups', 'web-nsg')]" }} }} }}] }} }},
             {{ "type": "Microsoft.Network/networkInterfaces", "apiVersion": "2023-09-01", "name": "a",
                "tags": {{ {nic_tags} }},
                "properties": {{ "macAddress": "00-0D-3A-12-34-56", "ipConfigurations": [{{ "name": "one", "properties": {{
                    "privateIPAddress": "10.0.0.4", "privateIPAllocationMethod": "Static",
                    "subnet": {{ "id": "[resourceId('Microsoft.Network/virtualNetworks/subnets', 'net', 'web')]" }}
                }} }}] }} }} ] }}"#
    )
}

fn compiled(estate: &Estate, windows: Windows) -> (CompiledNic, bool) {
    let mut compiled = compile(estate, windows).unwrap();
    (compiled.nics.pop_first().unwrap().1, compiled.windows_closed)
}

/// The rules of the subnet's NSG, in the order of the blob.
fn inbound(nic: &CompiledNic) -> Vec<&str> {
    let list = nic.names.lists(Direction::Inbound)[1].as_ref().unwrap();
    assert_eq!((list.layer, list.list.as_deref()), (LAYERS_INBOUND[1], Some("web-nsg")));
    let own = list.rows.iter().filter_map(|row| row.strip_prefix("securityRules/"));
    own.collect()
}

#[test]
fn every_row_has_the_name_of_its_rule() {
    let (nic, closed) = compiled(&estate("", ""), Windows::Judged);
    assert_eq!((inbound(&nic), closed), (vec!["over", "night", "web"], false));
    let outbound = nic.names.lists(Direction::Outbound)[2].as_ref().unwrap();
    assert!(outbound.rows.contains(&"platformTraffic".to_owned()), "{outbound:?}");
    assert!(outbound.rows.contains(&"defaultSecurityRules/DenyAllOutBound".to_owned()), "{outbound:?}");
    assert_eq!(nic.names.lists(Direction::Inbound)[2], None, "the NIC has no NSG");
}

#[test]
fn while_the_time_is_not_known_windows_are_closed() {
    let timed = estate(TAGS, "");
    let (judged, closed) = compiled(&timed, Windows::Judged);
    assert_eq!((inbound(&judged), closed), (vec!["over", "night", "web"], false));

    let (shut, closed) = compiled(&timed, Windows::Closed);
    assert_eq!((inbound(&shut), closed), (vec!["night", "web"], true), "what denies holds without end");
    let untimed = estate("", "");
    let (same, closed) = compiled(&untimed, Windows::Closed);
    assert_eq!((&same, closed), (&compiled(&untimed, Windows::Judged).0, false), "others are not touched");
}

#[test]
fn the_kernel_is_given_what_the_estate_says_of_a_nic() {
    let (nic, _) = compiled(&estate("", ""), Windows::Judged);
    let policy = &nic.policy;
    assert_eq!((policy.audit, policy.loose_tcp, policy.guards), (false, false, Guards::ALL));
    assert_eq!(policy.mac, nic.identity.mac);
    let own: Vec<_> = policy.owned.prefixes().iter().map(ToString::to_string).collect();
    assert_eq!(own, ["10.0.0.4/32"]);
    let layer = policy.inbound[1].as_ref().unwrap();
    assert!(layer.name.ends_with("/networksecuritygroups/web-nsg"), "{}", layer.name);
    assert!(!layer.audit && policy.inbound[0].is_none() && policy.outbound[2].is_some());

    let tags = r#""palisade-mode": "audit", "palisade-guards": "no-source,no-vlan""#;
    let (nic, _) = compiled(&estate("", tags), Windows::Judged);
    assert!(nic.policy.audit);
    assert_eq!(nic.policy.guards, Guards::ALL - Guards::SOURCE - Guards::VLAN);
}

#[test]
fn without_a_hardware_address_nothing_is_compared_with_one() {
    let (nic, _) = compiled(&without_mac(), Windows::Judged);
    assert_eq!(nic.policy.guards, Guards::ALL - Guards::MAC - Guards::NEIGHBOUR);
    let because = "(the estate gives no macAddress)";
    assert_eq!(nic.guards_off, [format!("no-mac {because}"), format!("no-neighbour {because}")]);
    let own: Vec<_> = nic.policy.owned.prefixes().iter().map(ToString::to_string).collect();
    assert_eq!(own, ["10.0.0.4/32", "fe80::/64"]);
}

#[test]
fn what_is_in_audit_and_what_is_off_is_told() {
    let (nic, _) = compiled(&estate("", ""), Windows::Judged);
    assert_eq!((nic.audit, nic.guards_off), (vec![], vec![]));
    let tags = r#""palisade-mode": "audit", "palisade-guards": "no-source,no-vlan""#;
    let (nic, _) = compiled(&estate(r#""palisade-rule:web": "audit""#, tags), Windows::Judged);
    assert_eq!(nic.audit, ["the NIC", "rule web of web-nsg"]);
    assert_eq!(nic.guards_off, ["no-source", "no-vlan"]);
    let (nic, _) =
        compiled(&estate(r#""palisade-mode": "audit", "palisade-rule:web": "audit""#, ""), Windows::Judged);
    assert_eq!(nic.audit, ["NSG web-nsg"]);
}

#[test]
fn a_throttle_is_given_to_the_kernel_and_has_a_name() {
    let throttle = r#"{ "type": "Palisade.Network/throttled", "apiVersion": "1", "name": "a", "properties": {
        "throttle": "slow", "newDestinationsPerSecond": 2, "workingSet": 8, "expiresAt": "2026-01-01T00:00:00Z",
        "networkInterface": { "id": "[resourceId('Microsoft.Network/networkInterfaces', 'a')]" } } }"#;
    let estate =
        load(&text("", "").replacen(r#""resources": ["#, &format!(r#""resources": [ {throttle},"#), 1));
    let (nic, closed) = compiled(&estate, Windows::Judged);
    let throttle = Throttle { per_second: 2, working_set: 8, until: 1_767_225_600 };
    assert_eq!(
        (nic.policy.throttle, nic.names.throttle(), closed),
        (Some(throttle), Some("throttle-slow-Outbound"), false)
    );
    let (nic, closed) = compiled(&estate, Windows::Closed);
    let endless = Throttle { until: palisade_abi::arena::NEVER, ..throttle };
    assert_eq!(
        (nic.policy.throttle, closed),
        (Some(endless), true),
        "what holds something up holds without end"
    );
}

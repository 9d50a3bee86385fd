//! What a commit costs that concerns a thousand hosts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use palisade_model::TagCatalog;
use palisade_sync::Documents;
use serde_json::json;

use super::estate::{add_rule, id, put, register};
use crate::fleet::{HostName, Renderer, concerned, gather};
use crate::world::World;

const HOSTS: usize = 1_000;
/// On one core; a build without optimisation is given more.
const LIMIT: Duration =
    if cfg!(debug_assertions) { Duration::from_secs(10) } else { Duration::from_millis(500) };

/// Hosts with an interface each, all with one group of `rules` rules.
fn world(rules: usize) -> World {
    let mut world = World::new(Arc::new(TagCatalog::default()));
    let space = json!({"addressSpace": {"addressPrefixes": ["10.0.0.0/8"]}});
    put(&mut world, "virtualNetworks/v0", json!({"properties": space}));
    put(&mut world, "virtualNetworks/v0/subnets/s", json!({"properties": {"addressPrefix": "10.0.0.0/9"}}));
    put(&mut world, "networkSecurityGroups/n", json!({"properties": {}}));
    for number in 0..rules {
        add_rule(&mut world, &format!("networkSecurityGroups/n/securityRules/r{number}"), 0, number, 5, 80);
    }
    for number in 0..HOSTS {
        let host: HostName = format!("h{number}").parse().expect("a name");
        register(&mut world, &host);
        let configuration = json!({
            "privateIPAddress": format!("10.0.{}.{}", number / 200, number % 200 + 4),
            "subnet": {"id": id("virtualNetworks/v0/subnets/s").as_str()},
        });
        let body = json!({
            "tags": {"palisade-host": host.as_str()},
            "properties": {
                "networkSecurityGroup": {"id": id("networkSecurityGroups/n").as_str()},
                "ipConfigurations": [{"name": "c", "properties": configuration}],
            },
        });
        put(&mut world, &format!("networkInterfaces/nic{number}"), body);
    }
    world
}

/// How long it takes to find all hosts of a change of one rule, and to make what each is sent.
fn cost(rules: usize) -> Duration {
    let before = world(rules);
    let mut after = before.clone();
    let path = "networkSecurityGroups/n/securityRules/r0";
    add_rule(&mut after, path, 0, 0, 5, 443);
    let renderer = Renderer::default();
    let span = |world: &World, host: &HostName| {
        renderer.span(gather(world, host)).expect("within the limits").documents
    };
    let names = (0..HOSTS).map(|number| format!("h{number}").parse::<HostName>().expect("a name"));
    let has: BTreeMap<HostName, Documents> = names.map(|host| (host.clone(), span(&before, &host))).collect();
    let began = Instant::now();
    renderer.forget(&[id(path)]);
    let hosts = concerned(&before, &after, &[id(path)]);
    assert_eq!(hosts.len(), HOSTS);
    for host in &hosts {
        let now = span(&after, host);
        let changes = now.changes_since(&has[host]);
        assert_eq!((changes.len(), changes[0].documents.len()), (1, 1));
        assert_ne!(now.hash(), has[host].hash());
    }
    began.elapsed()
}

#[test]
fn a_rule_for_a_thousand_hosts_costs_little() {
    for rules in [10, 100] {
        let took = cost(rules);
        eprintln!("{HOSTS} hosts, {rules} rules, one changed: {took:?}");
        assert!(took < LIMIT, "{rules} rules: {took:?}");
    }
}

//! Which host an interface is on: by tag, or by what a host tells of its interfaces.

use std::sync::Arc;

use palisade_model::TagCatalog;
use serde_json::json;

use super::estate::{id, put};
use crate::fleet::{HostCertificate, HostName, HostRecord, Interface, Renderer, gather};
use crate::world::{Change, World};

fn name(text: &str) -> HostName {
    text.parse().expect("a name")
}

fn tell(world: &mut World, host: &str, interfaces: Vec<Interface>, revoked: Option<u64>) {
    let record = HostRecord::new(0, HostCertificate { serial: "1".into(), not_after: 1 });
    let record = HostRecord { interfaces, revoked, ..record }.to_value();
    let key = name(host).key().into();
    world.apply(&Change::Record { key, before: None, after: Some(Arc::new(record)) });
}

fn interface(name: &str, alias: &str, mac: &str) -> Interface {
    Interface { name: name.into(), alias: alias.into(), macs: vec![mac.into()], note: String::new() }
}

/// Hosts of a NIC with these tags, where host `a` has `tap1` (alias `web`) and `b` has `tap2`.
fn check(tags: serde_json::Value, mac: &str, expect: &[&str]) {
    let mut world = World::new(Arc::new(TagCatalog::default()));
    tell(&mut world, "a", vec![interface("tap1", "web", "fe:0d:3a:00:00:01")], None);
    tell(&mut world, "b", vec![interface("tap2", "", "00:0d:3a:00:00:02")], None);
    tell(&mut world, "gone", vec![interface("tap1", "web", "00:0d:3a:00:00:02")], Some(7));
    let body = json!({"tags": tags, "properties": {"macAddress": mac, "ipConfigurations": []}});
    put(&mut world, "networkInterfaces/nic1", body);
    let nic = world.document(&id("networkInterfaces/nic1")).expect("it was put");
    let hosts: Vec<String> = world.bindings().hosts(nic).iter().map(HostName::to_string).collect();
    assert_eq!(hosts, expect, "{tags} {mac}");
    for host in &hosts {
        assert!(world.bindings().nics(&name(host)).contains(nic.id()), "both directions agree");
    }
}

#[test]
fn the_tag_names_the_host_and_nothing_else_counts_then() {
    check(json!({"palisade-host": "B"}), "00-0D-3A-00-00-01", &["b"]);
    check(json!({"Palisade-Host": "nobody"}), "00-0D-3A-00-00-01", &[]);
}

#[test]
fn without_the_tag_the_inventory_tells() {
    check(json!({}), "00-0D-3A-00-00-01", &["a"]);
    check(json!({}), "00-0D-3A-00-00-02", &["b"]);
    check(json!({}), "00-0D-3A-00-00-03", &[]);
    check(json!({"palisade-interface": "tap2"}), "00-0D-3A-00-00-03", &["b"]);
    check(json!({"palisade-interface": "web"}), "00-0D-3A-00-00-03", &["a"]);
    check(json!({"palisade-interface": "tap1"}), "00-0D-3A-00-00-02", &["a", "b"]);
}

#[test]
fn an_alias_that_is_the_interfaces_name_or_id_is_enough() {
    let mut world = World::new(Arc::new(TagCatalog::default()));
    let path = "networkInterfaces/nic1";
    tell(&mut world, "a", vec![interface("tap1", "NIC1", "")], None);
    tell(&mut world, "b", vec![interface("tap1", id(path).as_str(), "")], None);
    put(&mut world, path, json!({"properties": {"ipConfigurations": []}}));
    let span = Renderer::default().span(gather(&world, &name("a"))).expect("small");
    assert_eq!(span.rivals, [(id(path), vec![name("a"), name("b")])], "both get it, and it is told");
    assert!(span.documents.get(&id(path).as_str().to_ascii_lowercase()).is_some());
    world.set(&id(path), None);
    assert!(world.bindings().nics(&name("a")).is_empty());
}

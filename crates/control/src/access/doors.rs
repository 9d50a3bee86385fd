//! What policies mean at an interface: rules that close doors, and rules with an end that open them.
//!
//! They become a document of their own, which is stored nowhere and goes to hosts, proofs and questions like any other.

use std::collections::BTreeSet;
use std::sync::Arc;

use palisade_guard::access::AccessRule;
use palisade_model::ResourceId;
use palisade_net::ProtocolMatch;
use serde_json::{Value, json};

use super::{ledger, requests, tunnel};
use crate::kinds::{self, group_of};
use crate::time;
use crate::world::{Document, World};

/// The interfaces of a machine: those of its group that it names, if it is a resource, and those that name it. One of another group is
/// none of it unless it says so itself: who may write in one group must not open doors in another.
pub(crate) fn interfaces(world: &World, machine: &ResourceId) -> BTreeSet<ResourceId> {
    let of_machine = world.document(machine).filter(|document| document.kind().name == kinds::VM);
    let named = of_machine.into_iter().flat_map(|machine| machine.references().cloned());
    let named = named.filter(|nic| group_of(nic) == group_of(machine));
    let naming = world.naming(machine).filter(|document| document.kind().name == kinds::NIC);
    let all = named.chain(naming.map(|nic| nic.id().clone()));
    all.filter(|id| world.document(id).is_some()).collect()
}

/// The machines that an interface belongs to.
pub(crate) fn machines(world: &World, nic: &Document) -> BTreeSet<ResourceId> {
    let naming = world.naming(nic.id()).filter(|document| document.kind().name == kinds::VM);
    let own = nic.properties()["virtualMachine"]["id"].as_str().map(ResourceId::new);
    let near = naming.map(|machine| machine.id().clone()).filter(|id| group_of(id) == group_of(nic.id()));
    near.chain(own).collect()
}

/// The machines that the interface of an id belongs to.
pub(crate) fn machines_of(world: &World, nic: &ResourceId) -> BTreeSet<ResourceId> {
    world.document(nic).map(|nic| machines(world, nic)).unwrap_or_default()
}

/// The time-limited access of an interface; `None` if no policy is about its machine and no tunnel leads there.
pub(crate) fn doors(world: &World, nic: &Document) -> Option<Document> {
    let mut rules: Vec<AccessRule> = tunnel::rules(world, nic);
    for machine in machines(world, nic) {
        for policy in policies(world, &machine) {
            // What was stored could be read when it was.
            let Ok(ledger) = ledger(policy.properties()) else { continue };
            rules.extend(ledger.rules(&machine, ledger.latest()));
        }
    }
    if rules.is_empty() {
        return None;
    }
    // Two policies may be about one door: whoever was let through either passes.
    rules.sort_by_key(|rule| rule.open.is_none());
    rules.dedup_by(|one, other| one.open.is_none() && one == other);
    let rules: Vec<Value> = rules.iter().enumerate().map(|(index, rule)| rendered(rule, index + 1)).collect();
    let body = json!({"properties": {"networkInterface": {"id": nic.id().as_str()}, "rules": rules}});
    let group = nic.id().as_str().rsplit_once("/providers/").map(|(group, _)| group)?;
    let id = ResourceId::new(&format!("{group}/providers/{}/{}", kinds::ACCESS, nic.id().name()));
    Some(Document::new(id, &kinds::TIMED_ACCESS, body, "doors".into(), 0))
}

/// The policies that are about a machine.
pub(crate) fn policies<'w>(
    world: &'w World,
    machine: &ResourceId,
) -> impl Iterator<Item = &'w Arc<Document>> {
    world.naming(machine).filter(|document| document.kind().name == kinds::JIT)
}

/// A rule in the shape of a security admin rule, with its end.
fn rendered(rule: &AccessRule, priority: usize) -> Value {
    let protocol = match rule.protocol {
        ProtocolMatch::Any => "Any".to_owned(),
        other => other.to_string(),
    };
    let mut properties = json!({
        "priority": priority,
        "direction": "Inbound",
        "protocol": protocol,
        "destinationPortRanges": [rule.port.to_string()],
        "access": if rule.open.is_some() { "AlwaysAllow" } else { "Deny" },
    });
    if let Some(port) = rule.source_port {
        properties["sourcePortRanges"] = json!([port.to_string()]);
    }
    if let Some((sources, end)) = &rule.open {
        properties["expiresAt"] = time::rfc3339(u64::from(*end)).into();
        if !requests::is_any(sources) {
            let source =
                |prefix| json!({"addressPrefixType": "IPPrefix", "addressPrefix": requests::shown(prefix)});
            properties["sources"] = sources.iter().map(|prefix| source(*prefix)).collect();
        }
    }
    json!({"name": rule.name, "properties": properties})
}

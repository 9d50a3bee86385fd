//! What quarantines and lock-outs mean at an interface: rules before all others, those of lock-outs with an end.
//!
//! They become documents of their own, which are stored nowhere and go to hosts, proofs and questions like any other.

use std::sync::Arc;

use palisade_guard::answer::ForensicPath;
use palisade_model::ResourceId;
use palisade_net::{Prefix, ProtocolMatch};
use serde_json::{Value, json};

use super::{lockout, of_scope, quarantine_paths, scope_of, shown, throttle};
use crate::kinds::{self, Kind, LOCKOUT, NIC, QUARANTINE, group_of};
use crate::world::{Document, World};
use crate::{access, time};

/// The lists of an interface that come before the security admin rules, and its throttle, as far as it has any.
pub(crate) fn own_lists(world: &World, nic: &Document) -> impl Iterator<Item = Document> {
    let targets: Vec<ResourceId> =
        access::machines(world, nic).into_iter().chain([nic.id().clone()]).collect();
    let isolation = isolation(world, &targets);
    let barred = barred(world, nic, &targets);
    let lists = [(&kinds::ISOLATED, isolation), (&kinds::BARRED, barred)];
    let lists = lists.map(|(kind, rules)| list(nic, kind, rules));
    lists.into_iter().chain([throttle::list(world, nic, &targets)]).flatten()
}

/// All interfaces of the subscription or the group that a lock-out stands at.
pub(crate) fn interfaces_of<'w>(
    world: &'w World,
    lockout: &Document,
) -> Box<dyn Iterator<Item = &'w Arc<Document>> + 'w> {
    let scope = scope_of(lockout.id());
    match group_of(&scope) {
        Some(group) => Box::new(of_scope(world, &group, NIC)),
        None => Box::new(world.of_kind(NIC).filter_map(|id| world.document(id))),
    }
}

/// First what stays open for all quarantines of the interface, then nothing.
fn isolation(world: &World, targets: &[ResourceId]) -> Vec<Value> {
    let all = targets.iter().flat_map(|target| world.naming(target));
    let all: Vec<_> = all.filter(|document| document.kind().name == QUARANTINE).collect();
    let mut rules = Vec::new();
    for quarantine in &all {
        // What was stored could be read when it was.
        let paths = quarantine_paths(quarantine.properties()).unwrap_or_default();
        for (number, path) in paths.iter().enumerate() {
            rules.push(open(&format!("forensic-{}-{}", quarantine.id().name(), number + 1), path));
        }
    }
    if let Some(quarantine) = all.first() {
        for way in ["Inbound", "Outbound"] {
            rules.push(closed(&format!("quarantine-{}-{way}", quarantine.id().name()), way, None, None));
        }
    }
    rules
}

fn barred(world: &World, nic: &Document, targets: &[ResourceId]) -> Vec<Value> {
    let group = group_of(nic.id());
    let subscription =
        ResourceId::new(&format!("/subscriptions/{}", nic.id().segment("subscriptions").unwrap_or_default()));
    let mut rules = Vec::new();
    for scope in group.iter().chain([&subscription]) {
        let all = of_scope(world, scope, LOCKOUT);
        let all = all.filter_map(|document| Some((document, lockout(document.properties()).ok()?)));
        let all: Vec<_> = all.collect();
        // What has ended before the newest began is history, whatever the time is.
        let latest = all.iter().map(|(_, one)| one.from).max().unwrap_or_default();
        for (document, one) in all.iter().filter(|(_, one)| one.until > latest) {
            let name = document.id().name();
            let end = Some(one.until);
            match &one.machine {
                None => rules.push(closed(&format!("lockout-{name}"), "Inbound", Some(one.prefix), end)),
                Some(machine) if targets.contains(machine) => {
                    for way in ["Inbound", "Outbound"] {
                        rules.push(closed(&format!("block-{name}-{way}"), way, Some(one.prefix), end));
                    }
                }
                Some(_) => {}
            }
        }
    }
    rules
}

fn open(name: &str, path: &ForensicPath) -> Value {
    let protocol = match path.protocol {
        ProtocolMatch::Any => "Any".to_owned(),
        other => other.to_string(),
    };
    json!({"name": name, "properties": {
        "direction": "Inbound", "access": "AlwaysAllow", "protocol": protocol, "sources": sides(path.source),
        "destinationPortRanges": [path.port.to_string()],
    }})
}

/// Denies everything that comes from, or goes to, somebody; everybody if nobody is named.
fn closed(name: &str, way: &str, who: Option<Prefix>, end: Option<u32>) -> Value {
    let mut properties = json!({"direction": way, "access": "Deny", "protocol": "Any"});
    if let Some(prefix) = who {
        let side = if way == "Inbound" { "sources" } else { "destinations" };
        properties[side] = sides(prefix);
    }
    if let Some(end) = end {
        properties["expiresAt"] = time::rfc3339(u64::from(end)).into();
    }
    json!({"name": name, "properties": properties})
}

fn sides(prefix: Prefix) -> Value {
    json!([{"addressPrefixType": "IPPrefix", "addressPrefix": shown(prefix)}])
}

/// The document of a list, whose rules stand in their order.
fn list(nic: &Document, kind: &'static Kind, mut rules: Vec<Value>) -> Option<Document> {
    if rules.is_empty() {
        return None;
    }
    for (index, rule) in rules.iter_mut().enumerate() {
        rule["properties"]["priority"] = (index + 1).into();
    }
    document(nic, kind, &json!({"networkInterface": {"id": nic.id().as_str()}, "rules": rules}))
}

/// A document of an interface's, which is called like it.
pub(super) fn document(nic: &Document, kind: &'static Kind, properties: &Value) -> Option<Document> {
    let group = nic.id().as_str().rsplit_once("/providers/").map(|(group, _)| group)?;
    let id = ResourceId::new(&format!("{group}/providers/{}/{}", kind.name, nic.id().name()));
    Some(Document::new(id, kind, json!({"properties": properties}), "answers".into(), 0))
}

//! What a deployment would change: `POST .../whatIf`, in the shape that `az` prints.
//!
//! Before and after are what `GET` answers now and what it would answer, without what only the server writes. The mode is incremental, so
//! what the template does not name is ignored, never deleted.

use std::collections::BTreeSet;

use palisade_model::ResourceId;
use serde_json::{Map, Value, json};

use super::executor::Executor;
use super::preflight::{Prepared, prepare};
use super::request::Request;
use crate::ControlError;
use crate::kinds::{Field, Kind, Shape, locate};

/// Members that only the server writes, on every level.
const VOLATILE: [&str; 3] = ["etag", "provisioningState", "resourceGuid"];

/// The changes that a deployment would make.
pub fn what_if(executor: &dyn Executor, request: &Request) -> Result<Value, ControlError> {
    let prepared = prepare(executor, request)?;
    let diagnostics = prepared.diagnostics();
    let Prepared { steps, rehearsed, .. } = prepared;
    let mut changes = Vec::new();
    let mut named = BTreeSet::new();
    for (step, after) in steps.iter().zip(rehearsed).filter(|(step, _)| !step.is_deployment()) {
        // A deployment inside may write a resource again; the last word counts.
        if !named.insert(step.id.clone()) {
            changes.retain(|change: &Value| change["resourceId"].as_str() != Some(step.id.as_str()));
        }
        let before = executor.get(&step.id).map(|found| comparable(found, step.kind));
        changes.push(match after {
            Some(after) => change(&step.id, before.as_ref(), &comparable(after, step.kind), request.ids_only),
            None => unsupported(&step.id),
        });
    }
    changes.extend(ignored(executor, request, &named));
    let mut properties = json!({"correlationId": request.place.correlation, "changes": changes});
    if !diagnostics.is_empty() {
        properties["diagnostics"] = diagnostics.into();
    }
    Ok(json!({"status": "Succeeded", "properties": properties}))
}

fn change(id: &ResourceId, before: Option<&Value>, after: &Value, ids_only: bool) -> Value {
    let delta = before.map(|before| delta(before, after)).unwrap_or_default();
    let kind = match before {
        None => "Create",
        Some(_) if delta.is_empty() => "NoChange",
        Some(_) => "Modify",
    };
    if ids_only {
        return json!({"resourceId": id.as_str(), "changeType": if before.is_some() && kind != "NoChange" { "Deploy" } else { kind }});
    }
    let mut change = json!({"resourceId": id.as_str(), "changeType": kind, "before": before, "after": after});
    if kind == "Modify" {
        change["delta"] = delta.into();
    }
    change
}

/// A resource whose body is only known once others are made.
fn unsupported(id: &ResourceId) -> Value {
    json!({
        "resourceId": id.as_str(),
        "changeType": "Unsupported",
        "unsupportedReason": "Its values are read from resources that the deployment makes first.",
    })
}

/// Resources of the group that the template does not name, as far as the caller may read them.
fn ignored(executor: &dyn Executor, request: &Request, named: &BTreeSet<ResourceId>) -> Vec<Value> {
    let scope = &request.place.scope;
    if scope.segment("resourceGroups").is_none() {
        return Vec::new();
    }
    let others = executor.list(scope).into_iter().filter(|id| !named.contains(id));
    let readable = others.filter_map(|id| {
        let kind = locate(&id).ok()?.kind;
        executor.allows(&format!("{}/read", kind.name), &id).ok()?;
        if request.ids_only {
            return Some(json!({"resourceId": id.as_str(), "changeType": "Ignore"}));
        }
        let found = comparable(executor.get(&id)?, kind);
        Some(json!({"resourceId": id.as_str(), "changeType": "Ignore", "before": found, "after": found}))
    });
    readable.collect()
}

/// A resource without what only the server writes.
pub(super) fn comparable(mut resource: Value, kind: &Kind) -> Value {
    strip_volatile(&mut resource);
    if let Some(properties) = resource.get_mut("properties").and_then(Value::as_object_mut) {
        strip(properties, kind.properties);
        for collection in kind.collections.iter().filter(|collection| collection.is_inlined) {
            let children =
                properties.get_mut(collection.segment).and_then(Value::as_array_mut).into_iter().flatten();
            for child in children {
                *child = comparable(child.take(), collection.kind);
            }
        }
    }
    resource
}

fn strip(members: &mut Map<String, Value>, fields: &[Field]) {
    for field in fields {
        if field.is_read_only {
            members.remove(field.name);
            continue;
        }
        let Some(value) = members.get_mut(field.name) else { continue };
        match field.shape {
            Shape::Object(inner) => strip_object(value, inner),
            Shape::Objects(inner) => {
                value.as_array_mut().into_iter().flatten().for_each(|v| strip_object(v, inner));
            }
            Shape::Elements(inner) => {
                let elements = value.as_array_mut().into_iter().flatten();
                elements
                    .filter_map(|element| element.get_mut("properties"))
                    .for_each(|v| strip_object(v, inner));
            }
            _ => {}
        }
    }
}

fn strip_object(value: &mut Value, fields: &[Field]) {
    if let Some(members) = value.as_object_mut() {
        strip(members, fields);
    }
}

fn strip_volatile(value: &mut Value) {
    match value {
        Value::Object(members) => {
            VOLATILE.iter().for_each(|key| {
                members.remove(*key);
            });
            members.values_mut().for_each(strip_volatile);
        }
        Value::Array(items) => items.iter_mut().for_each(strip_volatile),
        _ => {}
    }
}

/// What differs between two objects, property by property.
fn delta(before: &Value, after: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    compare("", before, after, &mut found);
    found
}

fn compare(path: &str, before: &Value, after: &Value, out: &mut Vec<Value>) {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for key in keys {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                member(&path, old.get(key), new.get(key), out);
            }
        }
        (Value::Array(old), Value::Array(new)) if old != new => {
            let mut children = Vec::new();
            elements(old, new, &mut children);
            out.push(property(path, "Array", Some(before), Some(after), children));
        }
        _ if before != after => out.push(property(path, "Modify", Some(before), Some(after), Vec::new())),
        _ => {}
    }
}

fn member(path: &str, old: Option<&Value>, new: Option<&Value>, out: &mut Vec<Value>) {
    match (old, new) {
        (Some(old), Some(new)) => compare(path, old, new, out),
        (None, Some(new)) if !new.is_null() => {
            out.push(property(path, "Create", None, Some(new), Vec::new()));
        }
        (Some(old), None) if !old.is_null() => {
            out.push(property(path, "Delete", Some(old), None, Vec::new()));
        }
        _ => {}
    }
}

/// Elements of two lists: by name where they have one, by place otherwise.
fn elements(old: &[Value], new: &[Value], out: &mut Vec<Value>) {
    fn name(value: &Value) -> Option<&str> {
        value.get("name").and_then(Value::as_str)
    }
    if !old.iter().chain(new).all(|value| name(value).is_some()) {
        for at in 0..old.len().max(new.len()) {
            element(at, old.get(at), new.get(at), out);
        }
        return;
    }
    let counterpart = |list: &'_ [Value], of: &Value| list.iter().position(|other| name(other) == name(of));
    for (at, value) in new.iter().enumerate() {
        element(at, counterpart(old, value).map(|other| &old[other]), Some(value), out);
    }
    for (at, value) in old.iter().enumerate().filter(|(_, value)| counterpart(new, value).is_none()) {
        element(at, Some(value), None, out);
    }
}

fn element(at: usize, old: Option<&Value>, new: Option<&Value>, out: &mut Vec<Value>) {
    let path = at.to_string();
    match (old, new) {
        (Some(old @ Value::Object(_)), Some(new @ Value::Object(_))) if old != new => {
            let mut children = Vec::new();
            compare("", old, new, &mut children);
            out.push(property(&path, "Modify", None, None, children));
        }
        (old, new) => member(&path, old, new, out),
    }
}

fn property(
    path: &str,
    kind: &str,
    before: Option<&Value>,
    after: Option<&Value>,
    children: Vec<Value>,
) -> Value {
    json!({
        "path": path,
        "propertyChangeType": kind,
        "before": before,
        "after": after,
        "children": if children.is_empty() { Value::Null } else { children.into() },
    })
}

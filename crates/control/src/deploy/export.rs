//! A group as a template: `POST .../exportTemplate`.
//!
//! Deploying it again changes nothing, and deploying it to another group makes the same there: ids inside the group become
//! `resourceId()`, and what only the server writes is left out.

use palisade_model::ResourceId;
use serde_json::{Map, Value, json};

use super::change::comparable;
use super::document::full_name;
use crate::kinds::{Kind, locate};

/// The version that exported resources name: any is accepted.
const API_VERSION: &str = "2024-05-01";

/// The template of these resources of a group, as `GET` answers them.
pub fn template(group: &ResourceId, resources: Vec<Value>) -> Value {
    let found = resources.into_iter().filter_map(|resource| {
        let target = locate(&ResourceId::new(resource["id"].as_str()?)).ok()?;
        Some(exported(group, &target.id, target.kind, resource))
    });
    json!({"template": {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "parameters": {},
        "variables": {},
        "resources": found.collect::<Vec<_>>(),
    }})
}

fn exported(group: &ResourceId, id: &ResourceId, kind: &Kind, resource: Value) -> Value {
    let resource = comparable(resource, kind);
    let mut members = Map::new();
    members.insert("type".to_owned(), kind.name.into());
    members.insert("apiVersion".to_owned(), API_VERSION.into());
    members.insert("name".to_owned(), escaped(&full_name(id, kind.name)).into());
    let mut depends_on = Vec::new();
    for (key, value) in resource.as_object().into_iter().flatten() {
        if !["id", "name", "type", "systemData"].contains(&key.as_str()) && !value.is_null() {
            members.insert(key.clone(), relative(value, group, id, &mut depends_on));
        }
    }
    if !depends_on.is_empty() {
        members.insert("dependsOn".to_owned(), depends_on.into());
    }
    members.into()
}

/// A value with ids of the group as expressions; each id of another resource is noted.
fn relative(value: &Value, group: &ResourceId, own: &ResourceId, depends_on: &mut Vec<Value>) -> Value {
    match value {
        Value::String(text) => match expression(text, group) {
            Some((expression, top)) => {
                if top != *own {
                    let top = expression_of(&top).map_or(Value::Null, Value::from);
                    if !top.is_null() && !depends_on.contains(&top) {
                        depends_on.push(top);
                    }
                }
                expression.into()
            }
            None => escaped(text).into(),
        },
        Value::Array(items) => items.iter().map(|item| relative(item, group, own, depends_on)).collect(),
        Value::Object(members) => {
            let kept = members.iter().filter(|(key, value)| !is_own_id(key, value, own));
            let mut told = Map::new();
            for (key, value) in kept {
                told.insert(key.clone(), relative(value, group, own, depends_on));
            }
            told.into()
        }
        other => other.clone(),
    }
}

/// Whether a member is the id of a part of the resource itself, which the server makes.
fn is_own_id(key: &str, value: &Value, own: &ResourceId) -> bool {
    let prefix = format!("{}/", own.as_str().to_ascii_lowercase());
    key == "id" && value.as_str().is_some_and(|id| id.to_ascii_lowercase().starts_with(&prefix))
}

/// The expression of an id inside the group, and the resource that the id belongs to.
fn expression(text: &str, group: &ResourceId) -> Option<(String, ResourceId)> {
    let prefix = format!("{}/", group.as_str().to_ascii_lowercase());
    if !text.to_ascii_lowercase().starts_with(&prefix) {
        return None;
    }
    let target = locate(&ResourceId::new(text)).ok()?;
    Some((expression_of(&target.id)?, target.top))
}

fn expression_of(id: &ResourceId) -> Option<String> {
    let kind = locate(id).ok()?.kind.name;
    let names: Vec<String> =
        full_name(id, kind).split('/').map(|name| format!("'{}'", name.replace('\'', "''"))).collect();
    Some(format!("[resourceId('{kind}', {})]", names.join(", ")))
}

/// A text that is no expression although it may look like one.
fn escaped(text: &str) -> String {
    if text.starts_with('[') { format!("[{text}") } else { text.to_owned() }
}

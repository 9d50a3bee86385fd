//! What a file is, told by its content alone: a template, its parameters, a Terraform plan, or a dump of resources.
//!
//! Names of files tell nothing here. A file that says nothing about an estate is named as such, and one of no known shape
//! is reported by the caller; nothing is dropped in silence.

use crate::json::Node;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// An ARM template, written by hand or exported.
    Template,
    /// Parameters of a template.
    Parameters,
    /// The JSON of a Terraform plan or state.
    Terraform,
    /// Resources as `az`, the REST API or Resource Graph print them.
    Dump,
    /// Of a known shape that says nothing about an estate, and what it is.
    Other(&'static str),
    /// Of no known shape.
    Unknown,
}

/// Tells what the file with this root is.
pub(super) fn shape(root: &Node) -> Shape {
    let schema = root.get("$schema").and_then(Node::as_str).unwrap_or_default().to_ascii_lowercase();
    let has = |key: &str| root.get(key).is_some();
    if root.as_array().is_some() {
        Shape::Dump
    } else if root.as_object().is_none() {
        Shape::Unknown
    } else if schema.contains("deploymenttemplate") || (has("resources") && has("contentVersion")) {
        Shape::Template
    } else if schema.contains("deploymentparameters") || (has("parameters") && has("contentVersion")) {
        Shape::Parameters
    } else if schema.contains("createuidefinition") {
        Shape::Other("a portal form definition")
    } else if has("format_version") && (has("planned_values") || has("values") || has("resource_changes")) {
        Shape::Terraform
    } else if has("changeNumber") && has("values") {
        Shape::Other("a service tag file; give it with --service-tags")
    } else if has("itemDisplayName") || schema.contains("metadata") {
        Shape::Other("the metadata of a template")
    } else if is_resource(root) || list(root).is_some() || wrapped(root).is_some() {
        Shape::Dump
    } else {
        Shape::Unknown
    }
}

/// The resources of a dump, and whether the list goes on elsewhere.
pub(super) fn resources(root: &Node) -> (Vec<&Node>, bool) {
    if let Some(items) = root.as_array() {
        return (items.iter().collect(), false);
    }
    if let Some((items, more)) = list(root).filter(|_| !is_resource(root)) {
        return (items.iter().collect(), more);
    }
    (wrapped(root).filter(|_| !is_resource(root)).unwrap_or_else(|| vec![root]), false)
}

/// The list of a REST answer (`value`) or of a Resource Graph answer (`data`), and whether a page follows.
fn list(root: &Node) -> Option<(&[Node], bool)> {
    let items = ["value", "data"].iter().find_map(|key| root.get(key)?.as_array())?;
    let next = ["nextLink", "skip_token", "$skipToken"].iter().filter_map(|key| root.get(key));
    let more = next.into_iter().any(|token| token.as_str().is_some_and(|token| !token.is_empty()));
    Some((items, more))
}

/// The resources in what `az ... create` prints: `{"NewNSG": {...}}`.
fn wrapped(root: &Node) -> Option<Vec<&Node>> {
    let members = root.as_object()?.members();
    let all = !members.is_empty() && members.iter().all(|member| member.value.get("id").is_some());
    all.then(|| members.iter().map(|member| &member.value).collect())
}

/// Whether an object looks like one resource.
fn is_resource(root: &Node) -> bool {
    let text = |key: &str| root.get(key).is_some_and(|value| value.as_str().is_some());
    text("id") || text("type") || root.get("properties").is_some() || super::identity::infer(root).is_some()
}

//! ARM ids: which kind of resource one names, under which group and parent, in canonical spelling.
//!
//! Names keep the caller's spelling; the words between them are the table's. Nothing is looked up here.

use palisade_model::ResourceId;

use super::{Kind, find, resources, security};
use crate::ControlError;

/// What an id names.
#[derive(Debug, Clone)]
pub struct Target {
    /// The id in canonical spelling.
    pub id: ResourceId,
    /// Its kind.
    pub kind: &'static Kind,
    /// The resource that it belongs to: itself, unless it is a child.
    pub top: ResourceId,
    /// The parent, of a child.
    pub parent: Option<ResourceId>,
    /// The scope that the provider's part begins at: a group, a subscription, or the resource that an extension is about.
    pub scope: ResourceId,
}

impl Target {
    /// Whether it is a child.
    pub const fn is_child(&self) -> bool {
        self.parent.is_some()
    }

    /// The resource group that it is in, or is.
    pub fn group(&self) -> Option<ResourceId> {
        group_of(&self.id)
    }

    /// The subscription.
    pub fn subscription(&self) -> &str {
        self.id.segment("subscriptions").unwrap_or_default()
    }
}

/// The resource group of an id.
pub(crate) fn group_of(id: &ResourceId) -> Option<ResourceId> {
    let (subscription, group) = (id.segment("subscriptions")?, id.segment("resourceGroups")?);
    Some(ResourceId::new(&format!("/subscriptions/{subscription}/resourceGroups/{group}")))
}

/// The kind and the parts of an id; else why it names nothing that is served.
pub fn locate(id: &ResourceId) -> Result<Target, ControlError> {
    let parts: Vec<&str> = id.as_str().split('/').skip(1).collect();
    if !id.as_str().starts_with('/') || parts.iter().any(|part| part.is_empty()) {
        return Err(invalid(id));
    }
    let is = |at: usize, word: &str| parts.get(at).is_some_and(|part: &&str| part.eq_ignore_ascii_case(word));
    if parts.len() < 4 || !is(0, "subscriptions") {
        return Err(invalid(id));
    }
    if parts.len() == 4 && is(2, "resourceGroups") {
        let id = scope(&parts)?;
        return Ok(Target { top: id.clone(), scope: id.clone(), id, kind: &resources::GROUPS, parent: None });
    }
    let at =
        parts.iter().rposition(|part| part.eq_ignore_ascii_case("providers")).ok_or_else(|| invalid(id))?;
    let scope = scope(&parts[..at])?;
    typed(id, scope, &parts[at + 1..])
}

/// The scope in front of a provider's part: a subscription, a group, or another resource.
fn scope(parts: &[&str]) -> Result<ResourceId, ControlError> {
    let text = match parts {
        ["subscriptions" | "Subscriptions", subscription] => format!("/subscriptions/{subscription}"),
        [_, subscription] => format!("/subscriptions/{subscription}"),
        [_, subscription, groups, group] if groups.eq_ignore_ascii_case("resourceGroups") => {
            format!("/subscriptions/{subscription}/resourceGroups/{group}")
        }
        _ => return Ok(locate(&ResourceId::new(&format!("/{}", parts.join("/"))))?.id),
    };
    Ok(ResourceId::new(&text))
}

/// Walks `Namespace/type/name/type/name` down the table.
fn typed(id: &ResourceId, scope: ResourceId, path: &[&str]) -> Result<Target, ControlError> {
    let (namespace, pairs) = path.split_first().ok_or_else(|| invalid(id))?;
    let (Some(segment), Some(name)) = (pairs.first(), pairs.get(1)) else { return Err(invalid(id)) };
    if let Some(policy) = policy(&scope, namespace, pairs) {
        return Ok(policy);
    }
    let mut kind = find(&format!("{namespace}/{segment}")).ok_or_else(|| unknown(namespace, segment))?;
    let top = ResourceId::new(&format!("{scope}/providers/{}/{name}", kind.name));
    let (mut own, mut parent) = (top.clone(), None);
    for pair in pairs[2..].chunks(2) {
        let [segment, name] = pair else { return Err(invalid(id)) };
        let collection = kind.collection(segment);
        let collection =
            collection.ok_or_else(|| unknown(namespace, &format!("{}/{segment}", kind.segment())))?;
        kind = collection.kind;
        let child = own.child(collection.segment, name);
        parent = Some(std::mem::replace(&mut own, child));
    }
    Ok(Target { id: own, kind, top, parent, scope })
}

/// A policy for time-limited access: its region stands in its id like a resource that it is a child of, and is none.
fn policy(scope: &ResourceId, namespace: &str, pairs: &[&str]) -> Option<Target> {
    let [locations, location, policies, name] = pairs else { return None };
    let is_policy = security::POLICIES.is(&format!("{namespace}/{locations}/{policies}"));
    let location = canonical_location(location);
    let id = || {
        ResourceId::new(&format!(
            "{scope}/providers/Microsoft.Security/locations/{location}/jitNetworkAccessPolicies/{name}"
        ))
    };
    is_policy.then(|| Target {
        id: id(),
        top: id(),
        parent: None,
        scope: scope.clone(),
        kind: &security::POLICIES,
    })
}

/// A region's name as Azure writes it: `West Europe` is `westeurope`.
pub fn canonical_location(location: &str) -> String {
    location.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_lowercase()).collect()
}

fn invalid(id: &ResourceId) -> ControlError {
    ControlError::bad("InvalidResourceId", format!("'{id}' is not the id of a resource"))
}

fn unknown(namespace: &str, kind: &str) -> ControlError {
    let served: Vec<&str> = super::TOP_LEVEL.iter().map(|kind| kind.name).collect();
    let message = format!(
        "The resource type '{kind}' could not be found in the namespace '{namespace}'. The supported types are '{}'.",
        served.join(", ")
    );
    ControlError::new(404, "InvalidResourceType", message)
}

//! Resource groups: where everything is, and what goes with them.
//!
//! A group goes with all that is in it, or stays. If that is more than one transaction can hold, the group is marked first
//! in a transaction that everything else depends on: from then on nothing can be written into it or refer into it, so that
//! the rest cannot fail, and any server that finds the mark finishes.

use palisade_model::ResourceId;
use serde_json::{Value, json};

use super::{Done, Draft, body, lock, put};
use crate::kinds::{self, Target};
use crate::world::Document;
use crate::{ControlError, Effect, World};

/// Longest name of a group.
const NAME_LENGTH_MAX: usize = 90;
/// Most documents that are taken away in one transaction with the group.
const AT_ONCE_MAX: usize = 50;

/// Whether a resource may be written where the target says.
pub(super) fn check_place(world: &World, target: &Target) -> Result<(), ControlError> {
    if let Some(group) = target.group() {
        if world.document(&group).is_none() {
            return Err(ControlError::group_not_found(group.name()));
        }
        if is_going(world, &group) {
            return Err(going(&group));
        }
    }
    if let Some(parent) = target.parent.as_ref().filter(|parent| world.document(parent).is_none()) {
        let message = format!(
            "Can not perform requested operation on nested resource. Parent resource '{}' not found.",
            parent.name()
        );
        return Err(ControlError::new(404, "ParentResourceNotFound", message).about(parent.as_str()));
    }
    // A lock may be about another resource.
    if target.scope.segment("providers").is_some() && world.document(&target.scope).is_none() {
        return Err(ControlError::not_found(&target.scope));
    }
    Ok(())
}

/// Whether the group that a resource is in, or is, is being deleted.
pub(super) fn is_going(world: &World, id: &ResourceId) -> bool {
    let group = kinds::group_of(id).and_then(|group| world.document(&group));
    group.is_some_and(|group| group.properties()["provisioningState"] == "Deleting")
}

fn going(group: &ResourceId) -> ControlError {
    let message = format!(
        "The resource group '{}' is in deprovisioning state and cannot perform this operation.",
        group.name()
    );
    ControlError::new(409, "ResourceGroupBeingDeleted", message)
}

/// Plans the PUT of a group.
pub(super) fn put(draft: &mut Draft<'_>, target: &Target, body: &Value) -> Result<Done, ControlError> {
    check_name(target.id.name())?;
    let stored = draft.world().document(&target.id).cloned();
    if is_going(draft.world(), &target.id) {
        return Err(going(&target.id));
    }
    let mut own = body::read(target.kind, body)?.own;
    let given = own.get("location").and_then(Value::as_str).filter(|location| !location.is_empty());
    let Some(given) = given else {
        let message = "The location property is required for this definition.";
        return Err(ControlError::bad("LocationRequired", message).about("location"));
    };
    if let Some(before) =
        stored.as_ref().and_then(|stored| stored.location()).filter(|before| *before != given)
    {
        let message = format!(
            "Invalid resource group location '{given}'. The Resource group already exists in location '{before}'."
        );
        return Err(ControlError::new(409, "InvalidResourceGroupLocation", message));
    }
    own.insert("properties".to_owned(), json!({"provisioningState": "Succeeded"}));
    let document = Document::new(target.id.clone(), target.kind, Value::Object(own), put::new_etag(), 0);
    if stored.as_ref().is_some_and(|stored| stored.says_as(&document)) {
        return Ok(Effect::Unchanged.into());
    }
    lock::check_write(draft.world(), &target.id)?;
    draft.put(document);
    Ok(if stored.is_some() { Effect::Updated } else { Effect::Created }.into())
}

/// Makes the group of a deployment that says where, if there is none. The engine says it in the first write of a deployment that
/// has passed every check, so that a refused one leaves no group.
pub(super) fn found(draft: &mut Draft<'_>, target: &Target, deployment: &Value) -> Result<(), ControlError> {
    let Some(group) = target.group().filter(|group| draft.world().document(group).is_none()) else {
        return Ok(());
    };
    let Some(location) = deployment.get("location") else { return Ok(()) };
    put(draft, &kinds::locate(&group)?, &json!({"location": location})).map(drop)
}

/// Plans the DELETE of a group and of all that is in it.
pub(super) fn delete(draft: &mut Draft<'_>, id: &ResourceId) -> Result<Done, ControlError> {
    let Some(stored) = draft.world().document(id).cloned() else { return Ok(Effect::Absent.into()) };
    if is_going(draft.world(), id) {
        return Err(going(id));
    }
    lock::check_group(draft.world(), id)?;
    let inside: Vec<ResourceId> = draft.world().under(id).map(|document| document.id().clone()).collect();
    for resource in &inside {
        super::delete::check_unused(draft.world(), resource, id)?;
    }
    if inside.len() <= AT_ONCE_MAX {
        for resource in inside.iter().rev() {
            draft.remove(resource);
        }
        draft.remove(id);
        return Ok(Effect::Deleted.into());
    }
    let mut body = stored.body().clone();
    body["properties"]["provisioningState"] = "Deleting".into();
    draft.put(Document::new(stored.id().clone(), stored.kind(), body, put::new_etag(), 0));
    Ok(Done { unfinished: Some(id.clone()), ..Effect::Deleted.into() })
}

/// Takes away a part of what is in a marked group, those first that others do not name, and at last the group itself; whether
/// it is gone.
pub(crate) fn finish(draft: &mut Draft<'_>, id: &ResourceId) -> bool {
    const ORDER: [&[&str]; 3] = [
        &[kinds::VM, kinds::FLOW_LOG, kinds::PEERING],
        &[kinds::NIC, kinds::ADMIN_COLLECTION, kinds::ADMIN_RULE, kinds::STATIC_MEMBER],
        &[kinds::NETWORK, kinds::SUBNET, kinds::RULE],
    ];
    let rank = |document: &Document| {
        ORDER.iter().position(|kinds| kinds.contains(&document.kind().name)).unwrap_or(ORDER.len())
    };
    let mut inside: Vec<(usize, ResourceId)> =
        draft.world().under(id).map(|document| (rank(document), document.id().clone())).collect();
    // Children come before their parents: a longer id sorts behind its beginning.
    inside.sort_by(|one, other| one.0.cmp(&other.0).then_with(|| other.1.cmp(&one.1)));
    for (_, resource) in inside.iter().take(AT_ONCE_MAX) {
        draft.remove(resource);
    }
    let is_last = inside.len() <= AT_ONCE_MAX;
    if is_last {
        draft.remove(id);
    }
    is_last
}

fn check_name(name: &str) -> Result<(), ControlError> {
    let is_valid = |c: char| c.is_alphanumeric() || "_-.()".contains(c);
    if (1..=NAME_LENGTH_MAX).contains(&name.chars().count())
        && name.chars().all(is_valid)
        && !name.ends_with('.')
    {
        return Ok(());
    }
    let message = format!(
        "The provided resource group name '{name}' is invalid. It has 1 to {NAME_LENGTH_MAX} characters: letters, digits, \
         '_', '-', '(', ')' and '.', and does not end with '.'."
    );
    Err(ControlError::bad("InvalidResourceGroupName", message))
}

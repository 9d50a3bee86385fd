//! Lists: of one kind in a subscription, a group or a parent; of groups; of everything.

use axum::{Json, response::IntoResponse};
use palisade_control::{
    ControlError, Document, World,
    kinds::{self, Kind},
};
use palisade_model::ResourceId;
use serde_json::{Value, json};

use super::{
    call::Call,
    filter::Filter,
    paging::Page,
    resources::{missing, shown},
};
use crate::error::{Answer, ApiError};

/// Resources of one kind.
pub(super) fn of_kind(call: &Call, kind: &'static Kind) -> Answer {
    let scope = scope_of(&call.found.id, kind);
    of_scope(call, &scope, kind.name, |_| true)
}

/// Resources of one kind in a scope, those that `admits` lets through.
pub(super) fn of_scope(
    call: &Call,
    scope: &ResourceId,
    kind: &str,
    admits: impl Fn(&ResourceId) -> bool,
) -> Answer {
    let ids = call.app.control.read(|world| {
        check_scope(call, world, scope)?;
        Ok::<_, ApiError>(world.list(scope, kind).into_iter().filter(admits).collect::<Vec<_>>())
    })?;
    page(call, call.visible(scope, ids)?, |world, id| shown(call, world, id))
}

/// Resource groups.
pub(super) fn groups(call: &Call) -> Answer {
    let scope = scope_of(&call.found.id, call_kind(kinds::GROUP)?);
    let filter = Filter::parse(call.query.get("$filter"))?;
    let ids = call.app.control.read(|world| filtered(world, world.list(&scope, kinds::GROUP), &filter));
    page(call, call.visible(&scope, ids)?, World::render)
}

/// Resources of every kind, as short as Azure tells them.
pub(super) fn resources(call: &Call) -> Answer {
    let scope = call.found.id.as_str().rsplit_once('/').map_or(call.found.id.as_str(), |(scope, _)| scope);
    let scope = ResourceId::new(scope);
    let filter = Filter::parse(call.query.get("$filter"))?;
    let ids = call.app.control.read(|world| {
        check_scope(call, world, &scope)?;
        Ok::<_, ApiError>(filtered(world, world.resources(&scope), &filter))
    })?;
    let is_expanded = call.query.get("$expand").is_some();
    page(call, call.visible(&scope, ids)?, |world, id| Some(short(world.document(id)?, is_expanded)))
}

fn call_kind(name: &str) -> Result<&'static Kind, ApiError> {
    kinds::find(name).ok_or_else(ApiError::internal)
}

/// What a list's path is in: the path without its collection, and without the provider where that is all there is.
fn scope_of(id: &ResourceId, kind: &Kind) -> ResourceId {
    let text = id.as_str();
    let without = text.strip_suffix(&format!("/providers/{}", kind.name));
    let without = without.or_else(|| text.rsplit_once('/').map(|(parent, _)| parent));
    ResourceId::new(without.unwrap_or(text))
}

/// Whether what a list is in is there; the subscription always is. Who may not read there is not told.
fn check_scope(call: &Call, world: &World, scope: &ResourceId) -> Result<(), ApiError> {
    let Some(group) = scope.segment("resourceGroups") else { return Ok(()) };
    if world.document(scope).is_some() {
        return Ok(());
    }
    call.may(scope)?;
    let is_group = scope.as_str().split('/').count() == 5;
    Err(if is_group { ControlError::group_not_found(group).into() } else { missing(world, scope) })
}

fn filtered(world: &World, ids: Vec<ResourceId>, filter: &Filter) -> Vec<ResourceId> {
    let admits = |id: &ResourceId| world.document(id).is_some_and(|document| filter.admits(document));
    ids.into_iter().filter(admits).collect()
}

/// A resource as lists of everything tell it.
fn short(document: &Document, is_expanded: bool) -> Value {
    let mut item = json!({
        "id": document.id().as_str(),
        "name": document.id().name(),
        "type": document.kind().name,
    });
    for member in ["location", "tags", "sku", "kind", "managedBy", "zones"] {
        if let Some(value) = document.body().get(member) {
            item[member] = value.clone();
        }
    }
    if is_expanded {
        item["provisioningState"] = json!("Succeeded");
    }
    item
}

/// One page of `ids`, told by `tell`.
fn page(call: &Call, ids: Vec<ResourceId>, tell: impl Fn(&World, &ResourceId) -> Option<Value>) -> Answer {
    let (ids, next) = Page::of(&call.query)?.cut(ids);
    // What went away since it was listed is left out.
    let value: Vec<_> = call.app.control.read(|world| ids.iter().filter_map(|id| tell(world, id)).collect());
    let mut body = json!({ "value": value });
    if let Some(token) = next {
        let query = call.query.without("$skipToken");
        body["nextLink"] = json!(format!("{}{}?{query}&$skipToken={token}", call.base, call.raw_path));
    }
    Ok(Json(body).into_response())
}

//! One resource, child or group: read, written, taken away.

use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use palisade_control::{
    Action, ControlError, Effect, World, access,
    fleet::InForce,
    kinds::{self, Target},
    time,
};
use palisade_model::ResourceId;
use serde_json::Value;

use super::{call::Call, intents::warned, lro};
use crate::{
    error::{Answer, ApiError},
    headers::{insert, precondition},
};

/// A resource as an answer, with its ETag.
pub(super) fn rendered(status: StatusCode, body: Value) -> Response {
    let etag = body["etag"].as_str().map(str::to_owned);
    let mut response = (status, Json(body)).into_response();
    if let Some(etag) = etag {
        insert(response.headers_mut(), header::ETAG, &etag);
    }
    response
}

/// GET.
pub(super) fn read(call: &Call) -> Answer {
    let id = &call.found.id;
    let body = call.app.control.read(|world| shown(call, world, id).ok_or_else(|| missing(world, id)))?;
    Ok(rendered(StatusCode::OK, body))
}

/// A resource as it is shown to whoever reads it: its provisioning state tells whether it is in force.
pub(super) fn shown(call: &Call, world: &World, id: &ResourceId) -> Option<Value> {
    let Target { top, kind, .. } = kinds::locate(id).ok()?;
    let mut body = world.render(id)?;
    if kind.is(kinds::JIT) {
        body = access::shown(body, time::unix_seconds(call.app.now()));
    }
    let state = match call.app.control.fleet().in_force(&top) {
        InForce::Yes => return Some(body),
        InForce::NotYet => lro::UPDATING,
        InForce::No => lro::FAILED,
    };
    // Another state, such as that of a group which is going, tells more.
    if let Some(shown) = body.pointer_mut("/properties/provisioningState").filter(|own| *own == "Succeeded") {
        *shown = state.into();
    }
    Some(body)
}

/// HEAD: whether it is there.
pub(super) fn exists(call: &Call) -> Answer {
    let is_there = call.app.control.read(|world| world.document(&call.found.id).is_some());
    let status = if is_there { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND };
    Ok(status.into_response())
}

/// PUT.
pub(super) async fn put(call: &Call) -> Answer {
    let action = Action::Put {
        id: call.found.id.clone(),
        body: call.body()?.clone(),
        precondition: precondition(&call.headers),
    };
    let outcome = call.app.control.act(&call.caller, action).await?;
    // Clients of Defender for Cloud take no 201, and follow no operation.
    let is_policy = kinds::locate(&call.found.id)?.kind.is(kinds::JIT);
    if is_policy {
        lro::settle(call, outcome.operation.as_deref()).await;
    }
    let is_new = outcome.effect == Effect::Created && !is_policy;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let body = outcome.resource.unwrap_or_default();
    Ok(warned(lro::written(call, status, outcome.operation.as_deref(), body), &outcome.warnings))
}

/// PATCH: tags, which no host acts on.
pub(super) async fn patch(call: &Call) -> Answer {
    let action = Action::Patch {
        id: call.found.id.clone(),
        body: call.body()?.clone(),
        precondition: precondition(&call.headers),
    };
    let outcome = call.app.control.act(&call.caller, action).await?;
    let body = outcome.resource.unwrap_or_default();
    Ok(warned(lro::written(call, StatusCode::OK, outcome.operation.as_deref(), body), &outcome.warnings))
}

/// DELETE.
pub(super) async fn delete(call: &Call) -> Answer {
    let id = call.found.id.clone();
    let is_group = kinds::locate(&id)?.kind.is(kinds::GROUP);
    let action = Action::Delete { id: id.clone(), precondition: precondition(&call.headers) };
    let outcome = call.app.control.act(&call.caller, action).await?;
    if outcome.effect != Effect::Absent {
        return Ok(warned(lro::deleted(call, outcome.operation.as_deref()), &outcome.warnings));
    }
    // Azure's answers: a group must be there, anything else need not.
    if is_group {
        Err(ControlError::group_not_found(id.name()).into())
    } else {
        Ok(StatusCode::NO_CONTENT.into_response())
    }
}

/// `defaultSecurityRules` of an NSG: all, or the one of the last name.
pub(super) fn defaults(call: &Call, is_one: bool) -> Answer {
    let mut names = call.found.id.as_str().rsplit_once("/defaultSecurityRules").into_iter();
    let nsg = names.next().map_or_else(|| call.found.id.clone(), |(nsg, _)| ResourceId::new(nsg));
    let body = call.app.control.read(|world| world.render(&nsg).ok_or_else(|| missing(world, &nsg)))?;
    let rules = body["properties"]["defaultSecurityRules"].as_array().cloned().unwrap_or_default();
    if !is_one {
        return Ok(Json(serde_json::json!({ "value": rules })).into_response());
    }
    let name = call.found.id.name();
    let is_named = |rule: &Value| rule["name"].as_str().is_some_and(|own| own.eq_ignore_ascii_case(name));
    let rule = rules.into_iter().find(is_named).ok_or_else(|| no_child(&call.found.id))?;
    Ok(rendered(StatusCode::OK, rule))
}

/// Why a resource that is not there is not: its group, its parent, or itself.
pub(super) fn missing(world: &World, id: &ResourceId) -> ApiError {
    let Ok(Target { id, top, parent, kind, .. }) = kinds::locate(id) else {
        return ControlError::not_found(id).into();
    };
    let group =
        Target::group(&Target { id: id.clone(), top: top.clone(), parent: None, kind, scope: id.clone() });
    if let Some(group) = group.filter(|group| world.document(group).is_none()) {
        return ControlError::group_not_found(group.name()).into();
    }
    if parent.is_none() || world.document(&top).is_none() {
        return ControlError::not_found(&top).into();
    }
    no_child(&id)
}

fn no_child(id: &ResourceId) -> ApiError {
    ApiError::not_found("NotFound", format!("Resource {id} not found."))
}

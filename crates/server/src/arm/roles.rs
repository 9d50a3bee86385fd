//! Roles and who has them, as `az role` reads and writes them. What is allowed is [`crate::access`]'s to say.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use palisade_model::ResourceId;
use serde_json::{Value, json};

use super::{call::Call, routes::Roles};
use crate::{
    access::{assignments, definitions},
    error::Answer,
};

pub(super) async fn answer(call: &Call, what: Roles) -> Answer {
    let control = &call.app.control;
    let scope = call.found.scope.clone().unwrap_or_else(|| ResourceId::new(""));
    let name = call.found.names.last().map_or("", String::as_str);
    let filter = call.query.get("$filter").unwrap_or_default();
    let one = |value: Value| Json(value).into_response();
    Ok(match what {
        Roles::Definitions => list(&control.read(|world| definitions::list(world, &scope, filter))?),
        Roles::Definition => one(control.read(|world| definitions::get(world, name))?),
        Roles::Define => {
            put(definitions::put(control, &call.caller, &call.principal, name, call.body()?).await?)
        }
        Roles::Undefine => gone(definitions::delete(control, &call.caller, &call.principal, name).await?),
        Roles::Assignments => list(&control.read(|world| assignments::list(world, &scope, filter))?),
        Roles::Assignment => one(control.read(|world| assignments::get(world, &scope, name))?),
        Roles::Assign => {
            put(assignments::put(control, &call.caller, &call.principal, &scope, name, call.body()?).await?)
        }
        Roles::Unassign => {
            gone(assignments::delete(control, &call.caller, &call.principal, &scope, name).await?)
        }
        Roles::Permissions => {
            list(&control.read(|world| definitions::permissions(world, &call.principal, &scope))?)
        }
    })
}

fn list(value: &[Value]) -> Response {
    Json(json!({ "value": value })).into_response()
}

/// Azure answers 201 to both, and clients look no closer; what is new is told truly all the same.
fn put((is_new, value): (bool, Value)) -> Response {
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    (status, Json(value)).into_response()
}

/// What was deleted is shown once more.
fn gone(value: Option<Value>) -> Response {
    match value {
        Some(value) => Json(value).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

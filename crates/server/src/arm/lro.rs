//! Long-running operations on the wire.
//!
//! A write that hosts must act on is answered at once and followed at `Azure-AsyncOperation` and `Location`. Clients
//! differ in which one they read and how long they wait without `Retry-After`, so all three are always sent, with absolute
//! URLs. A question for one that goes on is held back a little, for hosts mostly confirm within milliseconds. Reference: Resource Manager's asynchronous operations; ADR 0026.

use std::time::Duration;

use axum::{
    Json,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use palisade_control::{ControlError, fleet::OperationState};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::call::Call;
use crate::{
    error::{Answer, ApiError},
    headers::insert,
};

const ASYNC_OPERATION: HeaderName = HeaderName::from_static("azure-asyncoperation");
/// The provisioning state of a resource that hosts have still to put in force.
pub(super) const UPDATING: &str = "Updating";
/// That of one that a host did not put in force.
pub(super) const FAILED: &str = "Failed";
/// How long to wait before asking again. Without it some clients wait half a minute.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");
/// How long a question waits for the end of an operation before it is told that it goes on.
const HELD_BACK: Duration = Duration::from_millis(100);
/// How long a write waits for hosts whose clients do not follow operations.
const SETTLED_WITHIN: Duration = Duration::from_secs(5);

/// Whether an operation is still under way.
pub(super) fn is_running(call: &Call, operation: &str) -> bool {
    matches!(call.app.control.operation(operation), Some(OperationState::InProgress))
}

/// Waits a little for an operation whose clients know nothing of operations: to them an answer says that it is done.
pub(super) async fn settle(call: &Call, operation: Option<&str>) {
    if let Some(operation) = operation {
        call.app.control.fleet().wait(operation, Instant::now() + SETTLED_WITHIN).await;
    }
}

/// Headers that lead to an operation.
pub(super) fn follow(call: &Call, operation: &str, location: &str, headers: &mut HeaderMap) {
    let subscription = &call.app.site.subscription;
    let version = call.query.get("api-version").unwrap_or_default();
    let url = |collection: &str| {
        format!(
            "{}/subscriptions/{subscription}/providers/Microsoft.Network/locations/{location}/{collection}/{operation}\
             ?api-version={version}",
            call.base
        )
    };
    insert(headers, ASYNC_OPERATION, &url("operations"));
    insert(headers, header::LOCATION, &url("operationResults"));
    headers.insert(header::RETRY_AFTER, RETRY_AFTER);
}

/// `GET .../operations/{operation}`: how it goes.
pub(super) async fn operation(call: &Call) -> Answer {
    let (state, name) = state(call).await?;
    let mut body = json!({ "id": call.found.id.as_str(), "name": name });
    match &state {
        OperationState::InProgress => body["status"] = json!("InProgress"),
        OperationState::Succeeded => body["status"] = json!("Succeeded"),
        OperationState::Failed { code, message } => {
            body["status"] = json!("Failed");
            body["error"] = json!({ "code": code, "message": message });
        }
    }
    let mut response = Json(body).into_response();
    if state == OperationState::InProgress {
        response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
    }
    Ok(response)
}

/// `GET .../operationResults/{operation}`: what came of it, for clients that follow `Location`.
pub(super) async fn result(call: &Call) -> Answer {
    let (state, name) = state(call).await?;
    match state {
        OperationState::InProgress => {
            let mut response = (StatusCode::ACCEPTED, Json(Value::Null)).into_response();
            let place = call.found.names.get(1).map_or("global", String::as_str);
            follow(call, &name, place, response.headers_mut());
            Ok(response)
        }
        OperationState::Succeeded => Ok(StatusCode::NO_CONTENT.into_response()),
        OperationState::Failed { code, message } => {
            // Not a 5xx: clients would send the request again, and it has been committed.
            Err(ControlError::new(409, code, message).into())
        }
    }
}

async fn state(call: &Call) -> Result<(OperationState, String), ApiError> {
    let name = call.found.names.last().cloned().unwrap_or_default();
    match call.app.control.fleet().wait(&name, Instant::now() + HELD_BACK).await {
        Some(state) => Ok((state, name)),
        None => Err(ApiError::not_found(
            "OperationNotFound",
            format!("The operation '{name}' could not be found: it is unknown, or ended long ago."),
        )),
    }
}

/// The answer to a write.
pub(super) fn written(call: &Call, status: StatusCode, operation: Option<&str>, mut body: Value) -> Response {
    let operation = operation.filter(|operation| is_running(call, operation));
    if operation.is_some() && body["properties"].is_object() {
        body["properties"]["provisioningState"] = json!(UPDATING);
    }
    let location = body["location"].as_str().unwrap_or("global").to_owned();
    let mut response = super::resources::rendered(status, body);
    if let Some(operation) = operation {
        follow(call, operation, &location, response.headers_mut());
    }
    response
}

/// The answer to a deletion. Clients of flow logs take no 200, those of Defender for Cloud no 202.
pub(super) fn deleted(call: &Call, operation: Option<&str>) -> Response {
    match operation.filter(|operation| is_running(call, operation)) {
        Some(operation) => {
            let is_policy = call.found.id.segment("jitNetworkAccessPolicies").is_some();
            let status = if is_policy { StatusCode::OK } else { StatusCode::ACCEPTED };
            let mut response = status.into_response();
            follow(call, operation, "global", response.headers_mut());
            response
        }
        None if call.found.id.segment("flowLogs").is_some() => StatusCode::NO_CONTENT.into_response(),
        None => StatusCode::OK.into_response(),
    }
}

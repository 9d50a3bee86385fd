//! Time-limited access: lists of policies by region, and what is done with requests.
//!
//! Policies are read and written like other resources. Azure's clients know `initiate` alone; approval, early end and extension are
//! beside it. Who may end or extend another's request is asked here; everything else is the control plane's. Reference: docs/jit.md.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use palisade_control::{
    Action, Caller,
    access::{self as requests, AccessVerb, Actor},
    kinds::{self, JIT, canonical_location},
};
use palisade_model::ResourceId;
use serde_json::Value;

use super::{call::Call, intents::warned, lists, lro, routes::Access};
use crate::{
    access,
    error::{Answer, ApiError},
};

/// The permission to approve what somebody else has asked for.
pub(super) const APPROVE: &str = "Palisade.Access/grants/approve/action";
/// The permission to end what somebody else has asked for.
pub(super) const REVOKE: &str = "Palisade.Access/grants/revoke/action";
/// The permission to extend what somebody else has asked for.
pub(super) const EXTEND: &str = "Palisade.Access/grants/extend/action";

pub(super) async fn answer(call: &Call, what: Access) -> Answer {
    match what {
        Access::List => list(call),
        Access::Initiate => {
            let body = call.body()?;
            if body["oneUse"] == true && call.app.watch.get().is_none() {
                let message = "Nobody would see the connection that uses the grant up: this server asks hosts for no flow records \
                               (start it with --detect or --flow-store, or ask without oneUse).";
                return Err(ApiError::new(StatusCode::CONFLICT, "JitOneUseNotWatched", message));
            }
            let verb = AccessVerb::Initiate(body.clone());
            act(call, &policy(call, "/initiate")?, verb, StatusCode::ACCEPTED).await
        }
        Access::Approve => {
            let (policy, name) = named(call)?;
            act(call, &policy, AccessVerb::Approve(name), StatusCode::OK).await
        }
        Access::Revoke => {
            let (policy, name) = named(call)?;
            permit(call, &policy, &name, REVOKE, false)?;
            act(call, &policy, AccessVerb::Close(name), StatusCode::OK).await
        }
        Access::Extend => {
            let (policy, name) = named(call)?;
            permit(call, &policy, &name, EXTEND, true)?;
            let verb = AccessVerb::Extend(name, call.body()?.clone());
            act(call, &policy, verb, StatusCode::OK).await
        }
    }
}

/// Policies of a subscription or a group, in one region or all.
fn list(call: &Call) -> Answer {
    let text = call.found.id.as_str();
    let scope = ResourceId::new(text.rsplit_once("/providers/").map_or(text, |(scope, _)| scope));
    let region = call.found.id.segment("locations").map(canonical_location);
    let is_there = |id: &ResourceId| {
        region.as_ref().is_none_or(|region| id.segment("locations").is_some_and(|own| own == region))
    };
    lists::of_scope(call, &scope, JIT, is_there)
}

/// The policy of a path that goes on with `tail`.
fn policy(call: &Call, tail: &str) -> Result<ResourceId, ApiError> {
    let text = call.found.id.as_str();
    let text = text.strip_suffix(tail).ok_or_else(ApiError::internal)?;
    Ok(kinds::locate(&ResourceId::new(text))?.id)
}

/// The policy and the request of a path: `POLICY/requests/NAME/VERB`.
fn named(call: &Call) -> Result<(ResourceId, String), ApiError> {
    let text = call.found.id.as_str();
    let (policy, rest) = text.rsplit_once("/requests/").ok_or_else(ApiError::internal)?;
    let (name, _) = rest.split_once('/').ok_or_else(ApiError::internal)?;
    Ok((kinds::locate(&ResourceId::new(policy))?.id, name.to_owned()))
}

/// Whether the caller may: with his own request always, but for an extension where somebody else must agree.
fn permit(
    call: &Call,
    policy: &ResourceId,
    name: &str,
    others: &str,
    is_extension: bool,
) -> Result<(), ApiError> {
    let found =
        call.app.control.read(|world| requests::request_of(world.document(policy)?.properties(), name));
    let Some((requester, needs_approval)) = found else { return Ok(()) };
    let authorize = |action| access::authorize(&call.app.control, &call.principal, action, policy);
    if is_extension && needs_approval {
        authorize(APPROVE)?;
    } else if !requester.eq_ignore_ascii_case(&call.caller.principal) {
        authorize(others)?;
    }
    Ok(())
}

async fn act(call: &Call, policy: &ResourceId, verb: AccessVerb, status: StatusCode) -> Answer {
    let Caller { principal, name, address, .. } = &call.caller;
    let actor = Actor { id: principal.clone(), name: name.clone(), address: address.clone() };
    let action = Action::Access { policy: policy.clone(), verb, actor };
    let outcome = call.app.control.act(&call.caller, action).await?;
    lro::settle(call, outcome.operation.as_deref()).await;
    let request = outcome.resource.unwrap_or_default();
    Ok(warned(followed(call, policy, status, outcome.operation.as_deref(), request), &outcome.warnings))
}

/// The request, with the headers that lead to the operation while hosts must still act.
fn followed(
    call: &Call,
    policy: &ResourceId,
    status: StatusCode,
    operation: Option<&str>,
    request: Value,
) -> Response {
    let mut response = (status, axum::Json(request)).into_response();
    if let Some(operation) = operation.filter(|operation| lro::is_running(call, operation)) {
        let location = policy.segment("locations").unwrap_or("global");
        lro::follow(call, operation, location, response.headers_mut());
    }
    response
}

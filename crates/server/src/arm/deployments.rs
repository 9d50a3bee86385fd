//! Deployments of templates on the wire; what a deployment is and does is [`palisade_control::deploy`]'s.
//!
//! A deployment goes on when its client has gone away: it runs in a task of its own, and what it has come to is read from
//! its document, by whichever server is asked.

use std::sync::Arc;

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use palisade_control::{
    World,
    deploy::{self, OnControl, Place, Request},
    time,
};
use palisade_model::ResourceId;
use serde_json::{Value, json};

use super::{call::Call, resources::missing, routes::Deployments};
use crate::{
    access,
    error::{Answer, ApiError},
    event::Event,
    headers::insert,
};

const ASYNC_OPERATION: HeaderName = HeaderName::from_static("azure-asyncoperation");

pub(super) async fn answer(call: &Call, what: Deployments) -> Answer {
    match what {
        Deployments::Create => create(call).await,
        Deployments::Validate => {
            Ok(Json(deploy::validate(&executor(call), &request(call)?)?).into_response())
        }
        Deployments::WhatIf => Ok(Json(deploy::what_if(&executor(call), &request(call)?)?).into_response()),
        Deployments::Operations => {
            Ok(Json(deploy::operations(&stored(call, "/operations")?)).into_response())
        }
        Deployments::Status => status(call),
        Deployments::Export => export(call),
    }
}

/// Checks and begins a deployment, and answers with its document and where to ask how it goes.
async fn create(call: &Call) -> Answer {
    let executor = executor(call);
    let (running, document) = deploy::begin(&executor, request(call)?).await?;
    let events = call.app.events.clone();
    tokio::spawn(async move {
        // A deployment that fails says so in its document; this is that even the document could not be written.
        if let Err(error) = running.finish(&executor).await {
            events.tell(Event::Failed { what: "the end of a deployment", why: error.to_string() });
        }
    });
    let mut response = (StatusCode::CREATED, Json(document)).into_response();
    follow(call, &mut response);
    Ok(response)
}

/// Leads to how the deployment goes.
fn follow(call: &Call, response: &mut Response) {
    let version = call.query.get("api-version").unwrap_or_default();
    let url = format!(
        "{}{}/operationStatuses/{}?api-version={version}",
        call.base, call.found.id, call.caller.correlation
    );
    insert(response.headers_mut(), ASYNC_OPERATION, &url);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
}

/// `GET .../operationStatuses/{id}`: how a deployment goes.
fn status(call: &Call) -> Answer {
    let tail = format!("/operationStatuses/{}", call.found.id.name());
    let document = stored(call, &tail)?;
    let properties = &document["properties"];
    let mut body = json!({ "status": properties["provisioningState"] });
    if let Some(error) = properties.get("error").filter(|error| !error.is_null()) {
        body["error"] = error.clone();
    }
    let mut response = Json(body).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    Ok(response)
}

/// The stored deployment whose path, followed by `tail`, is the request's.
fn stored(call: &Call, tail: &str) -> Result<Value, ApiError> {
    let id = call.found.id.as_str();
    let id = ResourceId::new(id.strip_suffix(tail).unwrap_or(id));
    call.app.control.read(|world| {
        world.render(&id).ok_or_else(|| match missing(world, &id) {
            refusal if refusal.error.code != "ResourceNotFound" => refusal,
            _ => ApiError::not_found(
                "DeploymentNotFound",
                format!("Deployment '{}' could not be found.", id.name()),
            ),
        })
    })
}

/// `POST .../resourceGroups/{group}/exportTemplate`: a template of what is in a group.
fn export(call: &Call) -> Answer {
    let id = call.found.id.as_str();
    let group = ResourceId::new(id.strip_suffix("/exportTemplate").unwrap_or(id));
    let wanted = call.body()?["resources"].as_array().cloned().unwrap_or_default();
    let is_wanted = |id: &ResourceId| {
        let named =
            |text: &Value| text == "*" || text.as_str().is_some_and(|text| ResourceId::new(text) == *id);
        wanted.is_empty() || wanted.iter().any(named)
    };
    let template = call.app.control.read(|world| {
        world.document(&group).ok_or_else(|| missing(world, &group))?;
        let ids = world.resources(&group).into_iter().filter(is_wanted);
        let resources = ids.filter_map(|id| world.render(&id)).collect();
        Ok::<_, ApiError>(deploy::export(&group, resources))
    })?;
    Ok(Json(template).into_response())
}

/// The control plane on behalf of the caller, with the caller's permissions.
fn executor(call: &Call) -> OnControl {
    let (control, principal) = (call.app.control.clone(), call.principal.clone());
    let permission = move |action: &str, id: &ResourceId| access::authorize(&control, &principal, action, id);
    OnControl {
        control: call.app.control.clone(),
        caller: call.caller.clone(),
        permission: Arc::new(permission),
    }
}

fn request(call: &Call) -> Result<Request, ApiError> {
    let scope = call.found.scope.clone().filter(|scope| scope.segment("subscriptions").is_some());
    let scope = scope.ok_or_else(|| {
        ApiError::bad(
            "InvalidDeploymentScope",
            "Templates are deployed to a resource group or to the subscription.",
        )
    })?;
    let location = call.app.control.read(|world| location(world, &scope));
    let place = Place {
        scope,
        name: call.found.names.first().cloned().unwrap_or_default(),
        tenant: call.app.site.tenant.clone(),
        subscription_name: call.app.site.name.clone(),
        location,
        correlation: call.caller.correlation.clone(),
    };
    let now = time::rfc3339(time::unix_seconds(call.app.now()));
    // `utcNow()` answers in ISO 8601's basic form.
    Ok(Request::new(place, call.body()?, now.replace(['-', ':'], ""))?)
}

/// Where a group is; the subscription is nowhere, and neither is a group that is not there.
fn location(world: &World, scope: &ResourceId) -> Option<String> {
    scope.segment("resourceGroups")?;
    Some(world.document(scope)?.location().unwrap_or_default().to_owned())
}

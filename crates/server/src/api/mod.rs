//! Palisade's own API, for what Resource Manager has no words for: hosts, join tokens, principals, the audit log, the state
//! of the server, and a stream of what happens.
//!
//! Like Resource Manager it is a table of rows, so that every row is tried by the test of permissions and described at
//! `/api/openapi.json`. Permissions are asked for at the subscription, those about principals at `/`.

mod alerts;
mod audit;
mod call;
mod credentials;
mod hosts;
mod joins;
mod openapi;
mod operations;
mod preview;
mod principals;
mod status;
#[cfg(test)]
mod tests;
mod timeline;
mod watch;

use std::sync::{Arc, LazyLock};

use axum::{
    Extension,
    extract::{Request, State},
};
use palisade_control::Caller;
use palisade_model::ResourceId;

use self::call::Call;
use crate::{
    access::{self, Principal},
    app::App,
    arm::{Path, Query, Shape},
    error::{Answer, ApiError},
    limits,
};

pub(crate) use openapi::document;
pub(crate) use watch::History;

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The method.
    pub method: &'static str,
    /// The shape of the path.
    pub shape: Shape,
    /// The permission.
    pub action: &'static str,
    handler: Handler,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Handler {
    Status,
    Alerts,
    Alert,
    AcknowledgeAlert,
    Timeline,
    Hosts,
    Host,
    RevokeHost,
    RemoveHost,
    JoinTokens,
    CreateJoinToken,
    DeleteJoinToken,
    Principals,
    Principal,
    CreatePrincipal,
    UpdatePrincipal,
    DeletePrincipal,
    CreateSecret,
    DeleteSecret,
    PutFederated,
    DeleteFederated,
    Audit,
    VerifyAudit,
    Operation,
    Preview,
    Watch,
}

/// Where it is told how the server is; answered even when the store does not answer.
pub(crate) const STATUS_PATH: &str = "/api/v1/status";

const ROWS: &[(&str, &str, &str, Handler)] = &[
    ("GET", STATUS_PATH, "Palisade.Server/status/read", Handler::Status),
    ("GET", "/api/v1/alerts", "Palisade.Guard/alerts/read", Handler::Alerts),
    ("GET", "/api/v1/alerts/{id}", "Palisade.Guard/alerts/read", Handler::Alert),
    (
        "POST",
        "/api/v1/alerts/{id}/acknowledge",
        "Palisade.Guard/alerts/acknowledge/action",
        Handler::AcknowledgeAlert,
    ),
    ("GET", "/api/v1/timeline", "Palisade.Guard/timeline/read", Handler::Timeline),
    ("GET", "/api/v1/hosts", "Palisade.Fleet/hosts/read", Handler::Hosts),
    ("GET", "/api/v1/hosts/{name}", "Palisade.Fleet/hosts/read", Handler::Host),
    ("POST", "/api/v1/hosts/{name}/revoke", "Palisade.Fleet/hosts/revoke/action", Handler::RevokeHost),
    ("DELETE", "/api/v1/hosts/{name}", "Palisade.Fleet/hosts/delete", Handler::RemoveHost),
    ("GET", "/api/v1/joinTokens", "Palisade.Fleet/joinTokens/read", Handler::JoinTokens),
    ("POST", "/api/v1/joinTokens", "Palisade.Fleet/joinTokens/write", Handler::CreateJoinToken),
    ("DELETE", "/api/v1/joinTokens/{id}", "Palisade.Fleet/joinTokens/delete", Handler::DeleteJoinToken),
    // Principals are named after the provider of rights, so that a contributor may not make himself another one.
    ("GET", "/api/v1/principals", "Microsoft.Authorization/principals/read", Handler::Principals),
    ("GET", "/api/v1/principals/{id}", "Microsoft.Authorization/principals/read", Handler::Principal),
    ("POST", "/api/v1/principals", "Microsoft.Authorization/principals/write", Handler::CreatePrincipal),
    (
        "DELETE",
        "/api/v1/principals/{id}",
        "Microsoft.Authorization/principals/delete",
        Handler::DeletePrincipal,
    ),
    (
        "POST",
        "/api/v1/principals/{id}/secrets",
        "Microsoft.Authorization/principals/secrets/write",
        Handler::CreateSecret,
    ),
    (
        "DELETE",
        "/api/v1/principals/{id}/secrets/{secret}",
        "Microsoft.Authorization/principals/secrets/delete",
        Handler::DeleteSecret,
    ),
    (
        "PATCH",
        "/api/v1/principals/{id}",
        "Microsoft.Authorization/principals/write",
        Handler::UpdatePrincipal,
    ),
    (
        "PUT",
        "/api/v1/principals/{id}/federated/{name}",
        "Microsoft.Authorization/principals/federated/write",
        Handler::PutFederated,
    ),
    (
        "DELETE",
        "/api/v1/principals/{id}/federated/{name}",
        "Microsoft.Authorization/principals/federated/delete",
        Handler::DeleteFederated,
    ),
    ("GET", "/api/v1/audit", "Palisade.Server/audit/read", Handler::Audit),
    ("GET", "/api/v1/audit/verify", "Palisade.Server/audit/read", Handler::VerifyAudit),
    ("GET", "/api/v1/operations/{id}", "Palisade.Server/operations/read", Handler::Operation),
    ("POST", "/api/v1/preview", "Palisade.Network/preview/action", Handler::Preview),
    ("GET", "/api/v1/watch", "Palisade.Server/watch/read", Handler::Watch),
];

impl Route {
    /// Where the permission must hold. Principals are of the whole installation: who could give one of them a secret for
    /// less could become its owner.
    fn scope(&self, app: &App) -> ResourceId {
        let of_all = self.action.starts_with("Microsoft.Authorization/");
        if of_all { ResourceId::new("") } else { app.site.scope() }
    }
}

/// Every row.
pub fn routes() -> &'static [Route] {
    static ROUTES: LazyLock<Vec<Route>> =
        LazyLock::new(|| {
            let row = |(method, shape, action, handler): &(&'static str, &str, &'static str, Handler)| {
                Route { method, shape: Shape::new(shape), action, handler: *handler }
            };
            ROWS.iter().map(row).collect()
        });
    &ROUTES
}

/// Answers every path under `/api/`.
pub(crate) async fn handle(
    State(app): State<Arc<App>>,
    Extension(principal): Extension<Principal>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Answer {
    let (parts, body) = request.into_parts();
    let path = Path::parse(parts.uri.path())?;
    let (route, names) = find(parts.method.as_str(), &path)?;
    let query = Query::parse(parts.uri.query().unwrap_or_default())?;
    access::authorize(&app.control, &principal, route.action, &route.scope(&app))?;
    let mut call = Call { app, caller, names, query, headers: parts.headers, body: None };
    if matches!(route.method, "POST" | "PUT" | "PATCH") {
        call.check_content_type()?;
        let bytes = limits::body::read(&call.headers, body).await?;
        call.body = limits::body::json(&bytes)?;
    }
    dispatch(&call, route.handler).await
}

fn find(method: &str, path: &Path) -> Result<(&'static Route, Vec<String>), ApiError> {
    let mut methods = Vec::new();
    for route in routes() {
        let Some(found) = route.shape.matches(path) else { continue };
        if route.method == method {
            return Ok((route, found.names));
        }
        methods.push(route.method);
    }
    if methods.is_empty() {
        return Err(ApiError::not_found("NotFound", format!("Nothing is served at '{path}'.")));
    }
    Err(ApiError::method(method, &methods))
}

async fn dispatch(call: &Call, handler: Handler) -> Answer {
    match handler {
        Handler::Status => status::read(call).await,
        Handler::Alerts => alerts::list(call),
        Handler::Alert => alerts::read(call),
        Handler::AcknowledgeAlert => alerts::acknowledge(call).await,
        Handler::Timeline => timeline::read(call).await,
        Handler::Hosts => hosts::list(call),
        Handler::Host => hosts::read(call),
        Handler::RevokeHost => hosts::revoke(call).await,
        Handler::RemoveHost => hosts::remove(call).await,
        Handler::JoinTokens => joins::list(call),
        Handler::CreateJoinToken => joins::create(call).await,
        Handler::DeleteJoinToken => joins::delete(call).await,
        Handler::Principals => principals::list(call),
        Handler::Principal => principals::read(call),
        Handler::CreatePrincipal => principals::create(call).await,
        Handler::UpdatePrincipal => credentials::update(call).await,
        Handler::DeletePrincipal => principals::delete(call).await,
        Handler::CreateSecret => principals::create_secret(call).await,
        Handler::DeleteSecret => principals::delete_secret(call).await,
        Handler::PutFederated => credentials::put_federated(call).await,
        Handler::DeleteFederated => credentials::delete_federated(call).await,
        Handler::Audit => audit::entries(call).await,
        Handler::VerifyAudit => audit::verify(call).await,
        Handler::Operation => operations::read(call),
        Handler::Preview => preview::create(call).await,
        Handler::Watch => watch::stream(call).await,
    }
}

//! Resource Manager: one handler for every path, because its paths have no case and routers do.
//!
//! A request is taken apart in a fixed order, and the first thing that is wrong is the answer: path, row, method, version of
//! the API, subscription, permission, body. Only then does a handler of the row see it. What is served stands in
//! [`routes`] and nowhere else. Reference: ADR 0026.

mod access;
mod call;
mod connect;
mod deployments;
mod filter;
mod intents;
mod lists;
mod lro;
mod metadata;
mod paging;
mod path;
mod providers;
mod query;
mod questions;
mod resources;
mod roles;
mod routes;
mod shape;
mod subscriptions;
mod tags;

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Request, State},
    http::request::Parts,
};
use palisade_control::{Caller, kinds::TOP_LEVEL};
use palisade_model::ResourceId;

use self::{
    call::Call,
    routes::{Access, Found, Handler},
};
use crate::{
    access::Principal,
    app::App,
    error::{Answer, ApiError},
    headers::base,
    limits,
};

pub(crate) use self::{
    metadata::endpoints,
    path::{Path, decode},
    query::Query,
};
pub use self::{
    paging::PAGE_LENGTH_MAX,
    path::{PATH_LENGTH_MAX, PATH_SEGMENTS_MAX, SEGMENT_LENGTH_MAX},
    routes::{Route, routes},
    shape::Shape,
};

/// Answers every path that is no other's.
pub(crate) async fn handle(
    State(app): State<Arc<App>>,
    Extension(principal): Extension<Principal>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Answer {
    let (parts, body) = request.into_parts();
    let mut call = match take_apart(app, principal, caller, parts) {
        Ok(call) => call,
        Err(refusal) => {
            limits::body::discard(body).await;
            return Err(refusal);
        }
    };
    if matches!(call.route.method, "PUT" | "PATCH" | "POST") {
        let bytes = limits::body::read(&call.headers, body).await?;
        call.body = limits::body::json(&bytes)?;
    }
    dispatch(&call).await
}

/// What is asked for, and whether it may be: all of it but the body.
fn take_apart(
    app: Arc<App>,
    principal: Principal,
    caller: Caller,
    mut parts: Parts,
) -> Result<Call, ApiError> {
    let upgrade = parts.extensions.remove::<hyper::upgrade::OnUpgrade>();
    let raw_path = parts.uri.path().to_owned();
    let path = Path::parse(&raw_path)?;
    let (route, found) = match routes::find(parts.method.as_str(), &path) {
        Found::Route(route, found) => (route, found),
        Found::Methods(methods) => return Err(ApiError::method(parts.method.as_str(), &methods)),
        Found::Nothing => return Err(unknown(&path)),
    };
    let query = Query::parse(parts.uri.query().unwrap_or_default())?;
    check_version(&query)?;
    check_subscription(&app, &found.id)?;
    let base = base(&parts.uri, &parts.headers, &app.endpoint);
    let mut call = Call {
        app,
        principal,
        caller,
        route,
        found,
        query,
        headers: parts.headers,
        base,
        raw_path,
        body: None,
        upgrade,
    };
    permit(&call)?;
    call.caller.overriding = intents::overriding(&call)?;
    Ok(call)
}

/// Refuses what the row's permission does not allow. Lists judge for themselves, item by item.
fn permit(call: &Call) -> Result<(), ApiError> {
    let is_list = matches!(
        call.route.handler,
        Handler::List(_) | Handler::Groups | Handler::Resources | Handler::Access(Access::List)
    );
    if call.route.action.is_empty() || is_list {
        return Ok(());
    }
    call.may(
        call.found.scope.as_ref().filter(|_| is_about_scope(call.route.handler)).unwrap_or(&call.found.id),
    )
}

/// Whether a row with a scope in front acts on that scope, and not on something that stands there.
fn is_about_scope(handler: Handler) -> bool {
    matches!(
        handler,
        Handler::Tags | Handler::TagsWrite | Handler::TagsDelete | Handler::Provider | Handler::Roles(_)
    )
}

async fn dispatch(call: &Call) -> Answer {
    match call.route.handler {
        Handler::Tenants => subscriptions::tenants(call),
        Handler::Subscriptions => subscriptions::list(call),
        Handler::Subscription => subscriptions::one(call),
        Handler::Locations => subscriptions::locations(call),
        Handler::Providers => providers::list(call),
        Handler::Provider => providers::one(call),
        Handler::Groups => lists::groups(call),
        Handler::Resources => lists::resources(call),
        Handler::List(kind) => lists::of_kind(call, kind),
        Handler::Defaults => resources::defaults(call, false),
        Handler::Default => resources::defaults(call, true),
        Handler::Read => resources::read(call),
        Handler::Exists => resources::exists(call),
        Handler::Put => resources::put(call).await,
        Handler::Patch => resources::patch(call).await,
        Handler::Delete => resources::delete(call).await,
        Handler::Tags => tags::read(call),
        Handler::TagsWrite => tags::write(call).await,
        Handler::TagsDelete => tags::delete(call).await,
        Handler::Operation => lro::operation(call).await,
        Handler::OperationResult => lro::result(call).await,
        Handler::ServiceTags => questions::service_tags(call),
        Handler::Usages => subscriptions::usages(call),
        Handler::Ask(question) => questions::ask(call, question),
        Handler::Deploy(what) => deployments::answer(call, what).await,
        Handler::Roles(what) => roles::answer(call, what).await,
        Handler::Access(what) => access::answer(call, what).await,
        Handler::Connect => connect::answer(call).await,
    }
}

fn check_version(query: &Query) -> Result<(), ApiError> {
    if query.get("api-version").is_some_and(|version| !version.is_empty()) {
        return Ok(());
    }
    Err(ApiError::bad(
        "MissingApiVersionParameter",
        "The api-version query parameter (?api-version=) is required for all requests.",
    ))
}

fn check_subscription(app: &App, id: &ResourceId) -> Result<(), ApiError> {
    match id.segment("subscriptions") {
        Some(name) if !name.eq_ignore_ascii_case(&app.site.subscription) => Err(ApiError::not_found(
            "SubscriptionNotFound",
            format!("The subscription '{name}' could not be found."),
        )),
        _ => Ok(()),
    }
}

fn unknown(path: &Path) -> ApiError {
    let provider = path.segments().iter().position(|segment| segment.eq_ignore_ascii_case("providers"));
    let mut typed = provider.into_iter().flat_map(|at| path.segments().iter().skip(at + 1));
    let (Some(namespace), Some(kind)) = (typed.next(), typed.next()) else {
        return ApiError::not_found("NotFound", format!("Nothing is served at '{path}'."));
    };
    let served: Vec<_> = TOP_LEVEL.iter().map(|kind| kind.name).collect();
    ApiError::not_found(
        "InvalidResourceType",
        format!(
            "The resource type '{kind}' could not be found in the namespace '{namespace}', or not at this path. The \
             supported types are '{}'.",
            served.join(", ")
        ),
    )
}

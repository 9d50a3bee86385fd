//! Which door a request takes: what anybody may ask, our own API, and Resource Manager for all the rest.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Request, State},
    http::Uri,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{any, get},
};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::{
    access, api,
    app::App,
    arm,
    error::{Answer, ApiError},
    limits::{Guard, guard},
    login,
};

/// Every route of a server.
pub(crate) fn router(app: Arc<App>, requests_max: usize) -> Router {
    let current = || middleware::from_fn_with_state(app.clone(), current);
    let known = Router::new()
        .route("/api/{*rest}", any(api::handle))
        .fallback(arm::handle)
        .layer(middleware::from_fn_with_state(app.clone(), access::authenticate))
        .layer(current());
    let open = Router::new()
        .route("/status", get(status))
        .route("/metadata/endpoints", get(arm::endpoints))
        .route("/api/openapi.json", get(api::document))
        .method_not_allowed_fallback(not_allowed)
        .merge(login::router(&app).layer(current()));
    let guarded = Guard { app: app.clone(), places: Arc::new(Semaphore::new(requests_max)) };
    open.merge(known).with_state(app).layer(middleware::from_fn_with_state(guarded, guard))
}

/// Lets a request in when this server knows all that any server was told before, so that what one has acknowledged is true at
/// all of them. How the server is can be asked even then.
async fn current(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if request.uri().path() != api::STATUS_PATH
        && let Err(error) = app.control.current().await
    {
        return ApiError::from(error).into_response();
    }
    next.run(request).await
}

/// Whether there is a server at all. Nothing more is told to those who show no token.
async fn status() -> impl IntoResponse {
    Json(json!({ "status": "ok" }))
}

/// A method that an open path does not have.
async fn not_allowed(method: axum::http::Method, uri: Uri) -> Answer {
    let _ = uri;
    Err(ApiError::method(method.as_str(), &["GET", "HEAD"]))
}

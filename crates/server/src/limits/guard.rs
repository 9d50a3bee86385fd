//! Around every request: its ids, its place, and what becomes of a panic.

use std::{any::Any, net::SocketAddr, panic::AssertUnwindSafe, sync::Arc, time::Instant};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use tokio::sync::Semaphore;

use super::rate::Taken;
use crate::{app::App, app::Peer, error::ApiError, event::Event, headers::Ids};

/// What the guard needs.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    pub(crate) app: Arc<App>,
    pub(crate) places: Arc<Semaphore>,
}

/// Lets a request through, and marks its answer.
pub(crate) async fn guard(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    let ids = Ids::of(request.headers());
    request.extensions_mut().insert(ids.clone());
    let mut response = match admit(&guard, &mut request) {
        Ok(_permit) => caught(&guard.app, &ids, AssertUnwindSafe(next.run(request)).catch_unwind().await),
        Err(refusal) => refusal.into_response(),
    };
    ids.mark(response.headers_mut());
    response
}

fn admit(guard: &Guard, request: &mut Request) -> Result<tokio::sync::OwnedSemaphorePermit, ApiError> {
    if let Some(ConnectInfo(address)) = request.extensions().get::<ConnectInfo<SocketAddr>>().copied() {
        request.extensions_mut().insert(Peer(address));
        let who = address.ip().to_string();
        rate(&guard.app, &who, guard.app.rates.address(&who, Instant::now()))?;
    }
    guard.places.clone().try_acquire_owned().map_err(|_| {
        ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "ServerBusy",
            "The server works on as many requests as it can. Try again in a moment.",
        )
    })
}

/// Refuses a request whose bucket is empty, and says so to the operator once.
pub(crate) fn rate(app: &App, who: &str, taken: Taken) -> Result<(), ApiError> {
    if taken == Taken::Granted {
        return Ok(());
    }
    if taken == Taken::RefusedFirst {
        app.events.tell(Event::RateLimited { who: who.to_owned() });
    }
    Err(ApiError::new(
        StatusCode::TOO_MANY_REQUESTS,
        "TooManyRequests",
        format!("There are too many requests of '{who}'. Try again in a moment."),
    ))
}

fn caught(app: &App, ids: &Ids, outcome: Result<Response, Box<dyn Any + Send>>) -> Response {
    outcome.unwrap_or_else(|payload| {
        let why = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied())
            .unwrap_or("a panic without words");
        app.events.tell(Event::Panicked { request: ids.request.clone(), why: why.to_owned() });
        ApiError::internal().into_response()
    })
}

//! A tunnel to a machine: `POST .../connect?port=N` with an upgrade of HTTP/1.1.
//!
//! Terms stand in the query, since the body is the tunnel's. Whoever is refused gets an ordinary answer. Reference: docs/connect.md.

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use hyper::upgrade::OnUpgrade;
use palisade_client::tunnel::{TUNNEL_END_HEADER, TUNNEL_HEADER, TUNNEL_PROTOCOL};
use palisade_control::access::duration_seconds;
use palisade_guard::access::LIMIT_MAX;
use palisade_model::ResourceId;

use super::call::Call;
use crate::{
    error::{Answer, ApiError},
    headers::insert,
    tunnels::{self, IDLE_SECONDS, Request},
};

/// Opens a tunnel, or only tells whether it would be opened (`validate=true`).
pub(super) async fn answer(call: &Call) -> Answer {
    let request = request(call)?;
    if call.query.get("validate").is_some_and(|text| text.eq_ignore_ascii_case("true")) {
        tunnels::check(&request).await?;
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let opened = tunnels::open(request, upgrade(call)?).await?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static(TUNNEL_PROTOCOL));
    insert(headers, HeaderName::from_static(TUNNEL_HEADER), opened.id.as_str());
    insert(headers, HeaderName::from_static(TUNNEL_END_HEADER), &opened.end);
    Ok(response)
}

fn request(call: &Call) -> Result<Request, ApiError> {
    let port = call.query.get("port").unwrap_or_default();
    let number = port.parse().ok().filter(|port| *port > 0);
    let number = number.ok_or_else(|| {
        ApiError::bad("InvalidParameter", format!("'port' is '{port}', and must be a TCP port, 1 to 65535."))
    })?;
    let idle = seconds(call, "idle")?.unwrap_or(IDLE_SECONDS);
    let text = |name: &str| call.query.get(name).map(str::trim).filter(|text| !text.is_empty());
    let id = call.found.id.as_str();
    let target = id.rsplit_once('/').map_or(id, |(target, _)| target);
    Ok(Request {
        app: call.app.clone(),
        principal: call.principal.clone(),
        caller: call.caller.clone(),
        target: ResourceId::new(target),
        port: number,
        seconds: seconds(call, "duration")?,
        idle,
        reason: text("justification").unwrap_or_default().to_owned(),
        ticket: text("ticket").map(str::to_owned),
    })
}

/// The connection, which the client wants to become a tunnel.
fn upgrade(call: &Call) -> Result<OnUpgrade, ApiError> {
    let asked = call.headers.get(header::UPGRADE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    call.upgrade.clone().filter(|_| asked.eq_ignore_ascii_case(TUNNEL_PROTOCOL)).ok_or_else(|| {
        let message = format!(
            "A tunnel is an upgrade of an HTTP/1.1 connection to '{TUNNEL_PROTOCOL}'. Use `palisade connect`."
        );
        ApiError::new(StatusCode::UPGRADE_REQUIRED, "UpgradeRequired", message)
    })
}

/// A length of time of the query.
fn seconds(call: &Call, name: &str) -> Result<Option<u32>, ApiError> {
    let Some(text) = call.query.get(name) else { return Ok(None) };
    let seconds = duration_seconds(text).filter(|seconds| (1..=LIMIT_MAX).contains(seconds));
    let wrong = || {
        let message =
            format!("'{name}' is '{text}', and must be a duration of 1 second to 1 day, such as PT1H.");
        ApiError::bad("InvalidParameter", message)
    };
    seconds.map(Some).ok_or_else(wrong)
}

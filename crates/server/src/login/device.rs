//! Device codes: a person approves on one device what another has asked for (RFC 8628).
//!
//! What was asked is in the code itself, signed, so that asking stores nothing and any server on the store can answer.
//! Stored is the approval, under the hash of the user code, until it is redeemed, which it is once.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Path, Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use palisade_control::{Action, Caller, Control, ControlError, Expect, RecordChange, World, time};
use palisade_identity::{DeviceClaims, Kind, UserCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Asked, OAuthError, grants::public_client, issue, issue::Tokens, refresh::Family};
use crate::{
    access::{Principal, directory},
    app::App,
    error::{Answer, ApiError},
    limits,
};

/// The name of the grant.
pub(super) const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// How long a code can be approved, and an approval be redeemed, in seconds.
const LIFETIME: u64 = 900;
/// How often a client should ask, in seconds.
const INTERVAL: u64 = 5;

/// What a person has said about a user code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Approval {
    /// Who says so.
    principal: Uuid,
    /// When it ends.
    expires: u64,
}

/// Hands out a device code and a user code.
pub(super) async fn code(
    State(app): State<Arc<App>>,
    Path(tenant): Path<String>,
    request: Request,
) -> Response {
    match Asked::read(app, &tenant, request).await.and_then(|asked| hand_out(&asked)) {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => error.into_response(),
    }
}

fn hand_out(asked: &Asked) -> Result<Value, OAuthError> {
    let client = public_client(asked)?;
    let ring = asked.app.gate.ring(&asked.app.control)?;
    let user_code = UserCode::generate(&ring).map_err(|error| OAuthError::server(&error))?.to_string();
    let device =
        DeviceClaims { user_code: user_code.clone(), client: client.to_owned(), exp: asked.now + LIFETIME };
    let code =
        asked.app.gate.issuer().device_code(&ring, &device).map_err(|error| OAuthError::server(&error))?;
    let place = format!("{}/device", asked.base);
    let message = format!("To log in, open the page {place} in a browser and enter the code {user_code}.");
    let mut answer = json!({
        "device_code": code,
        "user_code": user_code,
        "verification_uri": place,
        "verification_url": place,
        "verification_uri_complete": format!("{place}?code={user_code}"),
        "expires_in": LIFETIME,
        "interval": INTERVAL,
        "message": message,
    });
    if asked.path.ends_with("/oauth2/devicecode") {
        answer["expires_in"] = Value::from(LIFETIME.to_string());
        answer["interval"] = Value::from(INTERVAL.to_string());
    }
    Ok(answer)
}

/// Tokens for a device code that was approved.
pub(super) async fn redeem(asked: &Asked) -> Result<Tokens, OAuthError> {
    let code = asked.form.get("device_code").or_else(|| asked.form.get("code"));
    let code = code.ok_or_else(|| OAuthError::request("the request must have the field 'device_code'"))?;
    let (gate, control) = (&asked.app.gate, &asked.app.control);
    let ring = gate.ring(control)?;
    let device = gate.issuer().read_device_code(&ring, code, asked.now);
    let device = device.map_err(|_| OAuthError::grant("The device code is none of this server."))?;
    if public_client(asked)? != device.client {
        return Err(OAuthError::grant("The device code was given to another client."));
    }
    if asked.now >= device.exp {
        let why = "The code was not approved in time. Ask for another one.";
        return Err(OAuthError::new(StatusCode::BAD_REQUEST, "expired_token", why));
    }
    let user_code =
        UserCode::read(&ring, &device.user_code).ok_or_else(|| OAuthError::server(&"a code is damaged"))?;
    let key = key(&user_code);
    let approval = control.read(|world| directory::read::<Approval>(world.record(&key)?));
    let Some(approval) = approval.filter(|approval| asked.now < approval.expires) else {
        let why = "Nobody has approved the code yet.";
        return Err(OAuthError::new(StatusCode::BAD_REQUEST, "authorization_pending", why));
    };
    let person = control.read(|world| directory::principal(world, approval.principal));
    let person = person.filter(|person| person.enabled);
    let person = person.ok_or_else(|| OAuthError::grant("Whoever approved the code is disabled."))?;
    let change = RecordChange { key, value: None, expect: Expect::Present };
    let action = Action::Records { changes: vec![change], verb: "redeem device code" };
    match control.act(&issue::caller(asked, &person), action).await {
        Err(error) if error.status == 409 => Err(OAuthError::grant("The device code was redeemed already.")),
        Err(error) => Err(error.into()),
        Ok(_) => issue::issue(asked, &person, &device.client, "device_code", Family::New).await,
    }
}

/// What a client of our own API sends to approve a code.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ApprovalRequest {
    user_code: String,
}

/// Approves a code for the person whose token the request has.
pub(super) async fn approve(
    State(app): State<Arc<App>>,
    Extension(principal): Extension<Principal>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Answer {
    if principal.kind != Kind::User {
        let why = "A code is approved by a person; a service principal logs in by itself.";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "UserRequired", why));
    }
    let (parts, body) = request.into_parts();
    let bytes = limits::body::read(&parts.headers, body).await?;
    let invalid = |error: serde_json::Error| limits::body::invalid(&error.to_string());
    let json = limits::body::json(&bytes)?.unwrap_or_default();
    let asked: ApprovalRequest = serde_json::from_value(json).map_err(invalid)?;
    record(&app, &caller, principal.oid, &asked.user_code).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Keeps the approval of what a person has typed.
pub(super) async fn record(
    app: &App,
    caller: &Caller,
    principal: Uuid,
    typed: &str,
) -> Result<(), ControlError> {
    let now = time::unix_seconds(app.now());
    let ring = app.gate.ring(&app.control)?;
    let unknown =
        || ControlError::new(404, "UserCodeNotFound", "There is no such code. Compare it letter by letter.");
    let code = UserCode::read(&ring, typed).ok_or_else(unknown)?;
    let approval = Approval { principal, expires: now + LIFETIME };
    let mut changes = app.control.read(|world| ended(world, now));
    changes.retain(|change| change.key != key(&code));
    changes.push(RecordChange {
        key: key(&code),
        value: Some(directory::record(&approval)),
        expect: Expect::Any,
    });
    act(&app.control, caller, changes).await
}

async fn act(control: &Control, caller: &Caller, changes: Vec<RecordChange>) -> Result<(), ControlError> {
    control.act(caller, Action::Records { changes, verb: "approve device code" }).await.map(drop)
}

/// Approvals that nobody has redeemed in time.
fn ended(world: &World, now: u64) -> Vec<RecordChange> {
    let old = world.records(directory::DEVICE).filter(|(_, value)| {
        directory::read::<Approval>(value).is_none_or(|approval| approval.expires <= now)
    });
    old.map(|(key, _)| RecordChange { key: key.to_owned(), value: None, expect: Expect::Any })
        .take(20)
        .collect()
}

/// When an approval ends.
pub(crate) fn approval_end(value: &Value) -> Option<u64> {
    directory::read::<Approval>(value).map(|approval| approval.expires)
}

fn key(code: &UserCode) -> String {
    format!("{}{}", directory::DEVICE, code.fingerprint())
}

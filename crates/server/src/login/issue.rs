//! Issuing: the answer that a client gets for a grant that holds.

use axum::{
    Json,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use palisade_control::{Action, Caller, ControlError, Expect, RecordChange};
use palisade_identity::{ACCESS_LIFETIME, KeyRing, Kind, Principal, client_info};
use serde_json::{Value, json};

use super::{Asked, OAuthError, refresh};
use crate::access::{Note, directory};

/// Tokens that were issued.
#[derive(Debug)]
pub(super) struct Tokens(Value);

impl IntoResponse for Tokens {
    fn into_response(self) -> Response {
        let mut response = Json(self.0).into_response();
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response.headers_mut().insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
        response
    }
}

/// Issues what `principal` gets, who has asked through `client` by `grant`.
pub(super) async fn issue(
    asked: &Asked,
    principal: &Principal,
    client: &str,
    grant: &'static str,
    family: refresh::Family,
) -> Result<Tokens, OAuthError> {
    let ring = ring(asked).await?;
    let issuer = asked.app.gate.issuer();
    let access =
        issuer.access(&ring, principal, client, asked.now).map_err(|error| OAuthError::server(&error))?;
    let mut answer = json!({ "token_type": "Bearer", "access_token": access });
    lifetimes(&mut answer, asked);
    let scope = asked.form.get("scope").or_else(|| asked.form.get("resource")).unwrap_or_default();
    answer["scope"] =
        Value::from(scope.split(' ').filter(|one| !one.is_empty()).collect::<Vec<_>>().join(" "));
    let caller = caller(asked, principal);
    if principal.kind == Kind::User {
        let name = format!("{}/{}/v2.0", asked.base, asked.tenant);
        let id_token = issuer.identity(&ring, principal, client, &name, asked.now);
        answer["id_token"] = Value::from(id_token.map_err(|error| OAuthError::server(&error))?);
        answer["client_info"] = Value::from(client_info(principal, asked.tenant));
        answer["refresh_token"] =
            Value::from(refresh::issue(asked, &caller, principal, client, family).await?);
    }
    note(asked, &caller, format!("{grant} by client {client}"), "Succeeded").await;
    Ok(Tokens(answer))
}

/// Numbers (RFC 6749, 5.1): the Azure CLI adds them up. Version 1 also says when, as texts.
fn lifetimes(answer: &mut Value, asked: &Asked) {
    answer["expires_in"] = Value::from(ACCESS_LIFETIME);
    answer["ext_expires_in"] = Value::from(ACCESS_LIFETIME);
    if asked.is_version_1() {
        answer["expires_on"] = Value::from((asked.now + ACCESS_LIFETIME).to_string());
        answer["not_before"] = Value::from(asked.now.to_string());
        answer["resource"] = Value::from(asked.form.get("resource").unwrap_or_default());
    }
}

/// The keys, after a new one was made if the old one has signed long enough.
async fn ring(asked: &Asked) -> Result<std::sync::Arc<KeyRing>, OAuthError> {
    let (gate, control) = (&asked.app.gate, &asked.app.control);
    let ring = gate.ring(control)?;
    if !ring.is_due(asked.now) {
        return Ok(ring);
    }
    let rotated = ring.rotated(asked.now).map_err(|error| OAuthError::server(&error))?;
    let change = RecordChange {
        key: directory::KEY.to_owned(),
        value: Some(directory::record(&rotated)),
        expect: Expect::Equals(directory::record(&*ring)),
    };
    let action = Action::Records { changes: vec![change], verb: "rotate signing key" };
    match control.act(&crate::app::system_caller(), action).await {
        // Another server was faster, or the store takes nothing now: there is a key that signs in either case.
        Ok(_) | Err(ControlError { .. }) => Ok(gate.ring(control)?),
    }
}

/// A principal that has shown who it is, as one who acts.
pub(super) fn caller(asked: &Asked, principal: &Principal) -> Caller {
    Caller { principal: principal.id.to_string(), name: principal.name.clone(), ..asked.stranger.clone() }
}

/// Writes a login into the audit log.
pub(super) async fn note(asked: &Asked, caller: &Caller, target: String, outcome: &str) {
    let note = Note { verb: "login", target, outcome: outcome.to_owned() };
    asked.app.gate.note(&asked.app.control, caller, note, asked.now).await;
}

//! Join tokens: how a machine becomes a host, once each. Their text is told when they are made and never again.

use axum::http::StatusCode;
use palisade_control::{
    Action, ControlError, Expect, RecordChange,
    fleet::{self, HostName, TOKEN_PREFIX, TokenRecord},
    time::rfc3339,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    call::{Call, answer, done},
    openapi::Refusals,
};
use crate::error::{Answer, ApiError};

/// How long a token is good for if nobody says: an hour.
const LIFETIME_SECONDS: u64 = 3_600;

/// A token, without its text.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct JoinToken {
    /// Names the token, so that it can be taken back.
    id: String,
    /// The only host that may use it.
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    /// When it ends.
    expires: String,
}

/// A token that was just made.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewJoinToken {
    /// What the host shows.
    token: String,
    #[serde(flatten)]
    about: JoinToken,
}

/// Tokens.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct JoinTokens {
    value: Vec<JoinToken>,
}

/// What token is wanted.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct JoinTokenRequest {
    /// The only host that may use it; any, if none is named.
    host: Option<String>,
    /// How long it is good for; an hour, if it is not said.
    #[schema(minimum = 1, maximum = 2592000)]
    lifetime_seconds: Option<u64>,
}

/// Tokens that are still good.
#[utoipa::path(get, path = "/api/v1/joinTokens", tag = "hosts", operation_id = "listJoinTokens",
    responses((status = 200, description = "The tokens.", body = JoinTokens), Refusals))]
pub(super) fn list(call: &Call) -> Answer {
    let now = call.now();
    let tokens = call.app.control.read(|world| {
        let good = |(key, value): (&str, &serde_json::Value)| {
            TokenRecord::read(value).filter(|token| token.expires > now).map(|token| about(key, token))
        };
        world.records(TOKEN_PREFIX).filter_map(good).collect()
    });
    answer(StatusCode::OK, &JoinTokens { value: tokens })
}

fn about(key: &str, token: TokenRecord) -> JoinToken {
    JoinToken {
        id: key.strip_prefix(TOKEN_PREFIX).unwrap_or(key).to_owned(),
        host: token.host.map(|host| host.to_string()),
        expires: rfc3339(token.expires),
    }
}

/// Makes a token with which one host can join, once.
#[utoipa::path(post, path = "/api/v1/joinTokens", tag = "hosts", operation_id = "createJoinToken",
    request_body = JoinTokenRequest,
    responses((status = 201, description = "The token.", body = NewJoinToken), Refusals))]
pub(super) async fn create(call: &Call) -> Answer {
    let request: JoinTokenRequest = call.body()?;
    let host = request.host.as_deref().map(name).transpose()?;
    let expires = call.now().saturating_add(request.lifetime_seconds.unwrap_or(LIFETIME_SECONDS));
    let authority = call.app.authority.fingerprint();
    let token =
        fleet::create_join_token(&call.app.control, &call.caller, authority, host.clone(), expires).await?;
    let about = about(palisade_sync::token::digest(&token).as_str(), TokenRecord { expires, host });
    answer(StatusCode::CREATED, &NewJoinToken { token, about })
}

fn name(text: &str) -> Result<HostName, ApiError> {
    text.parse().map_err(|error: <HostName as std::str::FromStr>::Err| {
        ApiError::bad("InvalidHostName", error.to_string())
    })
}

/// Takes a token back.
#[utoipa::path(delete, path = "/api/v1/joinTokens/{id}", tag = "hosts", operation_id = "deleteJoinToken",
    params(("id" = String, Path, description = "Id of the token.")),
    responses((status = 204, description = "It is good no more."), Refusals))]
pub(super) async fn delete(call: &Call) -> Answer {
    let change =
        RecordChange { key: format!("{TOKEN_PREFIX}{}", call.name()), value: None, expect: Expect::Present };
    let action = Action::Records { changes: vec![change], verb: "delete join token" };
    call.app.control.act(&call.caller, action).await.map_err(|error| match error.status {
        409 | 412 => {
            ControlError::new(404, "JoinTokenNotFound", format!("There is no join token '{}'.", call.name()))
        }
        _ => error,
    })?;
    Ok(done())
}

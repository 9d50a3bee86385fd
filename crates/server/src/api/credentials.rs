//! What a principal shows to log in, changed: enabling and disabling, passwords, issuers elsewhere that vouch for it.

use axum::http::StatusCode;
use palisade_control::{Action, Expect};
use palisade_identity::{Federated, KeySet, Principal as Stored};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    call::{Call, answer, done},
    openapi::Refusals,
    principals::{Principal, change_of, change_with, invalid, stored, with_password},
};
use crate::{
    access::assignments,
    error::{Answer, ApiError},
};

/// Most audiences of one issuer.
const AUDIENCES_MAX: usize = 10;
/// Longest issuer, subject, audience or URL, in bytes.
const TEXT_LENGTH_MAX: usize = 1_024;

/// What is to be another.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PrincipalChange {
    /// Whether it may log in. Who is disabled is out with the next request.
    enabled: Option<bool>,
    /// A person's new password. Tokens from before count no more.
    #[schema(min_length = 12, max_length = 256)]
    password: Option<String>,
}

/// An issuer that vouches for a program.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct FederatedRequest {
    /// What the assertion must have as `iss`.
    issuer: String,
    /// What it must have as `sub`.
    subject: String,
    /// One of these must be in its `aud`.
    audiences: Vec<String>,
    /// The issuer's keys as a JWK set, if they are not to be fetched.
    #[schema(value_type = Option<Object>)]
    keys: Option<Value>,
    /// Where the keys are, if the issuer's discovery document is not to be asked.
    keys_url: Option<String>,
}

/// Changes a principal.
#[utoipa::path(patch, path = "/api/v1/principals/{id}", tag = "principals", operation_id = "updatePrincipal",
    params(("id" = String, Path, description = "Object id.")),
    request_body = PrincipalChange,
    responses((status = 200, description = "The principal.", body = Principal), Refusals))]
pub(super) async fn update(call: &Call) -> Answer {
    let change: PrincipalChange = call.body()?;
    let (before, mut principal) = stored(call)?;
    let id = principal.id;
    let goes = change.enabled == Some(false) && principal.enabled;
    let guard =
        call.app.control.read(|world| assignments::other_owner(world, |one| !goes || one.principal != id))?;
    principal.enabled = change.enabled.unwrap_or(principal.enabled);
    if let Some(password) = change.password {
        principal = with_password(call, principal, password).await?;
    }
    let mut changes = vec![change_of(&principal, Expect::Equals(before))];
    changes.extend(guard);
    call.app.control.act(&call.caller, Action::Records { changes, verb: "update principal" }).await?;
    answer(StatusCode::OK, &Principal::from(&principal))
}

/// Lets an issuer vouch for a program, in place of the one of the same name.
#[utoipa::path(put, path = "/api/v1/principals/{id}/federated/{name}", tag = "principals",
    operation_id = "putFederated",
    params(
        ("id" = String, Path, description = "Object id."),
        ("name" = String, Path, description = "Names the entry."),
    ),
    request_body = FederatedRequest,
    responses((status = 200, description = "The principal.", body = Principal), Refusals))]
pub(super) async fn put_federated(call: &Call) -> Answer {
    let request: FederatedRequest = call.body()?;
    let change = |principal: &mut Stored| {
        principal.add_federated(checked(call.part().to_owned(), request)?).map_err(invalid)
    };
    let principal = change_with(call, "write federated credential", change).await?;
    answer(StatusCode::OK, &Principal::from(&principal))
}

/// Lets an issuer vouch no more.
#[utoipa::path(delete, path = "/api/v1/principals/{id}/federated/{name}", tag = "principals",
    operation_id = "deleteFederated",
    params(
        ("id" = String, Path, description = "Object id."),
        ("name" = String, Path, description = "Names the entry."),
    ),
    responses((status = 204, description = "It is gone."), Refusals))]
pub(super) async fn delete_federated(call: &Call) -> Answer {
    let change = |principal: &mut Stored| {
        let name = call.part();
        let found = principal.federated.iter().position(|one| one.name == name);
        let message = || format!("There is no federated credential '{name}'.");
        let missing = || ApiError::not_found("FederatedCredentialNotFound", message());
        principal.federated.remove(found.ok_or_else(missing)?);
        Ok(())
    };
    change_with(call, "delete federated credential", change).await?;
    Ok(done())
}

fn checked(name: String, request: FederatedRequest) -> Result<Federated, ApiError> {
    let bad = |why: &str| {
        ApiError::bad("InvalidFederatedCredential", format!("The federated credential is wrong: {why}."))
    };
    let texts =
        [&request.issuer, &request.subject].into_iter().chain(&request.audiences).chain(&request.keys_url);
    if texts.into_iter().any(|text| text.is_empty() || text.len() > TEXT_LENGTH_MAX) {
        return Err(bad(&format!(
            "issuer, subject, audiences and keysUrl have 1 to {TEXT_LENGTH_MAX} bytes"
        )));
    }
    if !(1..=AUDIENCES_MAX).contains(&request.audiences.len()) {
        return Err(bad(&format!("it needs 1 to {AUDIENCES_MAX} audiences")));
    }
    let fetched = request.keys_url.as_ref().unwrap_or(&request.issuer);
    if request.keys.is_none() && !fetched.starts_with("https://") {
        return Err(bad("keys that are not given are fetched by https, from keysUrl or the issuer"));
    }
    let keys = request.keys.map(serde_json::from_value::<KeySet>).transpose();
    Ok(Federated {
        name,
        issuer: request.issuer,
        subject: request.subject,
        audiences: request.audiences,
        keys: keys.map_err(|error| bad(&format!("keys is no JWK set: {error}")))?,
        keys_url: request.keys_url,
    })
}

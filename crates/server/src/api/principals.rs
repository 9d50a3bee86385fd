//! Principals: people and programs, and the secrets of programs.
//!
//! What a principal is, and how its secrets are kept, is [`palisade_identity`]'s; here they are made, shown without
//! anything secret, and taken away. A secret is told once, in the answer that made it.

use axum::http::StatusCode;
use palisade_control::{Action, ControlError, Expect, RecordChange, time::rfc3339};
use palisade_identity::{Kind, Principal as Stored, PrincipalError};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    call::{Call, answer, done},
    openapi::Refusals,
};
use crate::{
    access::{assignments, directory},
    error::{Answer, ApiError},
};

/// How long a secret is good for if nobody says, in days.
const LIFETIME_DAYS: u64 = 180;
const DAY: u64 = 86_400;

/// A person or a program.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Principal {
    /// Object id.
    id: String,
    /// What it is.
    kind: PrincipalKind,
    /// Its name, or the name that a person logs in with.
    name: String,
    /// What a program logs in with.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    /// Whether it may log in.
    enabled: bool,
    /// When it was made.
    created: String,
    /// Its secrets, without what is secret of them.
    secrets: Vec<SecretFacts>,
    /// Names of the issuers that vouch for it.
    federated: Vec<String>,
}

/// What a principal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(super) enum PrincipalKind {
    /// A person.
    User,
    /// A program.
    ServicePrincipal,
}

/// A secret, without what is secret of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SecretFacts {
    /// Names the secret, so that it can be taken back.
    id: String,
    /// What it is for.
    description: String,
    /// Its first characters.
    hint: String,
    /// When it was made.
    created: String,
    /// When it ends.
    expires: String,
}

/// A principal that was just made.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewPrincipal {
    #[serde(flatten)]
    about: Principal,
    /// The first secret of a program.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
    /// The password of a person, if none was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

/// A secret that was just made.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewSecret {
    /// Names the secret.
    id: String,
    /// The secret.
    secret: String,
    /// When it ends.
    expires: String,
}

/// Principals.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Principals {
    value: Vec<Principal>,
}

/// What principal is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PrincipalRequest {
    /// What it is.
    kind: PrincipalKind,
    /// Its name; of a person, the one to log in with.
    #[schema(min_length = 1, max_length = 128)]
    name: String,
    /// A person's password; one is made if there is none.
    #[schema(min_length = 12, max_length = 256)]
    password: Option<String>,
}

/// What secret is wanted.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SecretRequest {
    /// What it is for.
    description: Option<String>,
    /// How long it is good for.
    #[schema(minimum = 1, maximum = 730)]
    lifetime_days: Option<u64>,
}

impl From<&Stored> for Principal {
    fn from(stored: &Stored) -> Self {
        let secret = |own: &palisade_identity::Secret| SecretFacts {
            id: own.id.to_string(),
            description: own.description.clone(),
            hint: own.hint.clone(),
            created: rfc3339(own.created),
            expires: rfc3339(own.expires),
        };
        Self {
            id: stored.id.to_string(),
            kind: match stored.kind {
                Kind::User => PrincipalKind::User,
                Kind::ServicePrincipal => PrincipalKind::ServicePrincipal,
            },
            name: stored.user_name.as_ref().unwrap_or(&stored.name).clone(),
            client_id: stored.application.map(|id| id.to_string()),
            enabled: stored.enabled,
            created: rfc3339(stored.created),
            secrets: stored.secrets.iter().map(secret).collect(),
            federated: stored.federated.iter().map(|one| one.name.clone()).collect(),
        }
    }
}

/// All principals.
#[utoipa::path(get, path = "/api/v1/principals", tag = "principals", operation_id = "listPrincipals",
    responses((status = 200, description = "The principals.", body = Principals), Refusals))]
pub(super) fn list(call: &Call) -> Answer {
    let stored = call.app.control.read(directory::principals);
    let value = stored.iter().map(Principal::from).collect();
    answer(StatusCode::OK, &Principals { value })
}

/// One principal.
#[utoipa::path(get, path = "/api/v1/principals/{id}", tag = "principals", operation_id = "getPrincipal",
    params(("id" = String, Path, description = "Object id.")),
    responses((status = 200, description = "The principal.", body = Principal), Refusals))]
pub(super) fn read(call: &Call) -> Answer {
    answer(StatusCode::OK, &Principal::from(&stored(call)?.1))
}

/// Makes a principal. A program gets its first secret, a person without a password gets one; both are told here only.
#[utoipa::path(post, path = "/api/v1/principals", tag = "principals", operation_id = "createPrincipal",
    request_body = PrincipalRequest,
    responses((status = 201, description = "The principal.", body = NewPrincipal), Refusals))]
pub(super) async fn create(call: &Call) -> Answer {
    let request: PrincipalRequest = call.body()?;
    let now = call.now();
    let (mut client_secret, mut password) = (None, None);
    let principal = match request.kind {
        PrincipalKind::ServicePrincipal if request.password.is_some() => {
            return Err(ApiError::bad(
                "InvalidPrincipal",
                "A service principal has secrets, and no password.",
            ));
        }
        PrincipalKind::ServicePrincipal => {
            let made = Stored::service(&request.name, now).map_err(invalid)?;
            let (made, secret) =
                with_secret(call, made, "first".to_owned(), now + LIFETIME_DAYS * DAY).await?;
            client_secret = Some(secret);
            made
        }
        PrincipalKind::User => {
            let made = Stored::user(&request.name, &request.name, now).map_err(invalid)?;
            let text = match request.password {
                Some(given) => given,
                None => password
                    .insert(palisade_identity::new_secret().map_err(|error| invalid(error.into()))?)
                    .clone(),
            };
            with_password(call, made, text).await?
        }
    };
    let about = Principal::from(&principal);
    let action = Action::Records { changes: directory::creation(&principal), verb: "create principal" };
    call.app.control.act(&call.caller, action).await.map_err(|error| taken(&principal, error))?;
    answer(StatusCode::CREATED, &NewPrincipal { about, client_secret, password })
}

/// Two people cannot log in with one name.
fn taken(principal: &Stored, error: ControlError) -> ControlError {
    match &principal.user_name {
        Some(name) if error.status == 409 => {
            ControlError::new(409, "PrincipalExists", format!("There is a person '{name}' already."))
        }
        _ => error,
    }
}

/// Deletes a principal, and what roles it has.
#[utoipa::path(delete, path = "/api/v1/principals/{id}", tag = "principals", operation_id = "deletePrincipal",
    params(("id" = String, Path, description = "Object id.")),
    responses((status = 204, description = "It is gone."), Refusals))]
pub(super) async fn delete(call: &Call) -> Answer {
    let (value, principal) = stored(call)?;
    let (own, guard) = call.app.control.read(|world| {
        let guard = assignments::other_owner(world, |one| one.principal != principal.id)?;
        Ok::<_, ControlError>((directory::assignments_of(world, principal.id), guard))
    })?;
    let gone = |key, expect| RecordChange { key, value: None, expect };
    let mut changes = vec![gone(directory::principal_key(principal.id), Expect::Equals(value))];
    changes.extend(own.iter().map(|one| gone(directory::assignment_key(one), Expect::Present)));
    changes.extend(directory::release(&principal));
    changes.extend(guard);
    call.app.control.act(&call.caller, Action::Records { changes, verb: "delete principal" }).await?;
    Ok(done())
}

/// Makes another secret for a program.
#[utoipa::path(post, path = "/api/v1/principals/{id}/secrets", tag = "principals", operation_id = "createSecret",
    params(("id" = String, Path, description = "Object id.")),
    request_body = SecretRequest,
    responses((status = 201, description = "The secret.", body = NewSecret), Refusals))]
pub(super) async fn create_secret(call: &Call) -> Answer {
    let request: SecretRequest = call.body()?;
    let (before, principal) = stored(call)?;
    let days = request.lifetime_days.unwrap_or(LIFETIME_DAYS);
    let expires = days.checked_mul(DAY).and_then(|lifetime| call.now().checked_add(lifetime));
    let expires = expires.ok_or_else(|| invalid(PrincipalError::Lifetime))?;
    let (principal, secret) =
        with_secret(call, principal, request.description.unwrap_or_default(), expires).await?;
    let id = principal.secrets.last().map(|own| own.id.to_string()).unwrap_or_default();
    keep(call, &principal, Expect::Equals(before), "create secret").await?;
    answer(StatusCode::CREATED, &NewSecret { id, secret, expires: rfc3339(expires) })
}

/// Takes a secret back.
#[utoipa::path(delete, path = "/api/v1/principals/{id}/secrets/{secret}", tag = "principals",
    operation_id = "deleteSecret",
    params(
        ("id" = String, Path, description = "Object id."),
        ("secret" = String, Path, description = "Id of the secret."),
    ),
    responses((status = 204, description = "It is good no more."), Refusals))]
pub(super) async fn delete_secret(call: &Call) -> Answer {
    let change = |principal: &mut Stored| {
        let id = call.part();
        let found = principal.secrets.iter().position(|own| own.id.to_string().eq_ignore_ascii_case(id));
        let missing = || ApiError::not_found("SecretNotFound", format!("There is no secret '{id}'."));
        principal.secrets.remove(found.ok_or_else(missing)?);
        Ok(())
    };
    change_with(call, "delete secret", change).await?;
    Ok(done())
}

/// The principal with a secret more, and the secret.
async fn with_secret(
    call: &Call,
    mut principal: Stored,
    description: String,
    expires: u64,
) -> Result<(Stored, String), ApiError> {
    let now = call.now();
    let made = call.hash(move || {
        let secret = principal.add_secret(&description, expires, now)?;
        Ok((principal, secret))
    });
    made.await?.map_err(invalid)
}

/// The person with another password.
pub(super) async fn with_password(
    call: &Call,
    mut principal: Stored,
    password: String,
) -> Result<Stored, ApiError> {
    let now = call.now();
    call.hash(move || principal.set_password(&password, now).map(|()| principal)).await?.map_err(invalid)
}

/// The principal of the path: as it is kept, and what it is.
pub(super) fn stored(call: &Call) -> Result<(Value, Stored), ApiError> {
    let key = Uuid::parse_str(call.name()).ok().map(directory::principal_key);
    let value = key.and_then(|key| call.app.control.read(|world| world.record(&key).cloned()));
    let read = value.and_then(|value| directory::read(&value).map(|stored| (value, stored)));
    read.ok_or_else(|| {
        ApiError::not_found("PrincipalNotFound", format!("There is no principal '{}'.", call.name()))
    })
}

/// Changes the principal of the path, unless somebody else does at the same time; what it is then.
pub(super) async fn change_with(
    call: &Call,
    verb: &'static str,
    change: impl FnOnce(&mut Stored) -> Result<(), ApiError>,
) -> Result<Stored, ApiError> {
    let (before, mut principal) = stored(call)?;
    change(&mut principal)?;
    keep(call, &principal, Expect::Equals(before), verb).await?;
    Ok(principal)
}

async fn keep(call: &Call, principal: &Stored, expect: Expect, verb: &'static str) -> Result<(), ApiError> {
    let changes = vec![change_of(principal, expect)];
    call.app.control.act(&call.caller, Action::Records { changes, verb }).await?;
    Ok(())
}

/// The write of a principal.
pub(super) fn change_of(principal: &Stored, expect: Expect) -> RecordChange {
    let (key, value) = (directory::principal_key(principal.id), directory::record(principal));
    RecordChange { key, value: Some(value), expect }
}

pub(super) fn invalid(error: PrincipalError) -> ApiError {
    match error {
        PrincipalError::Random(_) => ApiError::internal(),
        error => ApiError::bad("InvalidPrincipal", format!("The principal cannot be made: {error}.")),
    }
}

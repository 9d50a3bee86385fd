//! The grants: what is shown for a token.

use axum::http::StatusCode;
use palisade_identity::{Principal, matches_nobody};

use super::{Asked, OAuthError, client::Shown, device, issue, issue::Tokens, refresh};
use crate::access::directory;

/// Longest client id, in bytes.
const CLIENT_LENGTH_MAX: usize = 128;

/// Answers a request for a token.
pub(super) async fn answer(asked: &Asked) -> Result<Tokens, OAuthError> {
    let outcome = match asked.form.need("grant_type")? {
        "client_credentials" => client_credentials(asked).await,
        "password" => password(asked).await,
        "refresh_token" => refresh::redeem(asked).await,
        "device_code" | device::GRANT => device::redeem(asked).await,
        "authorization_code" => Err(unsupported("a login in the browser is not offered; use a device code")),
        _ => Err(unsupported("use client_credentials, password, refresh_token or a device code")),
    };
    if let Err(error) = &outcome
        && !matches!(error.code, "authorization_pending" | "unsupported_grant_type")
    {
        let who = asked.form.get("username").or_else(|| asked.form.get("client_id")).unwrap_or("nobody");
        issue::note(asked, &asked.stranger, who.to_owned(), error.code).await;
    }
    outcome
}

fn unsupported(why: &str) -> OAuthError {
    OAuthError::new(
        StatusCode::BAD_REQUEST,
        "unsupported_grant_type",
        format!("The grant is not supported: {why}."),
    )
}

/// A program for itself.
async fn client_credentials(asked: &Asked) -> Result<Tokens, OAuthError> {
    let shown = Shown::read(asked)?;
    let program = shown.verify(asked).await?.ok_or_else(OAuthError::client)?;
    let client = program.application.unwrap_or(program.id).to_string();
    issue::issue(asked, &program, &client, "client_credentials", refresh::Family::New).await
}

/// A person by name and password.
async fn password(asked: &Asked) -> Result<Tokens, OAuthError> {
    let client = public_client(asked)?;
    let (name, password) = (asked.form.need("username")?, asked.form.need("password")?);
    let person = person(asked, name, password).await?;
    issue::issue(asked, &person, client, "password", refresh::Family::New).await
}

/// The person with this name and password.
pub(super) async fn person(asked: &Asked, name: &str, password: &str) -> Result<Principal, OAuthError> {
    let person = asked.app.control.read(|world| directory::person(world, name));
    let (compared, password) = (person.clone(), password.to_owned());
    let prove = move || match compared {
        Some(person) => person.has_password(&password),
        None => matches_nobody(&password),
    };
    let proven = asked.app.desk.attempt(name, &asked.stranger.address, asked.now, prove).await?;
    person
        .filter(|_| proven)
        .ok_or_else(|| OAuthError::grant("The user name or the password is wrong, or the user is disabled."))
}

/// The client that a person uses. It need not be known here, for it shows nothing.
pub(super) fn public_client(asked: &Asked) -> Result<&str, OAuthError> {
    let client = asked.form.need("client_id")?;
    let sound = client.len() <= CLIENT_LENGTH_MAX && client.bytes().all(|byte| byte.is_ascii_graphic());
    if sound { Ok(client) } else { Err(OAuthError::request("client_id is not one")) }
}

//! Programs show who they are: by a secret in the form or in the header, or by an assertion of an issuer elsewhere.

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use palisade_identity::{Expected, Federated, Principal, claimed_issuer, matches_nobody, verify_assertion};
use uuid::Uuid;

use super::{Asked, OAuthError};
use crate::{
    access::{Place, directory},
    arm::decode,
};

/// What an assertion must say it is (RFC 7523).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What a program shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shown {
    /// Its client id, as it was written.
    pub(super) client: String,
    proof: Proof,
}

#[derive(Debug, PartialEq, Eq)]
enum Proof {
    Secret(String),
    Assertion(String),
    Nothing,
}

impl Shown {
    /// Reads it from a request. A secret in two places is one too many.
    pub(super) fn read(asked: &Asked) -> Result<Self, OAuthError> {
        let form = &asked.form;
        let in_header = basic(&asked.headers)?;
        let secret = form.get("client_secret").map(str::to_owned);
        let assertion = form.get("client_assertion").map(str::to_owned);
        if assertion.is_some() && form.get("client_assertion_type") != Some(ASSERTION_TYPE) {
            return Err(OAuthError::request(&format!("client_assertion_type must be {ASSERTION_TYPE}")));
        }
        let (client, proof) = match (in_header, secret, assertion) {
            (Some((client, secret)), None, None) => (Some(client), Proof::Secret(secret)),
            (None, Some(secret), None) => (None, Proof::Secret(secret)),
            (None, None, Some(assertion)) => (None, Proof::Assertion(assertion)),
            (None, None, None) => (None, Proof::Nothing),
            _ => return Err(OAuthError::request("the client must show one thing, a secret or an assertion")),
        };
        let client = client.map_or_else(|| form.need("client_id").map(str::to_owned), Ok)?;
        Ok(Self { client, proof })
    }

    /// The program that has shown this, if it is right.
    pub(super) async fn verify(self, asked: &Asked) -> Result<Option<Principal>, OAuthError> {
        let id = Uuid::parse_str(&self.client).ok();
        let program = id.and_then(|id| asked.app.control.read(|world| directory::program(world, id)));
        match self.proof {
            Proof::Secret(secret) => by_secret(asked, &self.client, program, secret).await,
            Proof::Assertion(assertion) => Ok(by_assertion(asked, program, &assertion).await),
            Proof::Nothing => Err(OAuthError::client()),
        }
    }
}

async fn by_secret(
    asked: &Asked,
    client: &str,
    program: Option<Principal>,
    secret: String,
) -> Result<Option<Principal>, OAuthError> {
    let (compared, now) = (program.clone(), asked.now);
    let prove = move || match compared {
        Some(program) => program.has_secret(&secret, now),
        None => matches_nobody(&secret),
    };
    let proven = asked.app.desk.attempt(client, &asked.stranger.address, now, prove).await?;
    Ok(program.filter(|_| proven))
}

async fn by_assertion(asked: &Asked, program: Option<Principal>, assertion: &str) -> Option<Principal> {
    let program = program.filter(|program| program.enabled)?;
    let issuer = claimed_issuer(assertion)?;
    for federated in program.federated.iter().filter(|one| one.issuer == issuer) {
        if vouches(asked, federated, assertion).await {
            return Some(program);
        }
    }
    None
}

async fn vouches(asked: &Asked, federated: &Federated, assertion: &str) -> bool {
    let expected = Expected {
        issuer: &federated.issuer,
        subject: Some(&federated.subject),
        audiences: &federated.audiences,
    };
    if let Some(keys) = &federated.keys {
        return verify_assertion(assertion, keys, &expected, asked.now).is_ok();
    }
    let place = federated.keys_url.as_deref().map_or(Place::Provider(&federated.issuer), Place::Keys);
    asked.app.gate.outside().verify(assertion, place, &expected, asked.now).await.is_ok()
}

/// Client id and secret of `Authorization: Basic`, where both are percent-encoded (RFC 6749 section 2.3.1).
fn basic(headers: &HeaderMap) -> Result<Option<(String, String)>, OAuthError> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let read = || {
        let (scheme, rest) = value.to_str().ok()?.split_once(' ')?;
        let text = scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(rest.trim()).ok())??;
        let text = String::from_utf8(text).ok()?;
        let (client, secret) = text.split_once(':')?;
        Some((decode(&client.replace('+', " "))?, decode(&secret.replace('+', " "))?))
    };
    read().map(Some).ok_or_else(OAuthError::client)
}

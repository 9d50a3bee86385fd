//! Our own tokens: JWTs signed with ES256.
//!
//! An access token has one audience whatever its client asked for, because all that can be asked for is this server. An
//! `id_token` has its client as its audience, and a device code its own, so that neither passes for an access token.
//! Verification takes one algorithm, whatever the token says of itself. Reference: RFC 7519, RFC 9068 section 4.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::keys::{KeyError, KeyRing};
use crate::principal::{Kind, Principal};
use crate::random;

/// How long an access token is good for, in seconds.
pub const ACCESS_LIFETIME: u64 = 3_600;
/// How far clocks may differ, in seconds.
pub const CLOCK_SKEW: u64 = 30;
/// Longest token that is looked at, in bytes.
pub const TOKEN_LENGTH_MAX: usize = 8_192;

/// What an access token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Whom it is for.
    pub aud: String,
    /// Who issued it.
    pub iss: String,
    /// When it was issued.
    pub iat: u64,
    /// From when it is good.
    pub nbf: u64,
    /// Until when it is good.
    pub exp: u64,
    /// Object id of the principal.
    pub oid: Uuid,
    /// The same; a person's does not depend on the client here.
    pub sub: Uuid,
    /// Tenant.
    pub tid: Uuid,
    /// The client that asked for it.
    pub appid: String,
    /// `app` or `user`.
    pub idtyp: String,
    /// Version of this list.
    pub ver: String,
    /// Names the token.
    pub uti: String,
    /// Everything else, which clients read and we do not.
    #[serde(flatten)]
    pub more: BTreeMap<String, Value>,
}

/// Why a token is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is no token of ours.
    #[error("the access token is invalid")]
    Invalid,
    /// It was issued for something else.
    #[error("the access token has been issued for another audience or by another issuer")]
    Foreign,
    /// It has ended.
    #[error("the access token expiry UTC time has passed")]
    Expired,
    /// It is not good yet: a clock is wrong.
    #[error("the access token is not valid yet; compare the clocks")]
    Early,
}

/// What tokens say of who issues them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// The tenant.
    pub tenant: Uuid,
}

impl Issuer {
    /// The audience of all access tokens: what Azure's have, whatever a client asked for.
    pub const AUDIENCE: &str = "https://management.azure.com/";
    /// The audience of device codes.
    const DEVICE: &str = "urn:palisade:device";

    /// The `iss` of access tokens. It names the tenant and no address, for a server may have several.
    #[must_use]
    pub fn name(&self) -> String {
        format!("urn:palisade:tenant:{}", self.tenant)
    }

    /// Makes an access token for `principal`, which `client` asked for.
    ///
    /// # Errors
    /// The key cannot be used, or there is no randomness.
    pub fn access(
        &self,
        ring: &KeyRing,
        principal: &Principal,
        client: &str,
        now: u64,
    ) -> Result<String, KeyError> {
        let person = principal.kind == Kind::User;
        let mut more = BTreeMap::from([("name".to_owned(), Value::from(principal.name.as_str()))]);
        if let Some(user_name) = &principal.user_name {
            more.insert("upn".to_owned(), Value::from(user_name.as_str()));
            more.insert("unique_name".to_owned(), Value::from(user_name.as_str()));
            more.insert("scp".to_owned(), Value::from("user_impersonation"));
        }
        let claims = Claims {
            aud: Self::AUDIENCE.to_owned(),
            iss: self.name(),
            iat: now,
            nbf: now,
            exp: now + ACCESS_LIFETIME,
            oid: principal.id,
            sub: principal.id,
            tid: self.tenant,
            appid: client.to_owned(),
            idtyp: if person { "user" } else { "app" }.to_owned(),
            ver: "1.0".to_owned(),
            uti: random::new_id()?.simple().to_string(),
            more,
        };
        sign(ring, &claims)
    }

    /// Makes the `id_token` of a person for `client`, with `issuer` as the discovery document names it.
    ///
    /// # Errors
    /// The key cannot be used.
    pub fn identity(
        &self,
        ring: &KeyRing,
        principal: &Principal,
        client: &str,
        issuer: &str,
        now: u64,
    ) -> Result<String, KeyError> {
        let user_name = principal.user_name.as_deref().unwrap_or(&principal.name);
        let claims = serde_json::json!({
            "aud": client, "iss": issuer, "iat": now, "nbf": now, "exp": now + ACCESS_LIFETIME,
            "oid": principal.id, "sub": principal.id, "tid": self.tenant, "ver": "2.0",
            "name": principal.name, "preferred_username": user_name, "upn": user_name,
        });
        sign(ring, &claims)
    }

    /// What an access token says, if it is one of ours and good at `now`. Whether its principal still counts is another
    /// question.
    ///
    /// # Errors
    /// Why it is not accepted.
    pub fn verify(&self, ring: &KeyRing, token: &str, now: u64) -> Result<Claims, TokenError> {
        let claims: Claims = check(ring, token, Self::AUDIENCE, &self.name(), now)?;
        if now >= claims.exp.saturating_add(CLOCK_SKEW) {
            return Err(TokenError::Expired);
        }
        if now.saturating_add(CLOCK_SKEW) < claims.nbf.max(claims.iat) {
            return Err(TokenError::Early);
        }
        Ok(claims)
    }

    /// Makes a device code: it holds its user code, so that a server need not remember who has asked.
    ///
    /// # Errors
    /// The key cannot be used.
    pub fn device_code(&self, ring: &KeyRing, device: &DeviceClaims) -> Result<String, KeyError> {
        sign(ring, &Device { aud: Self::DEVICE.to_owned(), iss: self.name(), device: device.clone() })
    }

    /// What a device code says, also after it has ended.
    ///
    /// # Errors
    /// It is none of ours.
    pub fn read_device_code(&self, ring: &KeyRing, code: &str, now: u64) -> Result<DeviceClaims, TokenError> {
        Ok(check::<Device>(ring, code, Self::DEVICE, &self.name(), now)?.device)
    }
}

/// What a device code holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceClaims {
    /// The code that a person is asked for.
    pub user_code: String,
    /// The client that asked.
    pub client: String,
    /// Until when it can be approved and redeemed.
    pub exp: u64,
}

#[derive(Serialize, Deserialize)]
struct Device {
    aud: String,
    iss: String,
    #[serde(flatten)]
    device: DeviceClaims,
}

/// What MSAL wants beside an `id_token`, to name an account.
#[must_use]
pub fn client_info(principal: &Principal, tenant: Uuid) -> String {
    let names = serde_json::json!({ "uid": principal.id, "utid": tenant });
    URL_SAFE_NO_PAD.encode(names.to_string())
}

fn sign<T: Serialize>(ring: &KeyRing, claims: &T) -> Result<String, KeyError> {
    let header = Header { kid: ring.key_id(), ..Header::new(Algorithm::ES256) };
    jsonwebtoken::encode(&header, claims, &ring.signing()?)
        .map_err(|error| KeyError::Damaged(error.to_string()))
}

/// The claims of a token with a good signature, the right audience and issuer; its times are the caller's to judge.
fn check<T: serde::de::DeserializeOwned>(
    ring: &KeyRing,
    token: &str,
    audience: &str,
    issuer: &str,
    now: u64,
) -> Result<T, TokenError> {
    use jsonwebtoken::errors::ErrorKind;
    if token.len() > TOKEN_LENGTH_MAX {
        return Err(TokenError::Invalid);
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Invalid)?;
    let key = header.kid.and_then(|kid| ring.verifying(&kid, now)).ok_or(TokenError::Invalid)?;
    let mut rules = Validation::new(Algorithm::ES256);
    rules.validate_exp = false; // by the caller's clock, not by the system's
    rules.set_required_spec_claims(&["exp", "aud", "iss"]);
    rules.set_audience(&[audience]);
    rules.set_issuer(&[issuer]);
    jsonwebtoken::decode(token, &key, &rules).map(|data| data.claims).map_err(|error| match error.kind() {
        ErrorKind::InvalidAudience | ErrorKind::InvalidIssuer => TokenError::Foreign,
        _ => TokenError::Invalid,
    })
}

#[cfg(test)]
mod tests;

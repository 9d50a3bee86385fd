//! Tokens of issuers elsewhere: assertions that vouch for a program, and tokens of people from an OpenID provider.
//!
//! The keys are an argument; who fetches them, and when again, is others' work. Two algorithms are taken, RS256 and ES256,
//! and the key's own type must fit, so that no token can choose a weaker check. Reference: RFC 7523 section 3, OpenID
//! Connect Core section 3.1.3.7.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::Value;

use crate::token::CLOCK_SKEW;

pub use jsonwebtoken::jwk::JwkSet as KeySet;

/// Longest assertion that is looked at, in bytes.
pub const ASSERTION_LENGTH_MAX: usize = 16_384;
/// Shortest RSA modulus that is trusted, in bytes.
const RSA_BYTES_MIN: usize = 256;

/// What an assertion must say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected<'a> {
    /// Its `iss`.
    pub issuer: &'a str,
    /// Its `sub`, if that is known before.
    pub subject: Option<&'a str>,
    /// One of these must be in its `aud`.
    pub audiences: &'a [String],
}

/// What a good assertion says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Assertion {
    /// Who issued it.
    pub iss: String,
    /// Whom it is about.
    pub sub: String,
    /// When it ends.
    pub exp: u64,
    /// From when it is good.
    #[serde(default)]
    pub nbf: Option<u64>,
    /// Everything else.
    #[serde(flatten)]
    pub more: BTreeMap<String, Value>,
}

/// Why an assertion is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssertionError {
    /// It is no token, or has no good signature.
    #[error("the assertion is not signed by a key of its issuer")]
    Invalid,
    /// No key has its id: the keys may be old.
    #[error("no key of the issuer has the id \"{0}\"")]
    UnknownKey(String),
    /// It is signed in another way than RS256 or ES256, or with a key that is too short.
    #[error("the assertion must be signed with RS256 and at least 2048 bits, or with ES256")]
    Algorithm,
    /// It says something else than what was expected.
    #[error("the assertion's {0} is not the expected one")]
    Claim(&'static str),
    /// It has ended.
    #[error("the assertion has expired")]
    Expired,
    /// It is not good yet.
    #[error("the assertion is not valid yet; compare the clocks")]
    Early,
}

/// What `token` says about itself without any check: only good for choosing which check to make.
#[must_use]
pub fn claimed_issuer(token: &str) -> Option<String> {
    if token.len() > ASSERTION_LENGTH_MAX {
        return None;
    }
    let claims: Value = jsonwebtoken::dangerous::insecure_decode_claims(token).ok()?;
    claims.get("iss")?.as_str().map(str::to_owned)
}

/// Verifies `token` with the issuer's `keys`.
///
/// # Errors
/// Why it is not accepted.
pub fn verify_assertion(
    token: &str,
    keys: &KeySet,
    expected: &Expected<'_>,
    now: u64,
) -> Result<Assertion, AssertionError> {
    if token.len() > ASSERTION_LENGTH_MAX {
        return Err(AssertionError::Invalid);
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| AssertionError::Invalid)?;
    let key = choose(keys, header.kid.as_deref())?;
    let algorithm = algorithm_of(key).filter(|&one| one == header.alg).ok_or(AssertionError::Algorithm)?;
    let decoding = DecodingKey::from_jwk(key).map_err(|_| AssertionError::Algorithm)?;

    let mut rules = Validation::new(algorithm);
    rules.validate_exp = false; // by the caller's clock, not by the system's
    rules.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
    rules.set_audience(expected.audiences);
    rules.set_issuer(&[expected.issuer]);
    rules.sub = expected.subject.map(str::to_owned);
    let claims = jsonwebtoken::decode(token, &decoding, &rules)
        .map(|data| data.claims)
        .map_err(|error| reason(&error))?;
    in_time(claims, now)
}

fn reason(error: &jsonwebtoken::errors::Error) -> AssertionError {
    use jsonwebtoken::errors::ErrorKind;
    match error.kind() {
        ErrorKind::InvalidAudience => AssertionError::Claim("aud"),
        ErrorKind::InvalidIssuer => AssertionError::Claim("iss"),
        ErrorKind::InvalidSubject => AssertionError::Claim("sub"),
        ErrorKind::MissingRequiredClaim(_) => AssertionError::Claim("list of aud, exp, iss and sub"),
        _ => AssertionError::Invalid,
    }
}

fn in_time(claims: Assertion, now: u64) -> Result<Assertion, AssertionError> {
    if now >= claims.exp.saturating_add(CLOCK_SKEW) {
        return Err(AssertionError::Expired);
    }
    if claims.nbf.is_some_and(|from| now.saturating_add(CLOCK_SKEW) < from) {
        return Err(AssertionError::Early);
    }
    Ok(claims)
}

/// The key with the id; without an id, the only one.
fn choose<'a>(keys: &'a KeySet, kid: Option<&str>) -> Result<&'a Jwk, AssertionError> {
    match (kid, &keys.keys[..]) {
        (Some(kid), _) => keys.find(kid).ok_or_else(|| AssertionError::UnknownKey(kid.to_owned())),
        (None, [only]) => Ok(only),
        (None, _) => Err(AssertionError::UnknownKey(String::new())),
    }
}

/// The one algorithm that a key is used with.
fn algorithm_of(key: &Jwk) -> Option<Algorithm> {
    match &key.algorithm {
        AlgorithmParameters::RSA(rsa) => {
            let modulus = URL_SAFE_NO_PAD.decode(&rsa.n).ok()?;
            (modulus.len() >= RSA_BYTES_MIN).then_some(Algorithm::RS256)
        }
        AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => {
            Some(Algorithm::ES256)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;

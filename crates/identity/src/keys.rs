//! The keys that our tokens are signed with.
//!
//! One key signs; those before it still verify until the last token that they signed has ended. The ring is one record of
//! the store, so that all servers on it sign alike.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::{Jwk, JwkSet, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use p256::pkcs8::EncodePrivateKey as _;
use serde::{Deserialize, Serialize};

use crate::random::{self, RandomError};
use crate::token::{ACCESS_LIFETIME, CLOCK_SKEW};

/// How long a key signs, in seconds: 90 days.
const SIGNING_LIFETIME: u64 = 90 * 86_400;
/// Characters of a key's id.
const KEY_ID_BYTES: usize = 12;

/// A key, or what is left of it.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The system gives no randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The record of the key is damaged.
    #[error("the signing key in the store cannot be used: {0}")]
    Damaged(String),
}

/// The key that signs, and those that did.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyRing {
    /// PKCS #8, in Base64.
    private: String,
    /// The public half of it.
    public: Jwk,
    /// When it was made.
    created: u64,
    /// Mixed into what is derived and not signed.
    pepper: String,
    retired: Vec<Retired>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Retired {
    public: Jwk,
    /// When its last token has ended.
    until: u64,
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyRing").field("kid", &self.public.common.key_id).finish_non_exhaustive()
    }
}

impl KeyRing {
    /// A ring with a new key.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn generate(now: u64) -> Result<Self, KeyError> {
        let (private, public) = new_key()?;
        Ok(Self { private, public, created: now, pepper: random::new_secret()?, retired: Vec::new() })
    }

    /// The ring with a new key that signs; the one before still verifies what it has signed.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn rotated(&self, now: u64) -> Result<Self, KeyError> {
        let (private, public) = new_key()?;
        let mut retired = self.retired.clone();
        retired.retain(|key| key.until > now);
        retired.push(Retired { public: self.public.clone(), until: now + ACCESS_LIFETIME + CLOCK_SKEW });
        Ok(Self { private, public, created: now, pepper: self.pepper.clone(), retired })
    }

    /// Whether the key has signed long enough.
    #[must_use]
    pub fn is_due(&self, now: u64) -> bool {
        now >= self.created.saturating_add(SIGNING_LIFETIME)
    }

    /// The public keys that verify at `now`, as clients fetch them.
    #[must_use]
    pub fn public(&self, now: u64) -> JwkSet {
        let retired = self.retired.iter().filter(|key| key.until > now).map(|key| &key.public);
        JwkSet { keys: std::iter::once(&self.public).chain(retired).cloned().collect() }
    }

    /// Id of the key that signs.
    pub(crate) fn key_id(&self) -> Option<String> {
        self.public.common.key_id.clone()
    }

    /// The key that signs.
    pub(crate) fn signing(&self) -> Result<EncodingKey, KeyError> {
        let der = STANDARD.decode(&self.private).map_err(|error| KeyError::Damaged(error.to_string()))?;
        Ok(EncodingKey::from_ec_der(&der))
    }

    /// The key with the id `kid`, if it verifies at `now`.
    pub(crate) fn verifying(&self, kid: &str, now: u64) -> Option<DecodingKey> {
        let is_it = |key: &&Jwk| key.common.key_id.as_deref() == Some(kid);
        let retired = self.retired.iter().filter(|key| key.until > now).map(|key| &key.public);
        let key = std::iter::once(&self.public).chain(retired).find(is_it)?;
        DecodingKey::from_jwk(key).ok()
    }

    /// A text that only holders of the ring can derive from `text`.
    pub(crate) fn seal(&self, text: &str) -> String {
        crate::fingerprint(&format!("{}\n{text}", self.pepper))
    }
}

/// A new key: the private half in PKCS #8, and the public half as it is published.
fn new_key() -> Result<(String, Jwk), KeyError> {
    let damaged = |error: &dyn std::fmt::Display| KeyError::Damaged(error.to_string());
    let secret = loop {
        // All but 2^-32 of the 256-bit numbers are keys.
        if let Ok(secret) = p256::SecretKey::from_slice(&random::bytes::<32>()?) {
            break secret;
        }
    };
    let der = secret.to_pkcs8_der().map_err(|error| damaged(&error))?;
    let signing = EncodingKey::from_ec_der(der.as_bytes());
    let mut public = Jwk::from_encoding_key(&signing, Algorithm::ES256).map_err(|error| damaged(&error))?;
    public.common.key_id = Some(URL_SAFE_NO_PAD.encode(random::bytes::<KEY_ID_BYTES>()?));
    public.common.public_key_use = Some(PublicKeyUse::Signature);
    public.common.key_operations = Some(vec![KeyOperations::Verify]);
    Ok((STANDARD.encode(der.as_bytes()), public))
}

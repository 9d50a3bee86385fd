//! The signing keys and the tokens that they have verified, kept at hand.
//!
//! A signature costs more to verify than everything else that a request does, and a client sends the same token for an
//! hour. What is kept is forgotten as soon as the record of the keys is another one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use palisade_control::{Control, ControlError};
use palisade_identity::{Issuer, KeyRing, TokenError, fingerprint};
use serde_json::Value;
use uuid::Uuid;

use super::directory;

/// Most tokens that are remembered; when there are more, all are forgotten.
const VERIFIED_MAX: usize = 4_096;

/// What is remembered of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verified {
    pub(super) oid: Uuid,
    pub(super) issued: u64,
    expires: u64,
}

#[derive(Debug, Default)]
struct Known {
    record: Value,
    ring: Option<Arc<KeyRing>>,
    tokens: HashMap<String, Verified>,
}

/// Keys and tokens of one server.
#[derive(Debug, Default)]
pub(super) struct Rings {
    known: Mutex<Known>,
}

impl Rings {
    /// The keys of this moment.
    pub(super) fn ring(&self, control: &Control) -> Result<Arc<KeyRing>, ControlError> {
        self.with(control, |known| known.ring.clone()).ok_or_else(|| {
            ControlError::new(500, "SigningKeyMissing", "The store has no signing key that can be read.")
        })
    }

    /// Who has the token, if it is good at `now`.
    pub(super) fn verify(
        &self,
        control: &Control,
        issuer: &Issuer,
        token: &str,
        now: u64,
    ) -> Result<Verified, TokenError> {
        let key = fingerprint(token);
        let (ring, seen) = self.with(control, |known| (known.ring.clone(), known.tokens.get(&key).copied()));
        if let Some(seen) = seen.filter(|seen| now < seen.expires) {
            return Ok(seen);
        }
        let ring = ring.ok_or(TokenError::Invalid)?;
        let claims = issuer.verify(&ring, token, now)?;
        let verified = Verified { oid: claims.oid, issued: claims.iat, expires: claims.exp };
        self.with(control, |known| {
            if known.ring.as_ref() == Some(&ring) {
                if known.tokens.len() >= VERIFIED_MAX {
                    known.tokens.clear();
                }
                known.tokens.insert(key, verified);
            }
        });
        Ok(verified)
    }

    /// What is known, after it was compared with the store's record.
    fn with<R>(&self, control: &Control, read: impl FnOnce(&mut Known) -> R) -> R {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        control.read(|world| {
            let record = world.record(directory::KEY).unwrap_or(&Value::Null);
            if known.record != *record {
                *known = Known {
                    record: record.clone(),
                    ring: directory::read(record).map(Arc::new),
                    tokens: HashMap::new(),
                };
            }
        });
        read(&mut known)
    }
}

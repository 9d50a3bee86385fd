//! Join tokens: how a machine becomes a host of the fleet, once each.
//!
//! The store holds the SHA-256 of a token under `join/`, never the token, so that who reads the store cannot join.
//! Consuming a token and registering the host are the same transaction: two machines that come with one token cannot
//! both be let in, on whichever servers they knock.

use palisade_sync::{Hash, token};
use serde::{Deserialize, Serialize};

use super::HostName;
use super::host::{HostCertificate, HostRecord};
use crate::{ControlError, Expect, RecordChange};

/// Where join tokens are in the store.
pub const TOKEN_PREFIX: &str = "join/";
/// Longest time that a join token may be good for: 30 days.
pub const TOKEN_SECONDS_MAX: u64 = 30 * 86_400;

/// What the store keeps of a join token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenRecord {
    /// When it ends, in seconds since 1970.
    pub expires: u64,
    /// The only host that may use it, if it was made for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostName>,
}

impl TokenRecord {
    /// The token in a value of the store; `None` if it is damaged, which lets nobody in.
    pub fn read(value: &serde_json::Value) -> Option<Self> {
        Self::deserialize(value).ok()
    }

    /// A new token of the authority with this fingerprint: its text, which nobody can learn again, and the change that makes
    /// it good.
    pub(super) fn create(&self, authority: Hash) -> (String, RecordChange) {
        // Two random UUIDs: 244 bits that nobody guesses.
        let [first, second] = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()].map(uuid::Uuid::into_bytes);
        let mut secret = [0; token::SECRET_BYTES];
        secret[..16].copy_from_slice(&first);
        secret[16..].copy_from_slice(&second);
        let text = token::JoinToken::new(authority, secret).to_string();
        let value = serde_json::to_value(self).expect("a record of texts and numbers is JSON");
        let change = RecordChange { key: key_of(&text), value: Some(value), expect: Expect::Absent };
        (text, change)
    }
}

/// The key of the token of this text.
pub fn key_of(text: &str) -> String {
    format!("{TOKEN_PREFIX}{}", token::digest(text.trim()))
}

/// The changes by which `host` joins with a token: the token is used up, the host is registered.
///
/// `stored` is what the store holds under [`key_of`]; `certificate` was signed for the host.
///
/// # Errors
/// The token is unknown, used, has ended, or was made for another host.
pub fn consume(
    key: String,
    stored: Option<&serde_json::Value>,
    host: &HostName,
    certificate: HostCertificate,
    now: u64,
) -> Result<Vec<RecordChange>, ControlError> {
    check(stored, host, now)?;
    let used = stored.cloned().map_or(Expect::Absent, Expect::Equals);
    let record = HostRecord::new(now, certificate).to_value();
    Ok(vec![
        RecordChange { key, value: None, expect: used },
        RecordChange { key: host.key(), value: Some(record), expect: Expect::Absent },
    ])
}

/// Whether a host may join with this token now. Asked before a certificate is signed, and again when it is consumed.
///
/// # Errors
/// As of [`consume`].
pub fn check(stored: Option<&serde_json::Value>, host: &HostName, now: u64) -> Result<(), ControlError> {
    let refused = |message: String| Err(ControlError::new(401, "InvalidJoinToken", message));
    let Some(token) = stored.and_then(TokenRecord::read) else {
        return refused("the join token is unknown or was used already (create another)".to_owned());
    };
    if token.expires <= now {
        return refused("the join token has expired (create another)".to_owned());
    }
    match &token.host {
        Some(own) if own != host => {
            refused(format!("the join token is for host \"{own}\", not for \"{host}\""))
        }
        _ => Ok(()),
    }
}

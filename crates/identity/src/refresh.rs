//! Refresh tokens: opaque, kept as a hash, used once.
//!
//! Each use gives a new one of the same family. One that is used again after a moment's grace, for a client may have lost
//! the answer or run twice at once, is taken for stolen, and the whole family ends. Reference: RFC 9700 section 4.14.2.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::principal::Principal;

/// How long one may stay unused, in seconds: 30 days.
pub const REFRESH_LIFETIME: u64 = 30 * 86_400;
/// How long after its use it is still taken, in seconds.
pub const REFRESH_REUSE_GRACE: u64 = 60;

/// The record of one refresh token, under the hash of the token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refresh {
    /// Object id of whom it is for.
    pub principal: Uuid,
    /// The client that it was given to.
    pub client: String,
    /// What it descends from.
    pub family: Uuid,
    /// When it was issued.
    pub issued: u64,
    /// When it was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<u64>,
}

/// What a use of one leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshUse {
    /// It is good.
    Good,
    /// It has ended, is another client's, or its principal does not count any more.
    Ended,
    /// It was used before: its whole family must end.
    Stolen,
}

impl Refresh {
    /// When it ends.
    #[must_use]
    pub fn expires(&self) -> u64 {
        self.issued.saturating_add(REFRESH_LIFETIME)
    }

    /// Judges a use by `client` for `principal`, which its record names, if that is still there.
    #[must_use]
    pub fn judge(&self, client: &str, principal: Option<&Principal>, now: u64) -> RefreshUse {
        if self.used.is_some_and(|used| now > used.saturating_add(REFRESH_REUSE_GRACE)) {
            return RefreshUse::Stolen;
        }
        let counts = principal.is_some_and(|one| one.enabled && self.issued >= one.tokens_from);
        if counts && now < self.expires() && self.client == client {
            RefreshUse::Good
        } else {
            RefreshUse::Ended
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{REFRESH_LIFETIME, REFRESH_REUSE_GRACE, Refresh, RefreshUse};
    use crate::principal::Principal;

    #[test]
    fn a_refresh_token_is_used_once_by_its_client_in_its_time() {
        let mut user = Principal::user("ada@lab", "Ada", 0).unwrap();
        let fresh =
            Refresh { principal: user.id, client: "c".to_owned(), family: user.id, issued: 100, used: None };
        assert_eq!(fresh.judge("c", Some(&user), 101), RefreshUse::Good);
        assert_eq!(fresh.judge("d", Some(&user), 101), RefreshUse::Ended);
        assert_eq!(fresh.judge("c", None, 101), RefreshUse::Ended);
        assert_eq!(fresh.judge("c", Some(&user), 100 + REFRESH_LIFETIME), RefreshUse::Ended);

        let used = Refresh { used: Some(200), ..fresh.clone() };
        assert_eq!(used.judge("c", Some(&user), 200 + REFRESH_REUSE_GRACE), RefreshUse::Good);
        assert_eq!(used.judge("c", Some(&user), 201 + REFRESH_REUSE_GRACE), RefreshUse::Stolen);

        user.tokens_from = 101;
        assert_eq!(fresh.judge("c", Some(&user), 101), RefreshUse::Ended);
        user.tokens_from = 0;
        user.enabled = false;
        assert_eq!(fresh.judge("c", Some(&user), 101), RefreshUse::Ended);
    }
}

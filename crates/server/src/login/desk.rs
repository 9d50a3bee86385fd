//! What the token service remembers between requests: wrong attempts, and how many hashes are being made.
//!
//! A hash costs memory and time on purpose; so many are made at once, and whoever comes then waits in line. Attempts are
//! counted by what was typed, whether that exists or not, so that waiting tells nothing. Nothing of this must survive.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use palisade_identity::{BY_ACCOUNT, BY_ADDRESS, Backoff, Patience, fingerprint};
use tokio::sync::Semaphore;

use super::error::OAuthError;

/// Most hashes at once.
const HASHES_MAX: usize = 2;
/// Most requests that wait for a hash.
const WAITING_MAX: usize = 128;
/// Most accounts and addresses whose attempts are remembered.
const ATTEMPTS_MAX: usize = 20_000;

/// The state of a token service.
#[derive(Debug)]
pub struct Desk {
    hashes: Semaphore,
    waiting: Semaphore,
    attempts: Mutex<HashMap<String, Backoff>>,
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            hashes: Semaphore::new(HASHES_MAX),
            waiting: Semaphore::new(WAITING_MAX),
            attempts: Mutex::default(),
        }
    }
}

impl Desk {
    /// Runs `prove`, which compares a secret, for `account` from `address`, and counts it if it says no.
    pub(super) async fn attempt(
        &self,
        account: &str,
        address: &str,
        now: u64,
        prove: impl FnOnce() -> bool + Send + 'static,
    ) -> Result<bool, OAuthError> {
        let keys = keys(account, address);
        let wait =
            keys.iter().map(|(key, patience)| self.wait(key, *patience, now)).max().unwrap_or_default();
        if wait > 0 {
            return Err(OAuthError::wait(wait));
        }
        let proven = self.hash(prove).await.ok_or_else(|| OAuthError::wait(1))?;
        if proven {
            self.forget(&keys[0].0);
        } else {
            self.count(&keys, now);
        }
        Ok(proven)
    }

    /// Runs what makes a hash, in line with others; nothing if the line is too long.
    pub(crate) async fn hash<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Option<R> {
        let _in_line = self.waiting.try_acquire().ok()?;
        let _place = self.hashes.acquire().await.ok()?;
        tokio::task::spawn_blocking(work).await.ok()
    }

    fn wait(&self, key: &str, patience: Patience, now: u64) -> u64 {
        self.with(|attempts| attempts.get(key).map_or(0, |backoff| backoff.wait(patience, now)))
    }

    fn count(&self, keys: &[(String, Patience)], now: u64) {
        self.with(|attempts| {
            if attempts.len() + keys.len() > ATTEMPTS_MAX {
                attempts.retain(|_, backoff| !backoff.is_forgotten(now));
            }
            for (key, _) in keys {
                // A full table makes room by dropping any: who fills it has many addresses, and each of them waits.
                if attempts.len() >= ATTEMPTS_MAX && !attempts.contains_key(key) {
                    let any = attempts.keys().next().cloned();
                    any.map(|any| attempts.remove(&any));
                }
                attempts.entry(key.clone()).or_default().failed(now);
            }
        });
    }

    fn forget(&self, key: &str) {
        self.with(|attempts| attempts.remove(key));
    }

    fn with<R>(&self, work: impl FnOnce(&mut HashMap<String, Backoff>) -> R) -> R {
        work(&mut self.attempts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Under what an attempt is counted: the account from this address, and the account from anywhere.
fn keys(account: &str, address: &str) -> [(String, Patience); 2] {
    let account = account.to_lowercase();
    [(fingerprint(&format!("{account}\n{address}")), BY_ADDRESS), (fingerprint(&account), BY_ACCOUNT)]
}

#[cfg(test)]
mod tests {
    use super::Desk;

    #[tokio::test]
    async fn wrong_attempts_wait_and_do_not_lock_out_another_address() {
        let desk = Desk::default();
        for _ in 0..6 {
            assert_eq!(desk.attempt("Ada", "192.0.2.1", 100, || false).await, Ok(false));
        }
        let refused = desk.attempt("ada", "192.0.2.1", 100, || panic!("must not be looked at")).await;
        assert_eq!(refused.unwrap_err().status, 429);
        assert_eq!(desk.attempt("ada", "192.0.2.2", 100, || true).await, Ok(true));
        assert_eq!(desk.attempt("ada", "192.0.2.1", 101, || true).await, Ok(true));
        assert_eq!(
            desk.attempt("ada", "192.0.2.1", 101, || false).await,
            Ok(false),
            "counted from the beginning"
        );
        assert_eq!(desk.attempt("ada", "192.0.2.1", 101, || true).await, Ok(true));
    }
}

//! Hashes of secrets and passwords: argon2id, so that a stolen store does not give them away.
//!
//! Comparing takes the same time whether the secret is right or wrong, and [`matches_nobody`] takes it where there is
//! nothing to compare with, so that an answer's time does not tell who exists. Reference: RFC 9106; the cost is OWASP's
//! first choice for one lane.

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Params, PasswordVerifier, Version};
use serde::{Deserialize, Serialize};

use crate::random::{self, RandomError};

/// Memory for one hash, in KiB.
const MEMORY_KIB: u32 = 19_456;
/// Passes over that memory.
const PASSES: u32 = 2;
/// Lanes.
const LANES: u32 = 1;
/// Bytes of a salt.
const SALT_LENGTH: usize = 16;
/// Bytes of a hash.
const HASH_LENGTH: usize = 32;

/// Longest secret or password that is looked at, in bytes.
pub const SECRET_LENGTH_MAX: usize = 1_024;

/// The hash of a secret, in the PHC text format.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretHash(String);

impl std::fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretHash(..)")
    }
}

impl SecretHash {
    /// Hashes `secret` with a new salt. Takes tens of milliseconds.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn of(secret: &str) -> Result<Self, RandomError> {
        let salt: [u8; SALT_LENGTH] = random::bytes()?;
        Ok(Self(hash(secret, &salt).to_string()))
    }

    /// Whether this is the hash of `secret`. Takes as long if it is not.
    #[must_use]
    pub fn matches(&self, secret: &str) -> bool {
        let Ok(hash) = PasswordHash::new(&self.0) else {
            return matches_nobody(secret);
        };
        secret.len() <= SECRET_LENGTH_MAX && argon2().verify_password(secret.as_bytes(), &hash).is_ok()
    }
}

/// Takes as long as [`SecretHash::matches`] and says no.
#[must_use]
pub fn matches_nobody(secret: &str) -> bool {
    if secret.len() <= SECRET_LENGTH_MAX {
        std::hint::black_box(hash(secret, &[0; SALT_LENGTH]));
    }
    false
}

fn argon2() -> Argon2<'static> {
    let params =
        Params::new(MEMORY_KIB, PASSES, LANES, Some(HASH_LENGTH)).expect("the cost is within RFC 9106");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash(secret: &str, salt: &[u8; SALT_LENGTH]) -> PasswordHash {
    let argon2 = argon2();
    let mut output = [0; HASH_LENGTH];
    argon2.hash_password_into(secret.as_bytes(), salt, &mut output).expect("the lengths are within RFC 9106");
    PasswordHash {
        algorithm: argon2::ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(argon2.params()).expect("parameters have a text"),
        salt: Some(Salt::new(salt).expect("16 bytes are a salt")),
        hash: Some(Output::new(&output).expect("32 bytes are a hash")),
    }
}

#[cfg(test)]
mod tests {
    use super::{SECRET_LENGTH_MAX, SecretHash, matches_nobody};

    #[test]
    fn a_hash_knows_its_secret_and_no_other() {
        let hash = SecretHash::of("correct horse").unwrap();
        assert!(hash.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.0);
        assert!(hash.matches("correct horse"));
        assert!(!hash.matches("correct horsf"));
        assert!(!hash.matches(""));
        assert!(!hash.matches(&"x".repeat(SECRET_LENGTH_MAX + 1)));
        assert_ne!(hash, SecretHash::of("correct horse").unwrap(), "salts differ");
        assert_eq!(format!("{hash:?}"), "SecretHash(..)");
    }

    #[test]
    fn what_is_no_hash_matches_nothing() {
        assert!(!SecretHash(String::new()).matches(""));
        assert!(!matches_nobody("anything"));
    }
}

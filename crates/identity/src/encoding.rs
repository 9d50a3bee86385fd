//! Bytes as text.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// SHA-256 of a text in hexadecimal digits: what a secret with enough randomness of its own is filed under.
#[must_use]
pub fn fingerprint(text: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(text))
}

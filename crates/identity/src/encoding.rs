//! Bytes as text.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// SHA-256 of a text in hexadecimal digits: what a secret with enough randomness of its own is filed under.
#[must_use]
pub fn fingerprint(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::with_capacity(64), |mut digits, byte| {
        let _ = write!(digits, "{byte:02x}"); // a String takes everything
        digits
    })
}

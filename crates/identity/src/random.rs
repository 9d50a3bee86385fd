//! Names and secrets that nobody can guess.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

/// Bytes of randomness in a secret that is made here.
const SECRET_BYTES: usize = 32;

/// The system gives no randomness.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random bytes: {0}")]
pub struct RandomError(pub(crate) String);

/// Random bytes.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], RandomError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| RandomError(error.to_string()))?;
    Ok(bytes)
}

/// A new id.
///
/// # Errors
/// The system gives no randomness.
pub fn new_id() -> Result<Uuid, RandomError> {
    Ok(uuid::Builder::from_random_bytes(bytes()?).into_uuid())
}

/// A new secret: 256 bits but for a little, in characters that need no quoting, and none that a command would take for an option.
///
/// # Errors
/// The system gives no randomness.
pub fn new_secret() -> Result<String, RandomError> {
    loop {
        let secret = URL_SAFE_NO_PAD.encode(bytes::<SECRET_BYTES>()?);
        if !secret.starts_with('-') {
            return Ok(secret);
        }
    }
}

//! What an administrator carries from the server to a host that is to join: a secret that works once, and the fingerprint
//! of the authority, so that the host knows on first contact whom it gives the secret to.
//!
//! Text form: `pal1.` and 64 bytes in unpadded base64 for URLs: SHA-256 of the authority's certificate (DER), then the
//! secret. Servers keep [`JoinToken::digest`], never the token.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use crate::documents::Hash;

/// What a token begins with; the number is the form's.
const PREFIX: &str = "pal1.";
/// Bytes of a secret.
pub const SECRET_BYTES: usize = 32;

/// A token.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    authority: Hash,
    secret: [u8; SECRET_BYTES],
}

/// A text that is not a token. It does not repeat the text, which may be one with a slip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the join token is not one (it begins with \"{PREFIX}\" and has 91 characters: copy it whole)")]
pub struct JoinTokenError;

impl JoinToken {
    /// A token of the authority with this fingerprint. The secret must come from a cryptographic source of randomness.
    pub const fn new(authority: Hash, secret: [u8; SECRET_BYTES]) -> Self {
        Self { authority, secret }
    }

    /// SHA-256 of the authority's certificate.
    pub const fn authority(&self) -> &Hash {
        &self.authority
    }

    /// By what a server knows it: SHA-256 of its text, in hexadecimal.
    pub fn digest(&self) -> String {
        digest(&self.to_string())
    }
}

/// By what a server knows the token of this text.
pub fn digest(text: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(text))
}

impl FromStr for JoinToken {
    type Err = JoinTokenError;

    fn from_str(text: &str) -> Result<Self, JoinTokenError> {
        let encoded = text.trim().strip_prefix(PREFIX).ok_or(JoinTokenError)?;
        let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| JoinTokenError)?;
        let (authority, secret) = bytes.split_at_checked(32).ok_or(JoinTokenError)?;
        let (Ok(authority), Ok(secret)) = (authority.try_into(), secret.try_into()) else {
            return Err(JoinTokenError);
        };
        Ok(Self { authority, secret })
    }
}

impl fmt::Display for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [self.authority.as_slice(), &self.secret].concat();
        write!(f, "{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }
}

/// Without the secret, which must not stand in a log.
impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinToken").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_token_are_the_same() {
        let token = JoinToken::new([0xfb; 32], [0xff; SECRET_BYTES]);
        let text = token.to_string();
        assert_eq!((text.len(), text.parse()), (91, Ok(token.clone())));
        assert_eq!(format!(" {text}\n").parse(), Ok(token.clone()), "files end with a line break");
        assert_eq!(token.digest(), digest(&text));
        assert_eq!(format!("{token:?}"), "JoinToken { .. }");
    }

    #[test]
    fn what_is_cut_or_changed_in_form_is_no_token() {
        let text = JoinToken::new([1; 32], [2; SECRET_BYTES]).to_string();
        for wrong in
            ["", "pal1.", &text[1..], &text[..90], &format!("{text}A"), &text.replace("pal1", "pal2")]
        {
            assert_eq!(wrong.parse::<JoinToken>(), Err(JoinTokenError), "{wrong}");
        }
    }
}

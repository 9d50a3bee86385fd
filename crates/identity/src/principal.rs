//! Principals: people and programs, with what proves who they are.
//!
//! A user has a password, or comes from an issuer elsewhere; a service principal has secrets, or is vouched for by an
//! issuer elsewhere. A host is no principal: it has a certificate. Invariant: one attempt costs one hash, however many
//! secrets there are, for a secret begins with a hint that tells which it could be.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::assertion::KeySet;
use crate::random::{self, RandomError};
use crate::secret::{SecretHash, matches_nobody};

/// Longest name, in characters.
pub const NAME_LENGTH_MAX: usize = 128;
/// Most secrets of one principal.
pub const SECRETS_MAX: usize = 10;
/// Most issuers that vouch for one principal.
pub const FEDERATED_MAX: usize = 20;
/// Shortest password, in characters.
pub const PASSWORD_LENGTH_MIN: usize = 12;
/// Longest password, in characters.
pub const PASSWORD_LENGTH_MAX: usize = 256;
/// Longest time that a secret is good for, in seconds: two years.
pub const SECRET_LIFETIME_MAX: u64 = 2 * 365 * 86_400;

/// Characters of a secret that its record keeps.
const HINT_LENGTH: usize = 6;

/// What a principal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// A person.
    User,
    /// A program.
    ServicePrincipal,
}

impl Kind {
    /// The name that Azure has for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::ServicePrincipal => "ServicePrincipal",
        }
    }
}

/// One secret of a service principal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Secret {
    /// Names the secret, so that it can be taken away.
    pub id: Uuid,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// Its first characters, by which people and attempts find it.
    pub hint: String,
    /// Its hash.
    pub hash: SecretHash,
    /// When it was made.
    pub created: u64,
    /// When it ends.
    pub expires: u64,
}

/// An issuer elsewhere that vouches for a service principal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Federated {
    /// Names this entry.
    pub name: String,
    /// What the assertion must have as `iss`.
    pub issuer: String,
    /// What it must have as `sub`.
    pub subject: String,
    /// One of these must be in its `aud`.
    pub audiences: Vec<String>,
    /// The issuer's keys, if they are given here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<KeySet>,
    /// Where the issuer's keys are, if they are not given here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys_url: Option<String>,
}

/// The issuer elsewhere that a user comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Who says so.
    pub issuer: String,
    /// Who it is there.
    pub subject: String,
}

/// A person or a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Principal {
    /// Object id.
    pub id: Uuid,
    /// What it is.
    pub kind: Kind,
    /// Its name, as people know it.
    pub name: String,
    /// The id that a program logs in with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<Uuid>,
    /// The name that a person logs in with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_name: Option<String>,
    /// Whether it may log in, and whether its tokens count.
    pub enabled: bool,
    /// When it was made.
    pub created: u64,
    /// Tokens that were issued before do not count.
    #[serde(default)]
    pub tokens_from: u64,
    /// Secrets of a program.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<Secret>,
    /// Who vouches for a program.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub federated: Vec<Federated>,
    /// Hash of a person's password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretHash>,
    /// Where a person comes from who has no password here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

/// What a principal cannot be or have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrincipalError {
    /// The name is empty, too long, or has control characters.
    #[error("a name needs 1 to {NAME_LENGTH_MAX} characters, none of them a control character")]
    Name,
    /// The password is too short or too long.
    #[error("a password needs {PASSWORD_LENGTH_MIN} to {PASSWORD_LENGTH_MAX} characters, and has {0}")]
    Password(usize),
    /// A person has no secrets, a program no password.
    #[error("a {} has no {what}", kind.as_str())]
    Kind {
        /// What it is.
        kind: Kind,
        /// What it cannot have.
        what: &'static str,
    },
    /// There are too many.
    #[error("a principal has at most {1} {0}: remove one first")]
    TooMany(&'static str, usize),
    /// The time is over or too long.
    #[error("a secret must end within {} days, and not in the past", SECRET_LIFETIME_MAX / 86_400)]
    Lifetime,
    /// The system gives no randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
}

impl Principal {
    /// A program without secrets.
    ///
    /// # Errors
    /// The name cannot be one, or there is no randomness.
    pub fn service(name: &str, now: u64) -> Result<Self, PrincipalError> {
        Ok(Self { application: Some(random::new_id()?), ..Self::new(Kind::ServicePrincipal, name, now)? })
    }

    /// A person without a password.
    ///
    /// # Errors
    /// A name cannot be one, or there is no randomness.
    pub fn user(user_name: &str, name: &str, now: u64) -> Result<Self, PrincipalError> {
        let user_name = checked_name(user_name)?;
        Ok(Self { user_name: Some(user_name), ..Self::new(Kind::User, name, now)? })
    }

    fn new(kind: Kind, name: &str, now: u64) -> Result<Self, PrincipalError> {
        Ok(Self {
            id: random::new_id()?,
            kind,
            name: checked_name(name)?,
            application: None,
            user_name: None,
            enabled: true,
            created: now,
            tokens_from: 0,
            secrets: Vec::new(),
            federated: Vec::new(),
            password: None,
            origin: None,
        })
    }

    /// Adds a secret that is made here, and tells it, which nobody can do later.
    ///
    /// # Errors
    /// It is a person, has enough secrets, or `expires` is out of bounds.
    pub fn add_secret(
        &mut self,
        description: &str,
        expires: u64,
        now: u64,
    ) -> Result<String, PrincipalError> {
        if self.kind != Kind::ServicePrincipal {
            return Err(PrincipalError::Kind { kind: self.kind, what: "secrets" });
        }
        if expires <= now || expires > now + SECRET_LIFETIME_MAX {
            return Err(PrincipalError::Lifetime);
        }
        self.secrets.retain(|secret| secret.expires > now);
        if self.secrets.len() >= SECRETS_MAX {
            return Err(PrincipalError::TooMany("secrets", SECRETS_MAX));
        }
        let text = self.fresh_secret()?;
        self.secrets.push(Secret {
            id: random::new_id()?,
            description: description.chars().take(NAME_LENGTH_MAX).collect(),
            hint: hint(&text).to_owned(),
            hash: SecretHash::of(&text)?,
            created: now,
            expires,
        });
        Ok(text)
    }

    /// A secret whose hint no other has.
    fn fresh_secret(&self) -> Result<String, RandomError> {
        loop {
            let text = random::new_secret()?;
            if self.secrets.iter().all(|other| other.hint != hint(&text)) {
                return Ok(text);
            }
        }
    }

    /// Adds an issuer that vouches for a program, in place of one of the same name.
    ///
    /// # Errors
    /// It is a person, or has enough issuers.
    pub fn add_federated(&mut self, federated: Federated) -> Result<(), PrincipalError> {
        if self.kind != Kind::ServicePrincipal {
            return Err(PrincipalError::Kind { kind: self.kind, what: "federated credentials" });
        }
        checked_name(&federated.name)?;
        self.federated.retain(|other| other.name != federated.name);
        if self.federated.len() >= FEDERATED_MAX {
            return Err(PrincipalError::TooMany("federated credentials", FEDERATED_MAX));
        }
        self.federated.push(federated);
        Ok(())
    }

    /// Gives a person a password. Tokens that were issued before do not count any more.
    ///
    /// # Errors
    /// It is a program, or the password is too short or too long.
    pub fn set_password(&mut self, password: &str, now: u64) -> Result<(), PrincipalError> {
        if self.kind != Kind::User {
            return Err(PrincipalError::Kind { kind: self.kind, what: "password" });
        }
        let length = password.chars().count();
        if !(PASSWORD_LENGTH_MIN..=PASSWORD_LENGTH_MAX).contains(&length) {
            return Err(PrincipalError::Password(length));
        }
        self.password = Some(SecretHash::of(password)?);
        self.tokens_from = now;
        Ok(())
    }

    /// Whether `text` is a secret of this principal that has not ended. One hash, right or wrong.
    #[must_use]
    pub fn has_secret(&self, text: &str, now: u64) -> bool {
        let candidate = self.secrets.iter().find(|secret| secret.expires > now && secret.hint == hint(text));
        let matching = candidate.map_or_else(|| matches_nobody(text), |secret| secret.hash.matches(text));
        matching && self.enabled
    }

    /// Whether `text` is this person's password. One hash, right or wrong.
    #[must_use]
    pub fn has_password(&self, text: &str) -> bool {
        let matching = self.password.as_ref().map_or_else(|| matches_nobody(text), |hash| hash.matches(text));
        matching && self.enabled
    }
}

/// The first characters of a secret, or all of a shorter one.
fn hint(text: &str) -> &str {
    text.char_indices().nth(HINT_LENGTH).map_or(text, |(end, _)| &text[..end])
}

fn checked_name(name: &str) -> Result<String, PrincipalError> {
    let name = name.trim();
    let sound =
        !name.is_empty() && name.chars().count() <= NAME_LENGTH_MAX && !name.chars().any(char::is_control);
    if sound { Ok(name.to_owned()) } else { Err(PrincipalError::Name) }
}

#[cfg(test)]
mod tests {
    use super::{Principal, PrincipalError, SECRET_LIFETIME_MAX, SECRETS_MAX};

    #[test]
    fn a_secret_is_good_until_it_ends_and_while_its_principal_is_enabled() {
        let mut program = Principal::service("deploy", 100).unwrap();
        let secret = program.add_secret("ci", 200, 100).unwrap();
        assert!(program.has_secret(&secret, 199));
        assert!(!program.has_secret(&secret, 200));
        assert!(!program.has_secret(&format!("{secret}x"), 150));
        assert!(!program.has_secret("", 150));
        program.enabled = false;
        assert!(!program.has_secret(&secret, 150));
    }

    #[test]
    fn secrets_are_limited_and_ended_ones_make_room() {
        let mut program = Principal::service("deploy", 0).unwrap();
        program.add_secret("old", 50, 0).unwrap();
        for _ in 1..SECRETS_MAX {
            program.add_secret("", 1_000, 0).unwrap();
        }
        assert_eq!(program.add_secret("", 1_000, 0), Err(PrincipalError::TooMany("secrets", SECRETS_MAX)));
        assert!(program.add_secret("", 1_000, 50).is_ok());
        assert_eq!(program.add_secret("", 50, 50), Err(PrincipalError::Lifetime));
        assert_eq!(program.add_secret("", 51 + SECRET_LIFETIME_MAX, 50), Err(PrincipalError::Lifetime));
    }

    #[test]
    fn passwords_have_a_length_and_programs_have_none() {
        let mut user = Principal::user("ada@lab.local", "Ada", 0).unwrap();
        assert!(!user.has_password(""));
        assert_eq!(user.set_password("elevenchars", 5), Err(PrincipalError::Password(11)));
        user.set_password("twelve chars", 5).unwrap();
        assert!(user.has_password("twelve chars") && !user.has_password("twelve charS"));
        assert_eq!(user.tokens_from, 5);
        assert!(user.add_secret("", 10, 0).is_err());
        assert!(Principal::service("p", 0).unwrap().set_password("twelve chars", 0).is_err());
    }

    #[test]
    fn names_are_checked() {
        for name in ["", "  ", "a\nb", &"x".repeat(129)] {
            assert_eq!(Principal::service(name, 0), Err(PrincipalError::Name), "{name:?}");
        }
    }
}

//! Who somebody is, and what they may do: principals and their secrets, tokens, roles and where they hold.
//!
//! Everything here is a value or a function of its arguments: the present time, in seconds since 1970, is one of them, and
//! randomness is the only thing that comes from outside. It must not keep anything, nor know how a request arrives.
//!
//! Invariant: what cannot be understood is refused. A token that is not ours, a scope that is not one, a role that nobody
//! knows: none of them allows anything. Reference: docs/adr/0027-own-token-service.md.

mod action;
mod assertion;
mod backoff;
mod encoding;
mod keys;
mod principal;
mod random;
mod refresh;
mod rights;
mod role;
mod scope;
mod secret;
mod token;
mod user_code;

pub use action::{is_action, matches};
pub use assertion::{
    ASSERTION_LENGTH_MAX, Assertion, AssertionError, Expected, KeySet, claimed_issuer, verify_assertion,
};
pub use backoff::{BY_ACCOUNT, BY_ADDRESS, Backoff, Patience};
pub use encoding::fingerprint;
pub use keys::{KeyError, KeyRing};
pub use principal::{
    FEDERATED_MAX, Federated, Kind, NAME_LENGTH_MAX, Origin, PASSWORD_LENGTH_MAX, PASSWORD_LENGTH_MIN,
    Principal, PrincipalError, SECRET_LIFETIME_MAX, SECRETS_MAX, Secret,
};
pub use random::{RandomError, new_id, new_secret};
pub use refresh::{REFRESH_LIFETIME, REFRESH_REUSE_GRACE, Refresh, RefreshUse};
pub use rights::{Assignment, Rights, allows};
pub use role::{Permission, Role, RoleError, built_in, id as role_id};
pub use scope::{Scope, ScopeError};
pub use secret::{SECRET_LENGTH_MAX, SecretHash, matches_nobody};
pub use token::{
    ACCESS_LIFETIME, CLOCK_SKEW, Claims, DeviceClaims, Issuer, TOKEN_LENGTH_MAX, TokenError, client_info,
};
pub use user_code::UserCode;

//! What is wanted of a machine: numbers from which on something is no finding, and findings that are accepted. The defaults are those of CIS and STIG.

use crate::Acceptance;

/// A profile.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Profile {
    /// Failed logons after which an account locks, at most.
    pub lockout_threshold_max: u32,
    /// Minutes for which it locks, at least.
    pub lockout_minutes_min: u32,
    /// Minutes for which failed logons are counted, at least.
    pub lockout_window_minutes_min: u32,
    /// Shortest password that is accepted, at least.
    pub password_length_min: u32,
    /// Other administrators beside the built-in one, at most.
    pub administrators_max: usize,
    /// Tries of a password in one SSH connection, at most.
    pub ssh_max_auth_tries_max: u32,
    /// Seconds in which an SSH connection has to log in, at most.
    pub ssh_login_grace_seconds_max: u32,
    /// Bits of an RSA key that may log in, at least.
    pub rsa_bits_min: u32,
    /// Findings that are accepted. An audit finds them nevertheless; [`crate::Report::accept`] marks them.
    pub accepted: Vec<Acceptance>,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            lockout_threshold_max: 5,
            lockout_minutes_min: 15,
            lockout_window_minutes_min: 15,
            password_length_min: 14,
            administrators_max: 1,
            ssh_max_auth_tries_max: 4,
            ssh_login_grace_seconds_max: 60,
            rsa_bits_min: 3072,
            accepted: Vec::new(),
        }
    }
}

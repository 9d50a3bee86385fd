//! The hosts that enforce: who they are, what each is to have, and what each has.
//!
//! [`gather`] tells a host's span from one consistent world, [`concerned`] which hosts a change concerns, and the [`Board`] what they
//! report, which is what long-running operations wait for. It opens no connection: a server does, for the hosts that come to it.
//! Reference: docs/adr/0029-spans-and-operations.md.

mod binding;
mod board;
mod concern;
mod host;
mod hosts;
mod mirror;
mod operation;
mod span;
mod status;
mod tags;
#[cfg(test)]
mod tests;
mod token;

pub(crate) use binding::Bindings;
pub use board::{Board, CONFIRM_TIMEOUT, OPERATIONS_MAX};
pub use concern::concerned;
pub(crate) use concern::judged;
pub use host::{
    CERTIFICATES_PER_HOST_MAX, HOST_PREFIX, HostCertificate, HostName, HostRecord, INTERFACE_TEXT_BYTES_MAX,
    Interface, MACS_PER_INTERFACE_MAX,
};
pub use hosts::{
    HostView, create_join_token, get, join, list, may_join, remove, renew, revoke, tell_inventory,
};
pub use mirror::{MIRROR_EVERY, STATUS_PREFIX, keep_mirror, watch_mirror};
pub use operation::{InForce, OperationState};
pub(crate) use span::gathered;
pub use span::{Gathered, Renderer, Span, gather};
pub use status::{HostReport, NicStatus, Standing};
pub use token::{TOKEN_PREFIX, TOKEN_SECONDS_MAX, TokenRecord};

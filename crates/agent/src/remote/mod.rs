//! An agent of a server: how it joins, what it is told, and what it tells.
//!
//! Two halves. [`client`] and [`session`] are the protocol and nothing else: no kernel, no disk; whoever simulates agents
//! uses them too. [`Link`] is a thread with the protocol in it, beside the loop of the agent: it keeps the connection, and
//! the two give each other only the newest of everything, so neither ever waits for the other and no queue can grow.
//!
//! Documents travel, not rules: the host lowers them itself, refuses what it cannot enforce and proves what it has by a
//! hash ([`report`]). What was accepted last is on disk ([`journal`]), and is enforced with no server.
//!
//! Reference: docs/adr/0028-documents-travel-not-rules.md.

mod address;
mod backoff;
pub mod client;
mod credentials;
mod error;
pub mod inventory;
pub mod journal;
mod link;
pub mod report;
pub mod session;
#[cfg(test)]
mod tests;
mod tunnel;
mod vault;

pub use palisade_sync::{JoinToken, host::name as host_name, trust::Authority};

pub use address::ServerAddress;
pub use backoff::Backoff;
pub use client::{Connection, Trust};
pub use credentials::Credentials;
pub use error::RemoteError;
pub use link::{Contact, Link, News, ServerOptions, Standing};
pub use session::{Session, Snapshot};
pub use vault::{Joined, Vault};

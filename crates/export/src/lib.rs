//! The effective rules of an interface as rules of the machine's own firewall: a second wall, inside the guest.
//!
//! Both forms let in and out what the rules of the interface do, at one moment, and remember connections as it does. What only
//! a deployment can tell is refused and never guessed. It must not decide anything itself: the tests hold each form against the
//! oracle. Semantics: `docs/semantics.md`.

pub mod nftables;
mod plain;
pub mod windows;

pub use plain::{ExportError, Plain};

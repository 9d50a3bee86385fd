//! The bytes of a compiled rule list, as the kernel program reads them.
//!
//! [`compile`] writes them and [`BlobView`] checks and reads them: it is the last check before bytes reach the kernel,
//! and its lookups follow the kernel program's step for step, so that a compiled policy can be compared with its rules
//! before it is published. The layout is described in [`palisade_abi::policy`].
//! Invariant: no bytes make this module panic, and bytes that pass [`BlobView::parse`] never make a lookup leave them.

mod check;
mod encode;
mod error;
mod grid;
mod reader;
mod view;

pub use encode::compile;
pub use error::BlobError;
pub use view::{BlobView, Fragment, Lookup};

/// Numbers are written little-endian and headers in memory order.
const _: () = assert!(cfg!(target_endian = "little"), "policy blobs are written for little-endian hosts");

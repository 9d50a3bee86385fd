//! Clean states of disks, and the way back to them.
//!
//! A machine that was taken cannot be trusted again by repairing it. What can be trusted is a disk whose every byte is known: it is read while
//! nobody writes to it, sealed by a tree of hashes and a signature, and the machine runs on an overlay that can be thrown away. This crate knows files
//! and QEMU's control socket; policies and audits come through traits. It must not speak to a server, nor judge what is in a guest.
//! Reference: docs/recovery.md.

pub mod evidence;
mod files;
pub mod image;
pub mod key;
pub mod merkle;
pub mod revert;
pub mod scan;
pub mod state;

pub use files::FileError;

//! Structs that Palisade and its kernel program both read and write, defined once.
//!
//! The C header `palisade_abi.h` is generated from these definitions ([`header::render`]) when the kernel program
//! is built, and a test compares both with the type information in the compiled object. It must not contain
//! behaviour: only layouts, codes and limits. Every struct is `repr(C)`, has explicit padding and no pointers; an
//! *offset* is a byte distance from the start of the arena, or from the start of the blob where it says so.
#![no_std]
extern crate alloc;

#[macro_use]
mod define;

pub mod arena;
pub mod counters;
pub mod event;
pub mod flow;
pub mod header;
pub mod policy;
pub mod verdict;

pub use define::{CConst, CField, CStruct, Pod};

/// Layout version. A program refuses an arena of another version, and the agent an older program.
pub const ABI_VERSION: u32 = 4;

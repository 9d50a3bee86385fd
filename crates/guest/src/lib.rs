//! What a machine's own files tell of how it is guarded, without an agent in it: a folder, hives, or a disk.
//!
//! It must not know where files come from, nor print or keep what a password was made into.

pub mod registry;

#[cfg(test)]
mod testing;

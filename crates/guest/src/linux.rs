//! Linux, by its files.

pub mod sshd;

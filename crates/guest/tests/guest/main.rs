//! Readers of a machine's files, held against programs that read the same: sshd, and hives of real machines.

mod hives;
mod sshd;

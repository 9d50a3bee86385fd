//! Readers of a machine's files, held against programs that read the same: sshd, hives of real machines, and tools that make file systems.

mod ext4;
mod ext4_journal;
mod hives;
mod nftables;
mod sshd;
mod sudo;
mod volumes;

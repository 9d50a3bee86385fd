//! The benchmark's own kernel programs: two that make packets, one that counts and swallows them.
//!
//! [`inject`] lets frames arrive at an interface as a driver would, [`sink`] ends their way behind the firewall that is
//! measured, so that nothing of the receiver is measured with it, and [`drive`] runs one program on packets that nobody
//! else sees. None of them knows what the firewall is. Nothing is pinned: all is gone with the process.

mod asm;
pub mod drive;
pub mod flows;
pub mod inject;
pub mod sink;
mod sys;

//! The benchmark's own kernel programs: one that makes packets, one that counts and swallows them.
//!
//! [`inject`] lets frames arrive at an interface as a driver would, [`sink`] ends their way behind the firewall that is
//! measured, so that nothing of the receiver is measured with it. Neither knows what the firewall is.

mod asm;
pub mod inject;
pub mod sink;
mod sys;

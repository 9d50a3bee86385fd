//! Tests on the real kernel: packets by test run, interfaces in network namespaces of their own.
//!
//! They need root and a kernel with arenas; without, each prints why it did not run.

mod adopt;
mod bench;
mod flows;
mod icmp;
mod interfaces;
mod layout;
mod packets;
mod publish;
mod reasons;
mod rig;
mod tcp;

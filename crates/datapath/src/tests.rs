//! Tests on the real kernel: packets by test run, interfaces in network namespaces of their own.
//!
//! They need root; without, each prints why it did not run. A kernel with arenas runs them on both kinds of memory.

mod adopt;
mod audit;
mod changes;
mod events;
mod flows;
mod fragments;
mod guards;
mod icmp;
mod interfaces;
mod layout;
mod limits;
mod odd;
mod pace;
mod publish;
mod reasons;
mod rejudge;
mod rig;
mod rules;
#[path = "../tests/shared/mod.rs"]
mod shared;
mod sweep;
mod tcp;
mod upgrade;
mod windows;

//! The datapath between real network stacks, probed with the tools that people probe firewalls with, and with frames that
//! no stack would send.
//!
//! Each test has a host, a machine behind an interface of it, and a peer: network namespaces without names, which end with
//! the test's process however that ends. What the rules mean is not decided here; a test says what it expects of them.

mod children;
mod flood;
mod fragments;
mod full;
mod kinds;
mod namespace;
mod neighbour;
mod scene;
#[path = "../shared/mod.rs"]
mod shared;
mod tool;
mod traffic;
mod wire;

mod crash;
mod errors;
mod expiry;
mod pings;
mod protocols;
mod rejudge;
mod scans;
mod spoof;
mod throughput;
mod web;

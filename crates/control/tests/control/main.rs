//! The control plane over a real store: what it answers, what it refuses, and what is left when things go wrong.

mod access;
mod answers;
mod balancers;
mod concurrent;
mod etags;
mod etcd;
mod faults;
mod gate;
mod gate_standing;
mod gate_writers;
mod groups;
mod large;
#[path = "../../../store/tests/suite/support.rs"]
mod member;
mod real;
mod refusals;
mod reload;
mod resources;
mod support;
mod throttles;
mod tunnels;
mod unreliable;

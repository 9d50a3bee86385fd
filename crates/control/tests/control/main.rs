//! The control plane over a real store: what it answers, what it refuses, and what is left when things go wrong.

mod resources;
mod support;

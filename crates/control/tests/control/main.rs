//! The control plane over a real store: what it answers, what it refuses, and what is left when things go wrong.

mod concurrent;
mod etags;
mod faults;
mod groups;
mod real;
mod refusals;
mod resources;
mod support;

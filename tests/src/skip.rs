//! Tests that cannot run on this machine say so and why; a test that is silent has run.

use palisade_lab::{Lab, Lifetime, netns, netns::registry::unique_name};

use crate::kernel;

/// What keeps this process from enforcing in namespaces of its own, if anything does.
pub fn obstacle() -> Option<String> {
    netns::obstacle().map(|reason| reason.to_string()).or_else(kernel::obstacle)
}

/// A fresh lab; `None`, with the reason printed, where there can be none.
///
/// # Panics
/// If a lab should come up here and does not.
pub fn lab() -> Option<Lab> {
    if let Some(reason) = obstacle() {
        println!("skipped: {reason}");
        return None;
    }
    Some(Lab::up(&unique_name(), Lifetime::Process).expect("the lab comes up"))
}

//! Tests of the lab itself, in network namespaces of their own.

mod lab;
mod tour;

use palisade_lab::netns::obstacle;
use palisade_lab::netns::registry::unique_name;
use palisade_lab::{Lab, Lifetime};

/// A fresh lab, or nothing on a machine that cannot have one; the reason is printed.
fn lab_or_skip() -> Option<Lab> {
    if let Some(reason) = obstacle() {
        println!("skipped: {reason}");
        return None;
    }
    Some(Lab::up(&unique_name(), Lifetime::Process).expect("the lab comes up"))
}

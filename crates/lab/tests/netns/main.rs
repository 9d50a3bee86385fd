//! Tests of the lab itself, in network namespaces of their own.

mod lab;
mod tour;

use palisade_lab::netns::ip::load_nft;
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

/// Lets web1's own packet filter answer what comes in by these statements.
fn filter_at_web1(lab: &Lab, statements: &str) {
    let rules =
        format!("table inet t {{ chain c {{ type filter hook input priority 0\n{statements}\n}}\n}}\n");
    load_nft(&lab.of(lab.host("web1").expect("listed")), &rules).expect("nft loads");
}

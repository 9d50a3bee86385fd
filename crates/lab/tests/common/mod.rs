//! What the namespace tests share: a lab of their own, or the reason why there is none.

use std::sync::atomic::{AtomicU32, Ordering};

use palisade_lab::netns::obstacle;
use palisade_lab::{Lab, Lifetime};

/// A name that no other test uses, in this process or another.
pub fn unique_name() -> String {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    format!("t{}x{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed))
}

/// A fresh lab, or nothing on a machine that cannot have one; the reason is printed.
pub fn lab_or_skip() -> Option<Lab> {
    if let Some(reason) = obstacle() {
        println!("skipped: {reason}");
        return None;
    }
    Some(Lab::up(&unique_name(), Lifetime::Process).expect("the lab comes up"))
}

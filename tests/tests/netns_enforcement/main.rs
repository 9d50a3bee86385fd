//! The real agent and real packets in namespaces: what passes, what does not, and what happens while things change.

mod change;
mod crash;
mod interfaces;
mod scene;
mod verdicts;

/// The agent itself: the tests run this program again to have it as a process of its own.
#[test]
fn agent_process() {
    palisade_tests::agent::be_the_agent();
}

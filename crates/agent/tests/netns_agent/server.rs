//! An agent whose estate a server gives: from what the server says to what packets do, and back.

use nix::sys::signal::Signal;

use crate::fleet::{Fleet, estate, wait_for};
use crate::{ANSWER, OPEN, SHUT, answers, enforced, is_dropped, stage};

/// The most memory of its own that an idle agent of a server may have.
const MEMORY_BYTES_MAX: u64 = 40 << 20;

#[test]
fn what_a_server_says_is_what_packets_see_with_and_without_it() {
    let Some(stage) = stage() else { return };
    let mut fleet = Fleet::start();
    stage.add_machine();
    stage.raise_machine();
    let _echo = stage.serve(&[OPEN, SHUT]);
    let token = fleet.token().to_string();
    let agent = stage.start_agent_of(&fleet.address(), &token);
    wait_for("the agent to be there", || stage.status().server.filter(|server| server.connected));
    assert!(answers(&stage, SHUT, ANSWER), "before the first state nobody is cut off");

    let first = fleet.give(&estate(&["web1-nic"], &OPEN.to_string()));
    fleet.in_force(first);
    assert!(answers(&stage, OPEN, ANSWER), "what is reported is in force");
    is_dropped(&stage, SHUT);
    let report = fleet.reported("the NIC", |report| !report.nics.is_empty());
    assert_eq!((report.nics[0].interface.as_str(), report.nics[0].error.as_str()), ("vm0", ""));
    let names =
        |inventory: &palisade_sync::Inventory| inventory.interfaces.iter().any(|found| found.name == "vm0");
    let told = fleet.mind().hellos.iter().any(|hello| names(hello.inventory.as_ref().unwrap()));
    assert!(told, "the server was told of the interface");

    let mut fastest = std::time::Duration::MAX;
    for port in [SHUT, OPEN, SHUT] {
        let revision = fleet.give(&estate(&["web1-nic"], &port.to_string()));
        fastest = fastest.min(fleet.in_force(revision));
        assert!(answers(&stage, port, ANSWER));
    }
    println!("from the server's change to the report: {fastest:?} (best of three)");
    is_dropped(&stage, OPEN);

    let bad = fleet.give(&estate(&["web1-nic"], "80-x"));
    let refused = fleet.reported("a refusal", |report| report.seen_revision == bad);
    assert!(refused.error.contains("SecurityRuleInvalidPortRange") && refused.applied_revision == bad - 1);
    assert!(answers(&stage, SHUT, ANSWER));
    is_dropped(&stage, OPEN);
    let memory = agent.memory();
    println!("memory of the agent: {} KiB", memory / 1024);
    assert!(memory <= MEMORY_BYTES_MAX, "{memory} bytes");

    fleet.stop();
    wait_for("the status to say that the server is gone", || {
        stage.status().server.filter(|server| !server.connected && server.error.is_some())
    });
    agent.signal(Signal::SIGKILL);
    drop(agent);
    palisade_agent::remove(stage.instance()).unwrap();
    assert!(answers(&stage, OPEN, ANSWER), "as after a start of the host: nothing is in the kernel");
    let _agent = stage.start_agent_of(&fleet.address(), &token);
    enforced(&stage);
    assert!(answers(&stage, SHUT, ANSWER), "the last good state is enforced with no server");
    is_dropped(&stage, OPEN);

    fleet.resume();
    let last = fleet.give(&estate(&["web1-nic"], &OPEN.to_string()));
    fleet.in_force(last);
    assert!(answers(&stage, OPEN, ANSWER));
    is_dropped(&stage, SHUT);
}

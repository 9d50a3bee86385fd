//! The first start on a host whose machines run already.

use std::fs;

use serde_json::{Value, json};

use crate::fleet::wait_for;
use crate::stage::{Stage, VM};
use crate::{ANSWER, OPEN, answers, is_dropped, stage};
use crate::{SHUT, stage::AgentProcess};

/// Machines beside the one that is asked: attaching to all of them takes the kernel a while.
const OTHERS: u8 = 20;

/// An estate with NICs for all of them, and the interfaces.
fn plug_in_others(stage: &Stage) {
    let mut estate: Value = serde_json::from_slice(&fs::read(stage.estate_file()).unwrap()).unwrap();
    let resources = estate["resources"].as_array_mut().unwrap();
    let nic = resources.iter().find(|one| one["name"] == "web1-nic").unwrap().clone();
    for number in 0..OTHERS {
        let mut other = nic.clone();
        other["name"] = json!(format!("other{number}-nic"));
        let address = &mut other["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"];
        *address = json!(format!("10.0.0.{}", 100 + number));
        resources.push(other);
        stage.ip(&format!("link add vm{} type veth peer name eth{}", number + 1, number + 1));
        stage.ip(&format!("link set vm{} alias other{number}-nic", number + 1));
        stage.ip(&format!("link set vm{} up", number + 1));
    }
    fs::write(stage.estate_file(), estate.to_string()).unwrap();
}

/// Waits until every machine is enforced, with traffic to the first one all the while.
fn is_enforced_under_traffic(stage: &Stage) -> AgentProcess {
    let agent = stage.start_agent();
    let socket = stage.host_socket();
    wait_for("every machine to be enforced", || {
        socket.send_to(b"?", (VM, OPEN)).unwrap();
        let status = stage.status();
        let enforced = status.nics.iter().filter(|nic| nic.attached && nic.in_force).count();
        (enforced == usize::from(OTHERS) + 1).then_some(())
    });
    agent
}

#[test]
fn nobody_is_cut_off_while_others_are_attached() {
    let Some(stage) = stage() else { return };
    stage.write_estate(OPEN);
    stage.add_machine();
    stage.raise_machine();
    plug_in_others(&stage);
    let _server = stage.serve(&[OPEN, SHUT]);
    assert!(answers(&stage, SHUT, ANSWER), "nothing is enforced yet");
    let _agent = is_enforced_under_traffic(&stage);
    let status = stage.status();
    assert_eq!(status.dropped_without_policy, 0, "no interface was attached before its policy was in force");
    let dropped: u64 = status.nics.iter().flat_map(|nic| nic.inbound.dropped.values()).sum();
    assert_eq!(dropped, 0, "what rules allow was never dropped");
    assert!(answers(&stage, OPEN, ANSWER));
    is_dropped(&stage, SHUT);
}

#[test]
fn a_first_estate_that_is_refused_cuts_nobody_off() {
    let Some(stage) = stage() else { return };
    fs::write(stage.estate_file(), "{").unwrap();
    stage.add_machine();
    stage.raise_machine();
    let _server = stage.serve(&[OPEN, SHUT]);
    let _agent = stage.start_agent();
    wait_for("the estate to be refused", || stage.status().refused);
    assert!(answers(&stage, SHUT, ANSWER));
    stage.write_estate(OPEN);
    wait_for("the repaired estate to be in force", || {
        stage.status().nics.first().is_some_and(|nic| nic.attached && nic.in_force).then_some(())
    });
    is_dropped(&stage, SHUT);
    assert!(answers(&stage, OPEN, ANSWER));
}

//! The lab as the command runs it: `palisade up` in it, deployed to through the API, and real packets.
//!
//! The service tag of the last situation reaches the agent from its server and from nowhere else.

use std::process::{Command, Output};

use palisade_lab::netns::{obstacle, registry::unique_name};
use serde_json::Value;

use crate::{PALISADE, succeeded};

/// Ordered pairs of hosts with policy between them, nine services, two families.
const CELLS: usize = 1_080;

/// Runs `palisade lab`; nothing on a machine that cannot have one, and the reason is printed.
fn lab(arguments: &[&str]) -> Option<Output> {
    if let Some(reason) = obstacle() {
        println!("skipped: {reason}");
        return None;
    }
    let mut command = Command::new(PALISADE);
    command.arg("lab").args(arguments).args(["--name", &unique_name()]);
    Some(succeeded(command))
}

#[test]
fn every_cell_of_a_deployed_estate_is_as_predicted() {
    let Some(output) = lab(&["run", "--once", "--format", "json"]) else { return };
    let matrix: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(matrix["mismatches"], 0);
    assert_eq!(matrix["cells"].as_array().map(Vec::len), Some(CELLS));
}

#[test]
fn the_stories_hold_when_every_change_is_a_deployment() {
    let Some(output) = lab(&["tour"]) else { return };
    let story = String::from_utf8(output.stdout).expect("the story is text");
    println!("{story}");
    assert!(story.trim_end().ends_with("0 did not."), "{story}");
    for told in ["Medium RDP_Incoming_BF_OneToOne", "Critical RDP_Incoming_BF_Success", "Medium PortScanning"]
    {
        assert!(story.contains(&format!("alert: {told}")), "{told}: {story}");
    }
}

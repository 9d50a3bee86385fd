//! `palisade up` at ports that the kernel chooses: its agent finds the server beside it all the same.

use palisade_lab::{
    Lifetime,
    netns::{ip::Batch, obstacle, registry::unique_name, stage::Stage},
};

use crate::up::Up;

#[test]
fn the_agent_joins_at_whatever_port_its_server_took() {
    if let Some(reason) = obstacle() {
        println!("skipped: {reason}");
        return;
    }
    let stage = Stage::up(&unique_name(), Lifetime::Process, &["host"], |stage| {
        Batch::new().line("link set lo up").run_in(&stage.namespace("host"))
    });
    let stage = stage.expect("a namespace");
    let (_up, _client) = Up::start(&stage, &[]);
}

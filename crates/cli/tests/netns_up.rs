//! `palisade up` at ports that the kernel chooses: its agent finds the server beside it all the same.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use palisade_client::{Bootstrap, Client};
use palisade_lab::{
    Lifetime,
    netns::{ip::Batch, obstacle, registry::unique_name, stage::Stage},
};

const PALISADE: &str = env!("CARGO_BIN_EXE_palisade");
const ANY_PORT: &str = "127.0.0.1:0";
const HOST: &str = "h";
/// Far longer than it takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that is killed, and whose instance is taken out of the kernel, however the test ends.
struct Up<'s> {
    child: Child,
    instance: &'s str,
}

impl Drop for Up<'_> {
    fn drop(&mut self) {
        let _over = self.child.kill();
        let _over = self.child.wait();
        let _gone = Command::new(PALISADE).args(["detach", "--instance", self.instance]).output();
    }
}

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
    let data = stage.folder().join("data");
    let child = stage
        .command("host", PALISADE)
        .expect("the namespace is there")
        .args(["up", "--listen", ANY_PORT, "--agents-listen", ANY_PORT, "--host", HOST])
        .args(["--instance", stage.name(), "--data"])
        .arg(&data)
        .stdin(Stdio::null())
        .spawn()
        .expect("the command starts");
    let mut up = Up { child, instance: stage.name() };
    let begun = Instant::now();
    let has_joined = || stage.namespace("host").enter(|| knows_its_host(&data)).expect("it is there");
    while !has_joined() {
        assert!(up.child.try_wait().expect("it is ours").is_none(), "it ended");
        assert!(begun.elapsed() < PATIENCE, "its agent has not joined");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Whether the server of this data folder serves, and its host has joined.
fn knows_its_host(data: &Path) -> bool {
    let Ok(bootstrap) = Bootstrap::read(&data.join("bootstrap.json")) else { return false };
    let profile = bootstrap.profile().expect("the authority is written before");
    Client::of(profile).and_then(|client| client.host(HOST)).is_ok()
}

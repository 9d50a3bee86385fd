//! `palisade up` in a namespace of a stage, and the command beside it.

use std::{
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use palisade_client::{Bootstrap, Client};
use palisade_lab::netns::stage::Stage;
use serde_json::Value;

use crate::{PALISADE, PATIENCE, succeeded};

/// Name of the host whose agent it is.
const HOST: &str = "h";

/// Server and agent in one process, which is killed, and whose instance is taken out of the kernel, however the test ends.
pub struct Up<'s> {
    child: Child,
    stage: &'s Stage,
}

impl<'s> Up<'s> {
    /// Starts them in the namespace `host`, and waits until the one serves the other; the client works in that namespace only.
    pub fn start(stage: &'s Stage, more: &[&str]) -> (Self, Client) {
        let child = stage
            .command("host", PALISADE)
            .expect("the namespace is there")
            .args(["up", "--listen", "127.0.0.1:0", "--agents-listen", "127.0.0.1:0", "--host", HOST])
            .args(["--instance", stage.name(), "--data"])
            .arg(data(stage))
            .args(more)
            .stdin(Stdio::null())
            .spawn()
            .expect("the command starts");
        let mut up = Self { child, stage };
        let begun = Instant::now();
        loop {
            let client = stage.namespace("host").enter(|| client_of_a_joined_host(stage));
            if let Some(client) = client.expect("the namespace is there") {
                return (up, client);
            }
            assert!(up.child.try_wait().expect("it is ours").is_none(), "it ended");
            assert!(begun.elapsed() < PATIENCE, "its agent has not joined");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Kills both.
    pub fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it is ours");
    }
}

impl Drop for Up<'_> {
    fn drop(&mut self) {
        let _over = self.child.kill();
        let _over = self.child.wait();
        let _gone = Command::new(PALISADE).args(["detach", "--instance", self.stage.name()]).output();
    }
}

fn data(stage: &Stage) -> PathBuf {
    stage.folder().join("data")
}

fn client_of_a_joined_host(stage: &Stage) -> Option<Client> {
    let bootstrap = Bootstrap::read(&data(stage).join("bootstrap.json")).ok()?;
    let client = Client::of(bootstrap.profile().ok()?).ok()?;
    client.host(HOST).ok().map(|_| client)
}

/// Logs the command in as the first principal of the server.
pub fn login(stage: &Stage) {
    let bootstrap = data(stage).join("bootstrap.json");
    palisade(stage, &["login", "--bootstrap", bootstrap.to_str().expect("a path of text")]);
}

/// Makes another principal and logs it in, as the profile of its name; without a profile the command goes on as before.
pub fn login_another(stage: &Stage, principal: &str) {
    let made = palisade(stage, &["principal", "create", principal, "--format", "json"]);
    let made: Value = serde_json::from_slice(&made.stdout).expect("JSON");
    let bootstrap = std::fs::read(data(stage).join("bootstrap.json")).expect("it is there");
    let bootstrap: Value = serde_json::from_slice(&bootstrap).expect("JSON");
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_else(|| panic!("{value}")).to_owned();
    let (endpoint, ca) = (text(&bootstrap, "endpoint"), text(&bootstrap, "caFile"));
    let (name, secret) = (text(&made, "clientId"), text(&made, "clientSecret"));
    let who = ["--service-principal", "-u", &name, "-p", &secret, "--profile", principal];
    palisade(stage, &[&["login", "--endpoint", &endpoint, "--ca-file", &ca], &who[..]].concat());
    // Who logged in last is whom the command speaks for.
    login(stage);
}

/// The command as who `login` made it.
pub fn command(stage: &Stage) -> Command {
    let mut command = stage.command("host", PALISADE).expect("the namespace is there");
    command.env("HOME", stage.folder()).env_remove("XDG_CONFIG_HOME").env_remove("PALISADE_PROFILE");
    command
}

/// Runs it as the principal of a profile.
pub fn palisade_as(stage: &Stage, profile: &str, words: &[&str]) -> Output {
    let mut command = command(stage);
    command.env("PALISADE_PROFILE", profile).args(words);
    succeeded(command)
}

/// Runs it.
pub fn palisade(stage: &Stage, words: &[&str]) -> Output {
    let mut command = command(stage);
    command.args(words);
    succeeded(command)
}

//! Firecracker's command line: the name is there, the cards are in the configuration file that it names.
//!
//! A machine that is configured over the API socket has only its open devices to be known by.

use std::fs;

use serde::Deserialize;

use super::Claim;
use super::process::Process;

/// The part of the configuration that is about cards.
#[derive(Deserialize)]
struct Configuration {
    #[serde(default, rename = "network-interfaces")]
    interfaces: Vec<Interface>,
}

#[derive(Deserialize)]
struct Interface {
    host_dev_name: String,
    guest_mac: Option<String>,
}

/// The machine's name, and its cards.
pub(super) fn read(process: &Process) -> (Option<String>, Vec<Claim>) {
    let value = |option: &str| {
        let place = process.arguments.iter().position(|argument| argument == option)?;
        process.arguments.get(place + 1)
    };
    let configured = value("--config-file").and_then(|path| fs::read(process.file(path)).ok());
    let configured = configured.and_then(|bytes| serde_json::from_slice::<Configuration>(&bytes).ok());
    let claim = |interface: Interface| Claim {
        interface: Some(interface.host_dev_name),
        mac: interface.guest_mac.and_then(|mac| mac.parse().ok()),
        ..Claim::default()
    };
    let interfaces = configured.map(|configuration| configuration.interfaces).unwrap_or_default();
    (value("--id").cloned(), interfaces.into_iter().map(claim).collect())
}

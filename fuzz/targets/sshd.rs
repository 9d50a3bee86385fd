//! Settings of sshd of any shape are read to their end, whatever they include and match.
//!
//! Nothing may panic, and what is refused or set has a line of the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use palisade_guest::{
    MemoryFiles,
    sshd::{CONFIG, Config, Connection},
};

fuzz_target!(|bytes: &[u8]| {
    let files: MemoryFiles = [(CONFIG, bytes), ("/etc/ssh/included", bytes)].into_iter().collect();
    let Ok(config) = Config::read(&files, CONFIG) else { return };
    let connection = Connection {
        user: Some("alice".to_owned()),
        host: Some("h.example.org".to_owned()),
        address: "192.0.2.7".parse().ok(),
        ..Connection::default()
    };
    let lines = config.global().lines().len();
    assert!(lines > 0 && !config.of(&connection).lines().is_empty());
    assert!(config.blocks().len() <= 100_000);
});

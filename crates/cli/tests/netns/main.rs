//! The command with real packets, in network namespaces of its own.

mod answers;
mod answers_six;
mod connect;
mod connect_tools;
mod endpoint;
mod jit;
mod joining;
mod lab;
mod machine;
mod throttle;
mod up;

use std::{
    process::{Command, Output},
    time::Duration,
};

const PALISADE: &str = env!("CARGO_BIN_EXE_palisade");
/// Far longer than it takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a command that succeeded printed.
fn succeeded(mut command: Command) -> Output {
    let output = command.output().expect("the command starts");
    let told = [&output.stderr, &output.stdout].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert!(output.status.success(), "{command:?}: {}\n{}\n{}", output.status, told[0], told[1]);
    output
}

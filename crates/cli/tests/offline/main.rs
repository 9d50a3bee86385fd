//! The offline commands as scripts meet them: what goes in, what comes out, and the exit code.
//!
//! Runs the built binary on the small files of `tests/fixtures`. What rules mean is tested in the crates below; here it is
//! shapes, order, streams and exit codes (`palisade --help` names them).

mod answered;
mod check;
mod clean_state;
mod detect;
mod diff;
mod effective;
mod evidence;
mod explain;
mod export;
mod flows;
mod guest;
mod images;
mod learn;
mod lockdown;
mod matrix;
mod password;
mod prove;
mod reverts;
mod usage;
mod verify;
mod whatif;

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

/// How a run ended.
struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("the command prints text");
        let code = output.status.code().expect("the command is not killed");
        Self { code, stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// Runs `palisade` among the fixtures, with `input` on its standard input.
fn palisade(arguments: &[&str], input: &[u8]) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_palisade"))
        .args(arguments)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures"))
        .env_remove("PALISADE_SERVICE_TAGS")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    let input = input.to_vec();
    // A command that does not read its input closes the pipe, which is no failure.
    let feeder = std::thread::spawn(move || stdin.write_all(&input).ok());
    let output = child.wait_with_output().expect("the command ends");
    feeder.join().expect("feeding does not panic");
    output.into()
}

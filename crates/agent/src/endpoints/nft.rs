//! The `nft` program: what a table looks like, and texts to carry out.
//!
//! It is found on PATH when it is needed, and only then. A text is carried out whole or not at all; nftables says why not.

use std::io::{self, Write as _};
use std::process::{Command, Output, Stdio};

use super::script;

/// So much of what the program complains of is told on.
const COMPLAINT_MAX: usize = 500;

/// Why a table is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NftError {
    /// There is no such program.
    #[error("the program nft is not on PATH (install the package nftables)")]
    Missing,
    /// It cannot be run.
    #[error("nft cannot be run: {0}")]
    Run(String),
    /// It refuses.
    #[error("nft refuses: {0}")]
    Refused(String),
}

/// What a table holds, as the kernel lists it; `None` if there is none.
pub(crate) fn listing(table: &str) -> Result<Option<String>, NftError> {
    let output = run(&["-s", "-n", "list", "table", "inet", table], "")?;
    let complaint = complaint(&output);
    match output.status.success() {
        true => Ok(Some(String::from_utf8_lossy(&output.stdout).into_owned())),
        false if complaint.contains("No such file or directory") => Ok(None),
        false => Err(NftError::Refused(complaint)),
    }
}

/// Carries out a text, whole or not at all.
pub(crate) fn carry_out(text: &str) -> Result<(), NftError> {
    let output = run(&["-f", "-"], text)?;
    if output.status.success() { Ok(()) } else { Err(NftError::Refused(complaint(&output))) }
}

/// Removes a table. That there is none is no error.
pub(crate) fn remove(table: &str) -> Result<(), NftError> {
    match listing(table)? {
        Some(_) => carry_out(&script::removal(table)),
        None => Ok(()),
    }
}

fn run(arguments: &[&str], input: &str) -> Result<Output, NftError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => NftError::Missing,
        _ => NftError::Run(error.to_string()),
    };
    let mut command = Command::new("nft");
    // Its complaints are read.
    command.args(arguments).env("LC_ALL", "C").stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(failed)?;
    // It answers when it has read everything: nothing waits for both sides.
    let written = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().map_err(failed)?;
    match written {
        // Who ends before reading has said why.
        Err(error) if output.status.success() => Err(failed(error)),
        _ => Ok(output),
    }
}

fn complaint(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join(" ").chars().take(COMPLAINT_MAX).collect()
}

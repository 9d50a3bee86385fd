//! The one place that runs `ip` and `nft`.
//!
//! Changes are collected as lines and handed over in one batch per namespace: a whole lab is a few dozen processes,
//! not hundreds. A batch stops at the first line that is refused and the error quotes it.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use super::Namespace;
use crate::error::{LabError, Result};

/// Lines for `ip -batch`, in order.
#[derive(Debug, Default)]
pub struct Batch {
    text: String,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one line: what one would write after `ip`.
    pub fn line(&mut self, line: impl AsRef<str>) -> &mut Self {
        writeln!(self.text, "{}", line.as_ref()).expect("writing to a string cannot fail");
        self
    }

    /// Runs the lines inside a namespace.
    pub fn run_in(&self, namespace: &Namespace) -> Result<()> {
        self.run(&["-n", namespace.name()])
    }

    /// Runs lines about namespaces themselves; the only commands that the lab gives outside of one.
    pub(super) fn run_outside(&self) -> Result<()> {
        self.run(&[])
    }

    fn run(&self, options: &[&str]) -> Result<()> {
        if self.text.is_empty() {
            return Ok(());
        }
        let mut command = Command::new("ip");
        command.args(options).args(["-batch", "-"]);
        feed(command, &self.text).map(|_| ())
    }
}

/// Loads an nftables ruleset inside a namespace.
pub fn load_nft(namespace: &Namespace, ruleset: &str) -> Result<()> {
    feed_in(namespace, "nft", &["-f", "-"], ruleset).map(|_| ())
}

/// Runs a tool inside a namespace with this text as its input and returns its output.
pub fn feed_in(namespace: &Namespace, program: &str, arguments: &[&str], input: &str) -> Result<String> {
    let mut command = namespace.command(program)?;
    command.args(arguments);
    feed(command, input)
}

/// Asks `ip` a question inside a namespace and returns its answer.
pub fn ask(namespace: &Namespace, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new("ip");
    command.args(["-n", namespace.name()]).args(arguments);
    feed(command, "")
}

/// Runs a command with this text as its input and returns its output.
fn feed(mut command: Command, input: &str) -> Result<String> {
    let shown = describe(&command);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(LabError::io("run", shown.as_str()))?;
    let mut stdin = child.stdin.take().expect("stdin was asked to be a pipe");
    // A tool that stops at an early line closes its input; its own message says more than the broken pipe would.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().map_err(LabError::io("wait for", shown.as_str()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let mut stderr = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
    if let Some(line) = refused_line(&stderr, input) {
        let _ = write!(stderr, " (at: {line})");
    }
    Err(LabError::Command { command: shown, status: output.status.to_string(), stderr })
}

fn describe(command: &Command) -> String {
    let mut shown = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        shown.push(' ');
        shown.push_str(&argument.to_string_lossy());
    }
    shown
}

/// The input line that `ip -batch` names as `Command failed -:N`.
fn refused_line<'t>(stderr: &str, input: &'t str) -> Option<&'t str> {
    let number = stderr.split("Command failed -:").nth(1)?;
    let digits = number.split(|c: char| !c.is_ascii_digit()).next()?;
    input.lines().nth(digits.parse::<usize>().ok()?.checked_sub(1)?)
}

#[cfg(test)]
mod tests {
    use super::refused_line;

    #[test]
    fn the_refused_line_of_a_batch_is_found() {
        let stderr = "RTNETLINK answers: File exists; Command failed -:2";
        assert_eq!(refused_line(stderr, "link add a\nlink add b\n"), Some("link add b"));
        assert_eq!(refused_line("Command failed -:9", "link add a\n"), None);
        assert_eq!(refused_line("no such tool", "link add a\n"), None);
    }
}

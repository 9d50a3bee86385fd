//! Exit codes that scripts can trust, and failures that carry theirs.

use std::{fmt::Display, io, process::ExitCode};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, and nothing found wrong.
    Clean = 0,
    /// Done, and something found: a denied flow, a difference.
    Found = 1,
    /// Bad usage or bad input; nothing was changed.
    Input = 2,
    /// The kernel, a guest or a file failed.
    OtherSide = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command could not answer.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    lines: Vec<String>,
}

impl Failure {
    /// Bad usage or input.
    pub fn input(message: impl Display) -> Self {
        Self { exit: Exit::Input, lines: vec![message.to_string()] }
    }

    /// Bad input with several problems.
    pub fn inputs(messages: impl IntoIterator<Item = impl Display>) -> Self {
        Self { exit: Exit::Input, lines: messages.into_iter().map(|m| m.to_string()).collect() }
    }

    /// The kernel, a guest or a file failed.
    pub fn other_side(message: impl Display) -> Self {
        Self { exit: Exit::OtherSide, lines: vec![message.to_string()] }
    }

    /// The same, told with every cause of the error.
    pub fn caused_by(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::other_side(format!("{:#}", anyhow::Error::new(error)))
    }

    /// The exit code.
    pub const fn code(&self) -> Exit {
        self.exit
    }

    /// The messages in one line, for what is told elsewhere.
    pub fn into_message(self) -> String {
        self.lines.join("; ")
    }

    /// Prints the messages to stderr, a line each.
    pub fn print(&self) {
        for line in &self.lines {
            eprintln!("error: {line}");
        }
    }
}

/// A reader that went away, as `head` does, is not a failure worth a message.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self { exit: Exit::Clean, lines: Vec::new() }
        } else {
            Self::other_side(error)
        }
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::from(io::Error::from(error))
    }
}

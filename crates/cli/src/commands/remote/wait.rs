//! Waiting for what the server goes on with: a line on a terminal, silence elsewhere.

use std::{
    io::{self, IsTerminal as _, Write as _},
    time::Duration,
};

use palisade_client::{Client, ClientError, Operation, Patience, Progress};

/// A wait that is over before this is not worth a word.
const SILENT: Duration = Duration::from_millis(400);

/// How long to wait.
#[derive(Debug, Clone, Copy, clap::Args)]
#[command(next_help_heading = "Waiting")]
pub struct WaitArgs {
    /// Return when the server has stored the change, without waiting until it is in force
    #[arg(long)]
    no_wait: bool,
    /// How long to wait until it is in force
    #[arg(long, value_name = "SECONDS", default_value_t = Patience::default().0.as_secs())]
    timeout: u64,
}

impl WaitArgs {
    /// Waits for the end of an operation, if there is one and the user wants to.
    pub fn wait(
        &self,
        client: &Client,
        what: &str,
        operation: Option<&Operation>,
    ) -> Result<(), ClientError> {
        let Some(operation) = operation.filter(|_| !self.no_wait) else { return Ok(()) };
        let mut line = Line::new(what);
        client.wait(operation, self.patience(), |progress| line.show(progress)).map(drop)
    }

    /// Whether the user wants to wait.
    pub const fn is_wanted(&self) -> bool {
        !self.no_wait
    }

    /// How long the user wants to wait.
    pub fn patience(&self) -> Patience {
        Patience(Duration::from_secs(self.timeout))
    }
}

/// A line that is written again and again, and gone at the end.
pub struct Line<'a> {
    what: &'a str,
    shown: bool,
}

impl<'a> Line<'a> {
    /// A line that is not there yet.
    pub fn new(what: &'a str) -> Self {
        Self { what, shown: false }
    }

    /// Says how it stands.
    pub fn show(&mut self, progress: &Progress<'_>) {
        if progress.waited < SILENT || !io::stderr().is_terminal() {
            return;
        }
        self.shown = true;
        let mut err = io::stderr().lock();
        // A terminal that went away needs no progress.
        let _ = write!(err, "\r\x1b[K{}: {} ({} s)", self.what, progress.status, progress.waited.as_secs());
        let _ = err.flush();
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        if self.shown {
            // The same.
            let _ = write!(io::stderr().lock(), "\r\x1b[K");
        }
    }
}

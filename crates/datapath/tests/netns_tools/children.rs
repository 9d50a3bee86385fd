//! Processes that a test starts to kill them: this program again, told by its environment to be one of them.

use std::{
    env,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Stdio},
};

use crate::{crash, expiry, namespace::Namespace};

/// What the process is to do, and where its datapath is pinned.
const JOB: &str = "PALISADE_TEST_JOB";
const PINS: &str = "PALISADE_TEST_JOB_PINS";

/// Jobs.
pub const WINDOW: &str = "window";
pub const PUBLISH: &str = "publish";

/// A process that does a job in a host until it is killed.
pub struct Worker {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Worker {
    pub fn start(host: &Namespace, job: &str, pins: &Path) -> Self {
        let program = env::current_exe().expect("a test program has a file");
        let mut command = host.command(program.to_str().expect("it is UTF-8"));
        command.args(["--exact", "children::child_process", "--nocapture"]).env(JOB, job).env(PINS, pins);
        // What it reads never comes, and ends only with the test.
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the test starts itself");
        let out = BufReader::new(child.stdout.take().expect("it is piped"));
        Self { child, out }
    }

    /// The next line that it says after this word.
    pub fn hears(&mut self, word: &str) -> String {
        loop {
            let mut line = String::new();
            let length = self.out.read_line(&mut line).expect("the pipe works");
            assert!(length > 0, "the process ended before it said {word}");
            if let Some((_, rest)) = line.trim_end().split_once(word) {
                return rest.trim().to_owned();
            }
        }
    }

    /// Ends it as a crash would.
    pub fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// Becomes one of the processes above if this program was started as one; otherwise an empty test.
#[test]
fn child_process() {
    let Some(pins) = env::var_os(PINS).map(PathBuf::from) else { return };
    match env::var(JOB).as_deref() {
        Ok(WINDOW) => expiry::work(&pins),
        Ok(PUBLISH) => crash::work(&pins),
        other => panic!("no such job: {other:?}"),
    }
}

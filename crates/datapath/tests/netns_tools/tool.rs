//! Programs of others: whether they are here, and running them for a bounded time.

use std::{
    env,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// How long a tool may take, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether all these programs are installed, each in the package of its name or of the one given; says so if not.
pub fn are_here(programs: &[(&str, &str)]) -> bool {
    let missing = programs.iter().find(|(program, _)| !is_here(program));
    if let Some((program, package)) = missing {
        println!("skipped: {program} is not installed (apt-get install {package})");
    }
    missing.is_none()
}

fn is_here(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).chain(["/usr/sbin".into()]).any(|folder| folder.join(program).is_file())
}

/// What a tool said.
pub struct Said {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub out: String,
}

/// Runs a program to its end; it is killed, and the test fails, if that does not come.
pub fn run(command: &mut Command) -> Said {
    let shown = format!("{command:?}");
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.unwrap_or_else(|error| panic!("{shown}: {error}"));
    let id = Pid::from_raw(child.id() as i32);
    let (tell, told) = mpsc::channel();
    let waiter = thread::spawn(move || tell.send(child.wait_with_output()));
    let output = told.recv_timeout(PATIENCE).unwrap_or_else(|_| {
        let _ends = kill(id, Signal::SIGKILL);
        panic!("{shown} did not end")
    });
    let _sent = waiter.join();
    let output = output.unwrap_or_else(|error| panic!("{shown}: {error}"));
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    println!("{shown}: {:?}\n{errors}", output.status);
    Said { code: output.status.code(), out }
}

/// A program in the background, ended with the value.
pub struct Background(Child);

impl Background {
    /// Starts it.
    pub fn start(command: &mut Command) -> Self {
        let shown = format!("{command:?}");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Self(child.unwrap_or_else(|error| panic!("{shown}: {error}")))
    }

    /// Whether it listens at a TCP port, of either family.
    pub fn listens(&self, port: u16) -> bool {
        let wanted = format!(":{port:04X} ");
        ["tcp", "tcp6"].iter().any(|table| {
            let path = format!("/proc/{}/net/{table}", self.0.id());
            let sockets = std::fs::read_to_string(path).unwrap_or_default();
            sockets.lines().any(|line| line.contains(&wanted) && line.contains(" 0A "))
        })
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _ended = self.0.wait();
    }
}

/// The number that follows the last of these words, each looked for behind the one before: enough of JSON for one number.
pub fn number_after(text: &str, words: &[&str]) -> u64 {
    let rest = words
        .iter()
        .fold(text, |rest, word| rest.split_once(word).unwrap_or_else(|| panic!("no {word} in {text}")).1);
    let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("no number after {words:?} in {text}"))
}

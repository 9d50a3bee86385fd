//! What a lab has made, written down before it is made.
//!
//! One JSON file per lab under [`ROOT`] lists its namespaces and processes. `remove` works from that file and from the
//! name prefix alone, so a lab whose process was killed is removed as completely as one that ended well, and removing
//! twice is the same as removing once. A process is named by its id and its start time: an id that was given
//! to somebody else since is left alone. A lock on the folder makes claims and removals by several processes follow
//! one another.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::Namespace;
use super::ip::{Batch, ask};
use crate::error::{LabError, Result};

/// Where labs are written down, and where each keeps its files.
pub const ROOT: &str = "/run/palisade-lab";
/// Every namespace of every lab starts with this.
pub const PREFIX: &str = "plsd";
/// The longest name of a lab.
const NAME_MAX: usize = 16;

/// A process, told apart from later ones with the same id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Process {
    id: i32,
    started: u64,
}

/// The record of one lab.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    name: String,
    owner: Option<Process>,
    namespaces: Vec<String>,
    processes: Vec<Process>,
}

impl Process {
    /// The calling process.
    pub fn current() -> Result<Self> {
        let id = Pid::this().as_raw();
        Process::running(id)
            .ok_or_else(|| LabError::io("find process", id.to_string())(ErrorKind::NotFound.into()))
    }

    /// The process that has this id now.
    pub fn running(id: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        Some(Process { id, started: start_of_living(&stat)? })
    }

    /// Whether it still runs.
    pub fn is_alive(self) -> bool {
        Process::running(self.id) == Some(self)
    }

    /// Signals it, if it is still the same process.
    fn signal(self, signal: Signal) {
        if self.is_alive() {
            // It may end between the two lines; then there is nothing to signal.
            let _ = kill(Pid::from_raw(self.id), signal);
        }
    }
}

/// Field 22 of `/proc/PID/stat`, counted after the program name, which may contain anything but ends at the last `)`.
/// Nothing for a process that has ended and only waits to be collected.
fn start_of_living(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") { None } else { fields.nth(18)?.parse().ok() }
}

impl Record {
    /// Claims a name: writes the record and makes the namespaces.
    ///
    /// With an owner the lab counts as dead when the owner is; without one it stays until it is removed.
    pub fn create(name: &str, owner: Option<Process>, parts: &[&str]) -> Result<Record> {
        check_name(name)?;
        let lock = lock()?;
        if record_path(name).exists() {
            return Err(LabError::AlreadyUp { name: name.into() });
        }
        let namespaces = parts.iter().map(|part| namespace_name(name, part)).collect();
        let record = Record { name: name.into(), owner, namespaces, processes: Vec::new() };
        let folder = folder(name);
        fs::create_dir_all(&folder).map_err(LabError::io("create", folder.display().to_string()))?;
        record.save()?;
        let mut batch = Batch::new();
        for namespace in &record.namespaces {
            batch.line(format!("netns add {namespace}"));
        }
        if let Err(error) = batch.run_outside() {
            remove_locked(name, &lock)?;
            return Err(error);
        }
        Ok(record)
    }

    /// Notes a child process, so that `remove` ends it too.
    pub fn add_process(&mut self, id: u32) -> Result<()> {
        self.processes.extend(i32::try_from(id).ok().and_then(Process::running));
        self.processes.retain(|process| process.is_alive());
        self.save()
    }

    /// The lab's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Removes what this record stands for, unless its name has been given to another lab since.
    pub(super) fn remove(&self) -> Result<()> {
        let lock = lock()?;
        match read(&self.name)? {
            Some(current) if current.owner != self.owner => Ok(()),
            _ => remove_locked(&self.name, &lock),
        }
    }

    /// Whether nobody will come back to this lab.
    fn is_abandoned(&self) -> bool {
        self.owner.is_some_and(|owner| !owner.is_alive())
    }

    fn save(&self) -> Result<()> {
        let path = record_path(&self.name);
        let text = serde_json::to_string_pretty(self).expect("the record has only plain fields");
        write_whole(&path, &text)
    }
}

/// Replaces a file in one step, so that a reader sees the old text or the new one.
pub fn write_whole(path: &Path, text: &str) -> Result<()> {
    let fresh = path.with_extension("new");
    fs::write(&fresh, text)
        .and_then(|()| fs::rename(&fresh, path))
        .map_err(LabError::io("write", path.display().to_string()))
}

/// A name that nothing else on this machine uses: this process's id and a count.
pub fn unique_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("t{}x{}", Pid::this(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// The folder of a lab's own files.
pub fn folder(name: &str) -> PathBuf {
    Path::new(ROOT).join(name)
}

/// The full name of one namespace of a lab.
pub fn namespace_name(lab: &str, part: &str) -> String {
    format!("{PREFIX}-{lab}-{part}")
}

/// Removes everything that a lab has made, and asks the process that runs it to stop. Removing a lab that is not there
/// does nothing.
pub fn remove(name: &str) -> Result<()> {
    check_name(name)?;
    remove_locked(name, &lock()?)
}

fn remove_locked(name: &str, _lock: &Flock<File>) -> Result<()> {
    let record = read(name)?;
    let me = Process::current()?;
    for owner in record.iter().filter_map(|record| record.owner).filter(|owner| *owner != me) {
        owner.signal(Signal::SIGTERM);
    }
    for process in record.iter().flat_map(|record| &record.processes) {
        process.signal(Signal::SIGKILL);
    }
    remove_namespaces(&existing_namespaces(name)?)?;
    remove_if_there(fs::remove_dir_all(folder(name)), name)?;
    remove_if_there(fs::remove_file(record_path(name)), name)
}

fn read(name: &str) -> Result<Option<Record>> {
    let path = record_path(name);
    match fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text)
            .map(Some)
            .map_err(|source| LabError::BadRecord { path: path.display().to_string(), source }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(LabError::io("read", path.display().to_string())(error)),
    }
}

/// Removes the labs whose owner died without doing so; returns their names.
pub fn remove_abandoned() -> Result<Vec<String>> {
    let lock = lock()?;
    let abandoned: Vec<String> = all()?.into_iter().filter(Record::is_abandoned).map(|r| r.name).collect();
    for name in &abandoned {
        remove_locked(name, &lock)?;
    }
    Ok(abandoned)
}

/// Waits until no other process is making or removing labs. The lock ends with the value or the process.
fn lock() -> Result<Flock<File>> {
    fs::create_dir_all(ROOT).map_err(LabError::io("create", ROOT))?;
    let file = File::open(ROOT).map_err(LabError::io("open", ROOT))?;
    Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| LabError::sys("lock", ROOT)(errno))
}

/// The records of all labs on this machine that can be read.
fn all() -> Result<Vec<Record>> {
    let entries = match fs::read_dir(ROOT) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(LabError::io("read", ROOT)(error)),
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let texts = paths.filter(|path| path.extension().is_some_and(|e| e == "json")).filter_map(|path| {
        // A lab may be removed while we look; then it is not there.
        fs::read_to_string(path).ok()
    });
    Ok(texts.filter_map(|text| serde_json::from_str(&text).ok()).collect())
}

/// Deletes interfaces first: a namespace that some shell still holds would keep them, and their peers, alive.
fn remove_namespaces(names: &[String]) -> Result<()> {
    let mut batch = Batch::new();
    for name in names {
        let namespace = Namespace::named(name);
        for link in removable_links(&namespace) {
            // Its peer may have gone a moment ago and have taken it along.
            let _ = Batch::new().line(format!("link del {link}")).run_in(&namespace);
        }
        batch.line(format!("netns del {name}"));
    }
    batch.run_outside()
}

fn removable_links(namespace: &Namespace) -> Vec<String> {
    let listing = ask(namespace, &["-o", "link", "show"]).unwrap_or_default();
    let names = listing.lines().filter_map(|line| line.split(": ").nth(1));
    names.map(|name| name.split('@').next().unwrap_or(name).to_owned()).filter(|name| name != "lo").collect()
}

fn existing_namespaces(lab: &str) -> Result<Vec<String>> {
    let prefix = namespace_name(lab, "");
    match fs::read_dir("/run/netns") {
        Ok(entries) => Ok(entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name.starts_with(&prefix))
            .collect()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(LabError::io("read", "/run/netns")(error)),
    }
}

fn record_path(name: &str) -> PathBuf {
    Path::new(ROOT).join(format!("{name}.json"))
}

fn remove_if_there(outcome: std::io::Result<()>, name: &str) -> Result<()> {
    match outcome {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(LabError::io("remove files of lab", name)(error))
        }
        _ => Ok(()),
    }
}

/// No hyphen: with one, the prefix of lab `a` would also be the prefix of lab `a-b`.
fn check_name(name: &str) -> Result<()> {
    let fits = (1..=NAME_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if fits { Ok(()) } else { Err(LabError::BadName { name: name.into(), max: NAME_MAX }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_reach_another_lab_are_refused() {
        for name in ["", "a-b", "../x", "A", "abcdefghijklmnopq"] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        assert!(check_name("t4711x0").is_ok());
    }

    #[test]
    fn a_start_time_is_found_behind_any_program_name() {
        let fields = (4..=52).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(start_of_living(&format!("7 (a) b) S {fields}")), Some(22));
        assert_eq!(start_of_living(&format!("7 (a) b) Z {fields}")), None);
        assert_eq!(start_of_living("7 (a) S 1"), None);
    }

    #[test]
    fn a_process_is_alive_only_under_its_own_start_time() {
        let me = Process::current().expect("this process runs");
        assert!(me.is_alive());
        assert!(!Process { started: me.started + 1, ..me }.is_alive());
    }
}

//! One process as the system shows it: arguments, namespace, and the interfaces behind its open files.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::interfaces::Link;

/// Bytes of arguments that are read.
const ARGUMENTS_BYTES_MAX: u64 = 1 << 20;
/// Open files that are looked at.
const FILES_MAX: usize = 65_536;

/// A process.
#[derive(Debug)]
pub(super) struct Process {
    dir: PathBuf,
    pub(super) pid: u32,
    pub(super) arguments: Vec<String>,
}

impl Process {
    /// Reads a process; `None` if it is gone or is not to be seen.
    pub(super) fn open(proc: &Path, pid: u32) -> Option<Self> {
        let dir = proc.join(pid.to_string());
        let mut bytes = Vec::new();
        File::open(dir.join("cmdline")).ok()?.take(ARGUMENTS_BYTES_MAX).read_to_end(&mut bytes).ok()?;
        let arguments: Vec<String> = bytes
            .split(|byte| *byte == 0)
            .map(|argument| String::from_utf8_lossy(argument).into_owned())
            .collect();
        Some(Self { dir, pid, arguments })
    }

    /// Whether it has our network namespace. Where the system does not tell, its interfaces are compared with ours anyway.
    pub(super) fn is_here(&self, proc: &Path) -> bool {
        let namespace = |dir: &Path| fs::read_link(dir.join("ns/net")).ok();
        let (its, own) = (namespace(&self.dir), namespace(&proc.join("thread-self")));
        its == own || its.is_none() || own.is_none()
    }

    /// A file as the process names it, who may live in a root directory of its own.
    pub(super) fn file(&self, path: &str) -> PathBuf {
        let root = if path.starts_with('/') { "root" } else { "cwd" };
        self.dir.join(root).join(path.trim_start_matches('/'))
    }

    /// Names of the interfaces behind its open files, by the files' numbers.
    pub(super) fn open_interfaces(&self, links: &[Link]) -> BTreeMap<u32, String> {
        let files = fs::read_dir(self.dir.join("fd")).into_iter().flatten().flatten().take(FILES_MAX);
        let numbers = files.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        numbers.filter_map(|number| Some((number, self.interface(number, links)?))).collect()
    }

    /// A tap device tells its interface; of a macvtap device the file is named after the interface's number.
    fn interface(&self, number: u32, links: &[Link]) -> Option<String> {
        let target = fs::read_link(self.dir.join(format!("fd/{number}"))).ok()?;
        let target = target.to_str()?;
        if let Some(index) = target.strip_prefix("/dev/tap") {
            let index: u32 = index.parse().ok()?;
            return links.iter().find(|link| link.index == index).map(|link| link.name.clone());
        }
        if target != "/dev/net/tun" {
            return None;
        }
        let told = fs::read_to_string(self.dir.join(format!("fdinfo/{number}"))).ok()?;
        let name = told.lines().find_map(|line| line.strip_prefix("iff:"))?.trim();
        (!name.is_empty()).then(|| name.to_owned())
    }
}

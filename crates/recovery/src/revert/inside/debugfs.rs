//! Files of an ext2, ext3 or ext4 file system, read and written by debugfs of e2fsprogs, and checked by its e2fsck.
//!
//! debugfs tells of failures in words only, so each file is read back after it was written. Paths are such as need no quotes (`settings::check_path`).

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use super::super::HandError;
use crate::files;

/// Bytes of a file that is changed.
const FILE_MAX: u64 = 16 << 20;
/// The attribute that a system with SELinux wants on each file.
const LABEL: &str = "security.selinux";
/// What e2fsck ends with if all was well, or is now (e2fsck(8)).
const CLEAN: i32 = 0;
const REPAIRED: i32 = 1;

/// Who owns a file, and its permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner {
    pub mode: u32,
    pub user: u32,
    pub group: u32,
}

/// What stands at a path.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    kind: String,
    owner: Owner,
}

/// A file system in a file.
#[derive(Debug)]
pub(super) struct FileSystem {
    device: String,
    carry: PathBuf,
}

impl FileSystem {
    /// That which begins at a byte of a disk; `folder` is for what is carried in and out.
    pub(super) fn new(disk: &Path, start: u64, folder: &Path) -> Self {
        Self { device: format!("{}?offset={start}", disk.display()), carry: folder.join("carried") }
    }

    /// Brings what stands in the journal into the file system.
    pub(super) fn repair(&self) -> Result<(), HandError> {
        self.fsck("-p", &[CLEAN, REPAIRED])
    }

    /// Whether it is sound, all of it.
    pub(super) fn check(&self) -> Result<(), HandError> {
        self.fsck("-fn", &[CLEAN])
    }

    fn fsck(&self, how: &str, wanted: &[i32]) -> Result<(), HandError> {
        let output =
            Command::new("e2fsck").args([how, &self.device]).output().map_err(|error| missing(&error))?;
        match output.status.code() {
            Some(code) if wanted.contains(&code) => Ok(()),
            _ => Err(format!("e2fsck {how} finds the file system damaged: {}", words(&output)).into()),
        }
    }

    /// What a file of text holds, and whose it is.
    pub(super) fn text(&self, path: &str) -> Result<(String, Owner), HandError> {
        let entry = self.entry(path)?.ok_or_else(|| format!("the guest has no {path}"))?;
        let text =
            String::from_utf8(self.read(path)?).map_err(|_| format!("{path} of the guest is no text"))?;
        Ok((text, entry.owner))
    }

    /// Writes a file, in place of the one that was there.
    pub(super) fn put(&self, path: &str, bytes: &[u8], owner: Owner) -> Result<(), HandError> {
        let before = self.entry(path)?;
        if let Some(entry) = before.as_ref().filter(|entry| entry.kind != "regular") {
            return Err(format!("{path} of the guest is a {}: it is not replaced", entry.kind).into());
        }
        let label = self.carry.with_extension("label");
        let mut script = Vec::new();
        if before.is_some() {
            self.run(&[format!("ea_get -f {} {path} {LABEL}", label.display())])?;
            script.push(format!("rm {path}"));
        }
        fs::write(&self.carry, bytes)?;
        script.push(format!("write {} {path}", self.carry.display()));
        script.extend(owned(path, 0o100_000, owner));
        if fs::metadata(&label).is_ok_and(|file| file.len() > 0) {
            script.push(format!("ea_set -f {} {path} {LABEL}", label.display()));
        }
        let said = self.run(&script)?;
        if label.exists() {
            fs::remove_file(&label)?;
        }
        let is_written =
            self.entry(path)?.is_some_and(|entry| entry.owner == owner) && self.read(path)? == bytes;
        if is_written { Ok(()) } else { Err(format!("{path} of the guest was not written: {said}").into()) }
    }

    /// Makes a folder that is not there.
    pub(super) fn make_folder(&self, path: &str, owner: Owner) -> Result<(), HandError> {
        if self.entry(path)?.is_none() {
            let mut script = vec![format!("mkdir {path}")];
            script.extend(owned(path, 0o040_000, owner));
            self.run(&script)?;
        }
        match self.entry(path)? {
            Some(entry) if entry.kind == "directory" => Ok(()),
            Some(entry) => Err(format!("{path} of the guest is a {}, not a folder", entry.kind).into()),
            None => {
                Err(format!("{path} of the guest could not be made (is what it lies in on another disk?)")
                    .into())
            }
        }
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, HandError> {
        let out = self.carry.with_extension("out");
        let said = self.run(&[format!("dump {path} {}", out.display())])?;
        if !out.exists() {
            return Err(format!("{path} of the guest cannot be read: {said}").into());
        }
        let bytes = files::read_at_most(&out, FILE_MAX)?;
        fs::remove_file(&out)?;
        Ok(bytes)
    }

    fn entry(&self, path: &str) -> Result<Option<Entry>, HandError> {
        let said = self.run(&[format!("stat {path}")])?;
        if said.contains("File not found") {
            return Ok(None);
        }
        Ok(Some(entry(&said).ok_or_else(|| format!("debugfs says odd things of {path}: {said}"))?))
    }

    /// Commands, and all that debugfs says to them.
    fn run(&self, commands: &[String]) -> Result<String, HandError> {
        let script = self.carry.with_extension("script");
        fs::write(&script, commands.join("\n") + "\n")?;
        let output = Command::new("debugfs").args(["-w", "-f"]).arg(&script).arg(&self.device).output();
        let output = output.map_err(|error| missing(&error))?;
        if output.status.success() {
            Ok(words(&output))
        } else {
            Err(format!("debugfs: {}", words(&output)).into())
        }
    }
}

/// Commands that say whose something is; `kind` are the bits of its kind.
fn owned(path: &str, kind: u32, owner: Owner) -> [String; 3] {
    [
        format!("sif {path} mode 0{:o}", kind | owner.mode),
        format!("sif {path} uid {}", owner.user),
        format!("sif {path} gid {}", owner.group),
    ]
}

/// Reads `stat` of debugfs: `Type: regular    Mode:  0640`, `User:     0   Group:    42`.
fn entry(said: &str) -> Option<Entry> {
    let after = |label: &str| said.split_once(label)?.1.split_whitespace().next();
    let owner = Owner {
        mode: u32::from_str_radix(after(" Mode:")?, 8).ok()?,
        user: after("\nUser:")?.parse().ok()?,
        group: after(" Group:")?.parse().ok()?,
    };
    Some(Entry { kind: after(" Type:")?.to_owned(), owner })
}

fn words(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&text).trim().to_owned()
}

fn missing(error: &std::io::Error) -> HandError {
    format!("cannot start it: {error} (apt-get install e2fsprogs)").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_debugfs_says_of_a_file_is_read() {
        let said = "debugfs: stat /etc/shadow\nInode: 273   Type: regular    Mode:  0640   Flags: 0x80000\n\
                    Generation: 0    Version: 0x00000000:00000000\nUser:     0   Group:    42   Project:     0   Size: 621\n";
        let owner = Owner { mode: 0o640, user: 0, group: 42 };
        assert_eq!(entry(said), Some(Entry { kind: "regular".into(), owner }));
        assert_eq!(entry("stat: Filesystem not open"), None);
    }
}

//! Changes in the file system of a new disk before its guest meets anybody: passwords locked, keys replaced, sshd told what holds.
//!
//! The disk is an overlay on a base that was verified, so the file system can be trusted to be what it says. It is shown as a file by QEMU's storage daemon (FUSE), and
//! changed by debugfs, file by file; each is read back, and the file system is checked before and after. Done twice, it leaves what it leaves done once.
//! It must not change anything that it was not told to. Reference: docs/recovery.md, "Changes".

mod debugfs;
mod export;
mod settings;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    rc::Rc,
};

use palisade_guest::disk::{self, Disk, DiskError};
use serde::{Deserialize, Serialize};

use self::{
    debugfs::{FileSystem, Owner},
    export::Export,
    settings::Home,
};
use super::{HandError, Plan, Prepare};
use crate::{
    files,
    image::{Format, Image, ImageDisk, Place},
};

/// Bytes of the document that names changes.
pub const CHANGES_MAX: u64 = 1 << 20;
const SHADOW: &str = "/etc/shadow";
const PASSWD: &str = "/etc/passwd";
const SSHD: &str = "/etc/ssh/sshd_config";

/// What is to be changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Changes {
    /// Accounts whose passwords open nothing any more; `*` is every one that has a password.
    pub lock_passwords: Vec<String>,
    /// The only keys that open an account from now on, as lines of `authorized_keys`.
    pub authorized_keys: BTreeMap<String, Vec<String>>,
    /// Lines that stand first in `sshd_config`, where the first value holds.
    pub sshd: Vec<String>,
    /// Files to write or replace; they belong to root.
    pub files: Vec<NewFile>,
}

/// A file that a guest gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewFile {
    /// Where, in the guest; its folder must be there.
    pub path: String,
    /// Permissions, in octal digits; without them, 644.
    #[serde(default)]
    pub mode: Option<String>,
    /// What it holds.
    pub content: String,
}

impl Changes {
    /// Reads a document and checks what does not need the guest.
    ///
    /// # Errors
    /// In words, with the value and the remedy.
    pub fn read(path: &Path) -> Result<Self, HandError> {
        let wrong = |problem: String| -> HandError { format!("{}: {problem}", path.display()).into() };
        let bytes = files::read_at_most(path, CHANGES_MAX)?;
        let changes: Self = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
        changes.check().map_err(wrong)?;
        Ok(changes)
    }

    fn check(&self) -> Result<(), String> {
        let locked = self.lock_passwords.iter().filter(|name| *name != settings::EVERYBODY);
        locked.chain(self.authorized_keys.keys()).try_for_each(|name| settings::check_account(name))?;
        let lines = self.authorized_keys.values().flatten().chain(&self.sshd);
        lines.clone().try_for_each(|line| settings::check_line(line))?;
        self.sshd.iter().try_for_each(|line| settings::check_sshd(line))?;
        self.files.iter().try_for_each(|file| {
            settings::check_path(&file.path)?;
            file.mode().map(drop)
        })
    }
}

impl NewFile {
    fn mode(&self) -> Result<u32, String> {
        let Some(digits) = &self.mode else { return Ok(0o644) };
        let mode = u32::from_str_radix(digits, 8).ok().filter(|mode| *mode <= 0o777);
        mode.ok_or_else(|| format!("{digits} is no mode of {} (wanted: octal, 0 to 777)", self.path))
    }
}

/// Changes files of the guest.
#[derive(Debug)]
pub struct Inside {
    /// What.
    pub changes: Changes,
}

impl Prepare for Inside {
    fn prepare(&mut self, _: &Plan, disks: &[PathBuf]) -> Result<String, HandError> {
        let mut refused = Vec::new();
        for disk in disks {
            match root(disk)? {
                Ok(start) => {
                    let export = Export::open(disk)?;
                    let told = self.change(&FileSystem::new(&export.file(), start, export.folder()))?;
                    export.close()?;
                    return Ok(told);
                }
                Err(error) => refused.push(format!("{}: {error}", disk.display())),
            }
        }
        Err(format!("no disk has a Linux system on ext4 to change (use --seed): {}", refused.join("; "))
            .into())
    }
}

impl Inside {
    fn change(&self, system: &FileSystem) -> Result<String, HandError> {
        system.repair()?;
        let mut told = Vec::new();
        if !self.changes.lock_passwords.is_empty() {
            let count = self.lock(system)?;
            told.push(format!("{count} passwords locked"));
        }
        if !self.changes.authorized_keys.is_empty() {
            let (passwd, _) = system.text(PASSWD)?;
            for (account, keys) in &self.changes.authorized_keys {
                replace_keys(system, &settings::home(&passwd, account)?, keys)?;
                told.push(format!("{} keys for {account}", keys.len()));
            }
        }
        if !self.changes.sshd.is_empty() {
            let (text, owner) = system.text(SSHD)?;
            system.put(SSHD, settings::first(&text, &self.changes.sshd).as_bytes(), owner)?;
            told.push(format!("{} lines first in sshd_config", self.changes.sshd.len()));
        }
        for file in &self.changes.files {
            system.put(
                &file.path,
                file.content.as_bytes(),
                Owner { mode: file.mode()?, user: 0, group: 0 },
            )?;
            told.push(format!("{} written", file.path));
        }
        system.check()?;
        Ok(told.join(", "))
    }

    /// How many passwords are locked afterwards that were named.
    fn lock(&self, system: &FileSystem) -> Result<usize, HandError> {
        let (text, owner) = system.text(SHADOW)?;
        let (text, count) = settings::lock(&text, &self.changes.lock_passwords)?;
        system.put(SHADOW, text.as_bytes(), owner)?;
        Ok(count)
    }
}

/// Where the Linux system of an overlay begins; why it has none.
fn root(overlay: &Path) -> Result<Result<u64, DiskError>, HandError> {
    let image = Image::open(&Place::new(overlay, Format::Qcow2))?;
    Ok(disk::linux_root(&(Rc::new(ImageDisk::new(image)) as Rc<dyn Disk>)))
}

fn replace_keys(system: &FileSystem, home: &Home, keys: &[String]) -> Result<(), HandError> {
    let folder = format!("{}/.ssh", home.path.trim_end_matches('/'));
    system.make_folder(&folder, Owner { mode: 0o700, user: home.user, group: home.group })?;
    let text: String = keys.iter().flat_map(|key| [key.as_str(), "\n"]).collect();
    let owner = Owner { mode: 0o600, user: home.user, group: home.group };
    system.put(&format!("{folder}/authorized_keys"), text.as_bytes(), owner)
}

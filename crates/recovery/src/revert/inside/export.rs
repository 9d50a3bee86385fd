//! A disk of any format as a plain file: QEMU's storage daemon shows it through FUSE as long as the value lives.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    process::{self, Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    mount::{MntFlags, umount2},
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;

use super::super::HandError;
use crate::files;

const DAEMON: &str = "qemu-storage-daemon";
const SHOWN: &str = "disk";
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(5);

/// A disk that is shown, in a folder that nobody else reads.
#[derive(Debug)]
pub(super) struct Export {
    daemon: Child,
    folder: Folder,
}

impl Export {
    /// Shows an overlay, to be written to.
    pub(super) fn open(disk: &Path) -> Result<Self, HandError> {
        wait_until_free(disk)?;
        let folder = Folder::make(disk)?;
        let (shown, ready) = (folder.0.join(SHOWN), folder.0.join("ready"));
        File::create(&shown)?;
        let said = File::create(folder.0.join("said"))?;
        let node =
            json!({"driver": "qcow2", "node-name": "disk", "file": {"driver": "file", "filename": disk}});
        let export =
            json!({"type": "fuse", "id": "disk", "node-name": "disk", "mountpoint": shown, "writable": true});
        // It must not outlive whoever would end it: it holds the disk. Who made it may have ended before that could be asked for.
        let daemon = Command::new("setpriv")
            .args(["--pdeathsig", "TERM", "sh", "-c", "[ \"$PPID\" = \"$0\" ] && exec \"$@\""])
            .args([&process::id().to_string(), DAEMON])
            .args(["--blockdev", &node.to_string(), "--export", &export.to_string()])
            .arg("--pidfile")
            .arg(&ready)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said)
            .spawn()
            .map_err(|error| {
                format!(
                    "cannot start setpriv {DAEMON}: {error} (apt-get install util-linux qemu-system-common)"
                )
            })?;
        let mut export = Self { daemon, folder };
        export.wait_for(&ready).map_err(|problem| format!("{}: {problem}", disk.display()))?;
        Ok(export)
    }

    /// The disk's bytes.
    pub(super) fn file(&self) -> PathBuf {
        self.folder.0.join(SHOWN)
    }

    /// A folder beside it for what is carried in and out.
    pub(super) fn folder(&self) -> &Path {
        &self.folder.0
    }

    /// Ends it, with all that was written on the disk.
    pub(super) fn close(mut self) -> Result<(), HandError> {
        let status = self.end()?;
        if status.success() { Ok(()) } else { Err(format!("{DAEMON} ended with {status}").into()) }
    }

    /// The daemon writes its number when everything is shown.
    fn wait_for(&mut self, ready: &Path) -> Result<(), HandError> {
        let deadline = Instant::now() + PATIENCE;
        while !fs::metadata(ready).is_ok_and(|file| file.len() > 0) {
            if let Some(status) = self.daemon.try_wait()? {
                let said = fs::read_to_string(self.folder.0.join("said")).unwrap_or_default();
                return Err(format!("{DAEMON} ended with {status}: {}", said.trim()).into());
            }
            if Instant::now() > deadline {
                return Err(format!("{DAEMON} does not show it").into());
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    fn end(&mut self) -> Result<ExitStatus, HandError> {
        if let Some(status) = self.daemon.try_wait()? {
            return Ok(status);
        }
        kill(Pid::from_raw(self.daemon.id().try_into()?), Signal::SIGTERM)?;
        Ok(self.daemon.wait()?)
    }
}

/// Where the disk is shown, and secrets of the guest are carried through: beside the disk, so that the next run finds and deletes what a killed one left.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn make(disk: &Path) -> Result<Self, HandError> {
        let folder = Self(files::with_ending(disk, ".palisade-changes"));
        folder.clear()?;
        fs::DirBuilder::new().mode(0o700).create(&folder.0)?;
        Ok(folder)
    }

    /// A daemon that was killed leaves its mount.
    fn clear(&self) -> io::Result<()> {
        let _ = umount2(&self.0.join(SHOWN), MntFlags::MNT_DETACH);
        match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // The next run deletes what is left.
        let _ = self.clear();
    }
}

/// Waits for the daemon of a run that was killed, which ends by itself.
fn wait_until_free(disk: &Path) -> Result<(), HandError> {
    let deadline = Instant::now() + PATIENCE;
    while files::is_in_use(disk)? {
        if Instant::now() > deadline {
            return Err(format!("{} is still in use (end whatever has it open)", disk.display()).into());
        }
        thread::sleep(POLL);
    }
    Ok(())
}

impl Drop for Export {
    fn drop(&mut self) {
        // After an error the disk is made anew anyway.
        let _ = self.end();
    }
}

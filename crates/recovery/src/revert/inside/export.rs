//! A disk of any format as a plain file: QEMU's storage daemon shows it through FUSE as long as the value lives.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;
use tempfile::TempDir;

use super::super::HandError;

const DAEMON: &str = "qemu-storage-daemon";
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(5);

/// A disk that is shown, in a folder that nobody else reads.
#[derive(Debug)]
pub(super) struct Export {
    daemon: Child,
    folder: TempDir,
}

impl Export {
    /// Shows an overlay, to be written to.
    pub(super) fn open(disk: &Path) -> Result<Self, HandError> {
        let folder = tempfile::Builder::new().prefix("palisade-disk-").tempdir()?;
        let (shown, ready) = (folder.path().join("disk"), folder.path().join("ready"));
        File::create(&shown)?;
        let said = File::create(folder.path().join("said"))?;
        let node =
            json!({"driver": "qcow2", "node-name": "disk", "file": {"driver": "file", "filename": disk}});
        let export =
            json!({"type": "fuse", "id": "disk", "node-name": "disk", "mountpoint": shown, "writable": true});
        // It must not outlive whoever would end it: it holds the disk.
        let daemon = Command::new("setpriv")
            .args([
                "--pdeathsig",
                "TERM",
                DAEMON,
                "--blockdev",
                &node.to_string(),
                "--export",
                &export.to_string(),
            ])
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
        self.folder.path().join("disk")
    }

    /// A folder beside it for what is carried in and out.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
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
                let said = fs::read_to_string(self.folder.path().join("said")).unwrap_or_default();
                return Err(format!("{DAEMON} ended with {status}: {}", said.trim()).into());
            }
            if Instant::now() > deadline {
                return Err(format!("{DAEMON} does not show it").into());
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    fn end(&mut self) -> Result<std::process::ExitStatus, HandError> {
        if let Some(status) = self.daemon.try_wait()? {
            return Ok(status);
        }
        kill(Pid::from_raw(self.daemon.id().try_into()?), Signal::SIGTERM)?;
        Ok(self.daemon.wait()?)
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        // After an error the disk is made anew anyway.
        let _ = self.end();
    }
}

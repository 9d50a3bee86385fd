//! A machine of one disk, its store and its key.

use std::{fs, path::PathBuf, process::Command};

use palisade_recovery::{
    image::{Format, Place},
    key::{SealCheck, SealKey},
    state::{Creating, Manifest, Store},
};

pub const SIZE: u64 = 4 << 20;
pub const NOW: u64 = 1_700_000_000;

pub struct Fixture {
    pub folder: tempfile::TempDir,
    pub store: Store,
    pub key: SealKey,
    pub disk: PathBuf,
}

impl Fixture {
    /// A raw disk, since that needs no tools.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk = folder.path().join("web.raw");
        let bytes: Vec<u8> =
            (0..SIZE).map(|at| if at / 65_536 % 3 == 0 { (at >> 5) as u8 } else { 0 }).collect();
        fs::write(&disk, bytes).unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let key = SealKey::create(&folder.path().join("key")).unwrap();
        Self { folder, store, key, disk }
    }

    pub fn check(&self) -> SealCheck {
        self.key.check()
    }

    pub fn seal(&self) -> Manifest {
        self.seal_disk(&Place::new(&self.disk, Format::Raw), NOW)
    }

    pub fn seal_disk(&self, place: &Place, now: u64) -> Manifest {
        let disks = [place.clone()];
        let what = Creating {
            machine: "web",
            disks: &disks,
            by: "rosa",
            now,
            policy_sha256: None,
            audit: Some(b"{\"findings\":[]}"),
            quota: None,
        };
        self.store.create(&what, &self.key, &|_| {}).unwrap()
    }

    /// Where the machine's disk is after it was sealed.
    pub fn overlay(&self) -> PathBuf {
        self.folder.path().join("web.raw.qcow2")
    }

    /// Writes to the machine's disk as a guest does; says why not, where the tool is missing.
    pub fn write(&self, at: u64, length: u64) -> Option<()> {
        let command = format!("write -P 0x5a {at} {length}");
        let run = Command::new("qemu-io").args(["-f", "qcow2", "-c", &command]).arg(self.overlay()).output();
        let Ok(output) = run else {
            println!("skipped: qemu-io is not installed");
            return None;
        };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(())
    }
}

//! An emulated machine with a sealed disk.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::net::UnixStream,
    path::PathBuf,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use palisade_recovery::{
    image::{Format, Place, write_overlay},
    key::SealKey,
    revert::{Machine as _, qmp::Qemu},
    state::{Creating, Manifest, StateError, Store},
};
use serde_json::{Value, json};

pub const NOW: u64 = 1_700_000_000;
/// Name of the state that the disk is sealed as.
pub const STATE: &str = "web-1700000000";
const SIZE: u64 = 8 << 20;
const PATIENCE: Duration = Duration::from_secs(60);
/// A capture without frames has only its header.
const CAPTURE_HEADER: u64 = 24;

pub struct Lab {
    pub store: Store,
    pub key: SealKey,
    pub disk: PathBuf,
    pub qemu: Qemu,
    capture: PathBuf,
    _folder: tempfile::TempDir,
}

impl Lab {
    /// A sealed disk and a machine that is off; nothing, with a word why, where there is no QEMU.
    pub fn new() -> Option<Self> {
        if Command::new("qemu-system-x86_64").arg("--version").output().is_err() {
            println!("skipped: qemu-system-x86_64 is not installed");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let bytes: Vec<u8> = (0..SIZE).map(|at| if at < SIZE / 2 { (at / 512) as u8 } else { 0 }).collect();
        fs::write(at("below.raw"), bytes).unwrap();
        write_overlay(&at("web.qcow2"), SIZE, "below.raw", Format::Raw).unwrap();
        let lab = Self {
            store: Store::open(&at("store")).unwrap(),
            key: SealKey::create(&at("key")).unwrap(),
            qemu: qemu(&at("web.qmp"), &at("web.qcow2"), &at("frames.pcap")),
            disk: at("web.qcow2"),
            capture: at("frames.pcap"),
            _folder: folder,
        };
        lab.seal(NOW).unwrap();
        Some(lab)
    }

    pub fn seal(&self, now: u64) -> Result<Manifest, StateError> {
        let disks = [Place::new(&self.disk, Format::Qcow2)];
        let what = Creating {
            machine: "web",
            disks: &disks,
            by: "rosa",
            now,
            policy_sha256: None,
            audit: None,
            quota: None,
        };
        self.store.create(&what, &self.key, &|_| {})
    }

    /// Writes to the disk of the running machine.
    pub fn intrude(&self) {
        let line = "qemu-io disk \"write -P 0x66 1M 512\"";
        self.ask("human-monitor-command", &json!({"command-line": line}));
    }

    /// Bytes of frames that the machine has sent since it was started.
    pub fn frame_bytes(&self) -> u64 {
        fs::metadata(&self.capture).unwrap().len().saturating_sub(CAPTURE_HEADER)
    }

    pub fn wait_for_frames(&self) {
        let deadline = Instant::now() + PATIENCE;
        while self.frame_bytes() == 0 {
            assert!(Instant::now() < deadline, "the firmware sends nothing with its link up");
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn ask(&self, command: &str, arguments: &Value) {
        let mut stream = BufReader::new(UnixStream::connect(&self.qemu.socket).unwrap());
        for (command, arguments) in [("qmp_capabilities", &json!({})), (command, arguments)] {
            let text = json!({"execute": command, "arguments": arguments}).to_string();
            stream.get_mut().write_all(format!("{text}\n").as_bytes()).unwrap();
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).unwrap();
                let answer: Value = serde_json::from_str(&line).unwrap();
                assert!(answer.get("error").is_none(), "{line}");
                if answer.get("return").is_some() {
                    break;
                }
            }
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // It may be off, or never have been on.
        let _ = self.qemu.power_off();
    }
}

fn qemu(socket: &std::path::Path, disk: &std::path::Path, capture: &std::path::Path) -> Qemu {
    let start = [
        "qemu-system-x86_64".to_owned(),
        "-nodefaults -no-user-config -display none -accel tcg -m 64M -boot order=n,reboot-timeout=100"
            .to_owned(),
        format!("-qmp unix:{},server=on,wait=off", socket.display()),
        format!("-drive id=disk,if=none,format=qcow2,file={}", disk.display()),
        "-device virtio-blk-pci,drive=disk".to_owned(),
        // A network of its own that leads nowhere.
        "-netdev user,id=net,restrict=on -device e1000,netdev=net,id=card".to_owned(),
        format!("-object filter-dump,id=dump,netdev=net,file={}", capture.display()),
    ];
    let start = start.iter().flat_map(|part| part.split(' ')).map(str::to_owned).collect();
    Qemu { socket: socket.to_owned(), links: vec!["card".into()], start }
}

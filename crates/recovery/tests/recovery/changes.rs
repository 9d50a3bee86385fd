//! Changes in the file system of an overlay, by real tools on a file system that was made by real tools.

use std::{fs, path::Path, process::Command};

use palisade_recovery::revert::{
    Plan, Prepare as _,
    inside::{Changes, Inside},
};
use serde_json::json;

/// Where the partition begins, where there is one.
const START: u64 = 1 << 20;

/// Tools, or why the test is skipped.
fn can_run() -> bool {
    let has = |tool: &str| {
        Command::new(tool).arg("--version").output().is_ok() || Command::new(tool).arg("-V").output().is_ok()
    };
    for tool in ["mke2fs", "debugfs", "qemu-img", "qemu-storage-daemon", "setpriv"] {
        if !has(tool) {
            println!("skipped: {tool} is not installed");
            return false;
        }
    }
    let can_show = fs::OpenOptions::new().read(true).write(true).open("/dev/fuse").is_ok();
    if !can_show {
        println!("skipped: /dev/fuse cannot be opened");
    }
    can_show
}

fn ran(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A base with a small Linux system, in a partition or without, and an overlay on it.
fn overlay(folder: &Path, start: u64) -> std::path::PathBuf {
    let tree = folder.join("tree");
    for name in ["etc/ssh", "srv/ada"] {
        fs::create_dir_all(tree.join(name)).unwrap();
    }
    let files = [
        ("etc/passwd", "root:x:0:0::/root:/bin/sh\nada:x:1000:1001::/srv/ada:/bin/sh\n"),
        ("etc/shadow", "root:*:1::::::\nada:$6$salt$hash:1::::::\n"),
        ("etc/ssh/sshd_config", "PasswordAuthentication yes\n"),
    ];
    for (name, text) in files {
        fs::write(tree.join(name), text).unwrap();
    }
    let raw = folder.join("base.raw");
    fs::write(&raw, []).unwrap();
    fs::OpenOptions::new().write(true).open(&raw).unwrap().set_len(start + (16 << 20)).unwrap();
    ran(Command::new("mke2fs")
        .args(["-q", "-F", "-t", "ext4", "-d"])
        .arg(&tree)
        .args(["-E", &format!("offset={start}")])
        .arg(&raw)
        .arg("16M"));
    if start > 0 {
        partition(&raw, start);
    }
    let disk = folder.join("disk.qcow2");
    ran(Command::new("qemu-img")
        .args(["create", "-q", "-f", "qcow2", "-F", "raw", "-b", "base.raw"])
        .arg(&disk));
    disk
}

/// A master boot record with one partition of Linux.
fn partition(raw: &Path, start: u64) {
    use std::os::unix::fs::FileExt as _;
    let mut record = [0; 512];
    record[450] = 0x83;
    record[454..458].copy_from_slice(&u32::try_from(start / 512).unwrap().to_le_bytes());
    record[458..462].copy_from_slice(&((16 << 20) / 512_u32).to_le_bytes());
    record[510..].copy_from_slice(&[0x55, 0xaa]);
    fs::OpenOptions::new().write(true).open(raw).unwrap().write_all_at(&record, 0).unwrap();
}

fn changes() -> Changes {
    serde_json::from_value(json!({
        "lockPasswords": ["*"],
        "authorizedKeys": {"ada": ["ssh-ed25519 AAAA office"]},
        "sshd": ["PasswordAuthentication no"],
        "files": [{"path": "/etc/nftables.conf", "mode": "600", "content": "flush ruleset\n"}],
    }))
    .unwrap()
}

fn prepare(changes: Changes, disk: &Path) -> Result<String, String> {
    let plan: Plan = serde_json::from_value(json!({
        "id": "r", "machine": "web", "state": "s", "begun": 1, "by": "rosa", "why": "w", "memoryMax": 0,
    }))
    .unwrap();
    Inside { changes }.prepare(&plan, &[disk.to_owned()]).map_err(|error| error.to_string())
}

/// What the overlay holds, read by tools alone.
fn read(folder: &Path, disk: &Path, start: u64, path: &str, how: &str) -> String {
    let raw = folder.join("read.raw");
    ran(Command::new("qemu-img").args(["convert", "-O", "raw"]).arg(disk).arg(&raw));
    let device = format!("{}?offset={start}", raw.display());
    ran(Command::new("debugfs").args(["-R", &format!("{how} {path}"), &device]))
}

#[test]
fn what_was_told_is_changed_and_the_base_is_not() {
    if !can_run() {
        return;
    }
    for start in [0, START] {
        let folder = tempfile::tempdir().unwrap();
        let disk = overlay(folder.path(), start);
        let base = fs::read(folder.path().join("base.raw")).unwrap();
        let told = prepare(changes(), &disk).unwrap();
        assert_eq!(
            told,
            "1 passwords locked, 1 keys for ada, 1 lines first in sshd_config, /etc/nftables.conf written"
        );
        assert_eq!(prepare(changes(), &disk).unwrap(), told, "twice is once");
        assert_eq!(fs::read(folder.path().join("base.raw")).unwrap(), base);
        let cat = |path| read(folder.path(), &disk, start, path, "cat");
        assert_eq!(cat("/etc/shadow"), "root:*:1::::::\nada:!$6$salt$hash:1::::::\n");
        assert_eq!(cat("/srv/ada/.ssh/authorized_keys"), "ssh-ed25519 AAAA office\n");
        assert!(
            cat("/etc/ssh/sshd_config")
                .starts_with("# Palisade: first contact\nPasswordAuthentication no\n# Palisade: end\n")
        );
        let stat = read(folder.path(), &disk, start, "/srv/ada/.ssh", "stat");
        assert!(stat.contains("Mode:  0700") && stat.contains("User:  1000   Group:  1001"), "{stat}");
    }
}

#[test]
fn what_cannot_be_changed_is_named() {
    if !can_run() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let disk = overlay(folder.path(), 0);
    let unknown = Changes { lock_passwords: vec!["mallory".into()], ..Changes::default() };
    assert_eq!(prepare(unknown, &disk).unwrap_err(), "the guest has no account mallory");
    let mut nowhere = changes();
    nowhere.files[0].path = "/opt/none/x".into();
    let error = prepare(nowhere, &disk).unwrap_err();
    assert!(error.starts_with("/opt/none/x of the guest was not written"), "{error}");
    let folder_there = Changes {
        files: vec![serde_json::from_value(json!({"path": "/etc/ssh", "content": ""})).unwrap()],
        ..Changes::default()
    };
    assert_eq!(
        prepare(folder_there, &disk).unwrap_err(),
        "/etc/ssh of the guest is a directory: it is not replaced"
    );
    fs::write(folder.path().join("empty.raw"), vec![0; 1 << 20]).unwrap();
    let empty = folder.path().join("empty.qcow2");
    ran(Command::new("qemu-img")
        .args(["create", "-q", "-f", "qcow2", "-F", "raw", "-b", "empty.raw"])
        .arg(&empty));
    let error = prepare(changes(), &empty).unwrap_err();
    assert!(error.contains("no disk has a Linux system on ext4"), "{error}");
}

use std::{cell::RefCell, fs, process::Command, rc::Rc};

use proptest::prelude::*;

use super::*;
use crate::{Profile, audit};

/// A disk in memory.
struct Memory(RefCell<Vec<u8>>);

impl Disk for Memory {
    fn size(&self) -> u64 {
        self.0.borrow().size()
    }

    fn read_at(&self, place: u64, into: &mut [u8]) -> Result<(), String> {
        self.0.borrow().read_at(place, into)
    }
}

fn disk(bytes: Vec<u8>) -> Rc<dyn Disk> {
    Rc::new(Memory(RefCell::new(bytes)))
}

/// A file system with a system in it, as `mkfs.ext4` makes it; `None` where there is none.
fn file_system() -> Option<Vec<u8>> {
    let folder = tempfile::tempdir().expect("a folder");
    let tree = folder.path().join("tree");
    fs::create_dir_all(tree.join("etc/ssh/sshd_config.d")).expect("a folder");
    fs::write(tree.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\n").expect("it is written");
    fs::write(tree.join("etc/shadow"), "root::1\n").expect("it is written");
    fs::write(tree.join("etc/ssh/real"), "Include sshd_config.d/*\n").expect("it is written");
    std::os::unix::fs::symlink("real", tree.join("etc/ssh/sshd_config")).expect("a link");
    fs::write(tree.join("etc/ssh/sshd_config.d/a"), "PermitRootLogin yes\n").expect("it is written");
    let image = folder.path().join("image");
    let made = Command::new("mkfs.ext4").args(["-q", "-d"]).arg(&tree).arg(&image).arg("4M").status();
    if !made.is_ok_and(|made| made.success()) {
        println!("skipped: mkfs.ext4 is not installed (apt install e2fsprogs)");
        return None;
    }
    Some(fs::read(image).expect("it is there"))
}

fn put(bytes: &mut [u8], at: usize, part: &[u8]) {
    bytes[at..at + part.len()].copy_from_slice(part);
}

/// A disk with a boot record, in which the file system is the second logical partition.
fn with_boot_record(system: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 512 * 200];
    let entry = |kind: u8, start: u32, length: u32| {
        [[0, 0, 0, 0, kind, 0, 0, 0].as_slice(), &start.to_le_bytes(), &length.to_le_bytes()].concat()
    };
    let sectors = u32::try_from(system.len() / 512).unwrap();
    put(&mut bytes, 446, &entry(0x0f, 10, sectors + 190));
    put(&mut bytes, 512 * 10 + 446, &entry(0x83, 2, 8));
    put(&mut bytes, 512 * 10 + 462, &entry(0x05, 90, sectors + 100));
    put(&mut bytes, 512 * 100 + 446, &entry(0x83, 100, sectors));
    for record in [0, 10, 100] {
        put(&mut bytes, 512 * record + 510, &[0x55, 0xaa]);
    }
    bytes.extend(system);
    bytes
}

fn with_guids(system: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 512 * 64];
    put(&mut bytes, 512, GPT);
    put(&mut bytes, 512 + 72, &2_u64.to_le_bytes());
    put(&mut bytes, 512 + 80, &[4, 0, 0, 0, 128, 0, 0, 0]);
    let last = 64 + system.len() as u64 / 512 - 1;
    put(&mut bytes, 1_024 + 128, &[1; 16]);
    put(&mut bytes, 1_024 + 128 + 32, &[64_u64.to_le_bytes(), last.to_le_bytes()].concat());
    bytes.extend(system);
    bytes
}

const GPT: &[u8] = b"EFI PART";

#[test]
fn a_system_is_found_wherever_it_is() {
    let Some(system) = file_system() else { return };
    for bytes in [system.clone(), with_boot_record(&system), with_guids(&system)] {
        let files = open(&disk(bytes)).unwrap();
        let report = audit(files.as_ref(), &Profile::default());
        let ids: Vec<&str> = report.findings.iter().map(|finding| finding.check.id).collect();
        assert!(ids.contains(&"PAL-GUEST-SSH-ROOT") && ids.contains(&"PAL-GUEST-PASSWORD-EMPTY"), "{ids:?}");
        assert_eq!(report.unknown, []);
        assert!(files.read("/etc/passwd", 3).is_err(), "too large");
        assert_eq!(files.read("/etc/none", 3), Ok(None));
    }
}

#[test]
fn what_is_not_read_is_named() {
    let refused = |bytes: Vec<u8>| open(&disk(bytes)).err().unwrap().to_string();
    assert!(refused(vec![]).contains("the whole disk of an unknown kind"));
    let mut luks = vec![0; 4_096];
    put(&mut luks, 0, b"LUKS\xba\xbe");
    assert!(refused(luks).contains("the whole disk LUKS"));
}

proptest! {
    #[test]
    fn a_mutated_disk_is_an_error_or_is_read(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..60),
    ) {
        thread_local! { static SYSTEM: Option<Vec<u8>> = file_system(); }
        let Some(system) = SYSTEM.with(Clone::clone) else { return Ok(()) };
        let mut bytes = with_boot_record(&system);
        for (place, byte) in edits {
            // Tables and metadata are at the beginning.
            let place = place.index(1 << 19);
            bytes[place] = byte;
        }
        if let Ok(files) = open(&disk(bytes)) {
            audit(files.as_ref(), &Profile::default());
        }
    }
}

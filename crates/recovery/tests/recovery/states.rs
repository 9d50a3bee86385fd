//! What is sealed is found changed to the bit, and nothing that is in use can be taken away.

use std::{
    fs::{self, File},
    os::unix::fs::{FileExt as _, PermissionsExt as _},
    path::Path,
};

use palisade_recovery::{
    image::{Format, Place},
    state::{Creating, Keep, Kept, StateError},
};

use crate::fixture::{Fixture, NOW, SIZE};

fn flip(path: &Path, at: u64) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    let file = File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 1 << (at % 8)], at).unwrap();
}

#[test]
fn a_machine_goes_on_with_an_overlay() {
    let fixture = Fixture::new();
    let manifest = fixture.seal();
    assert_eq!(manifest.disks[0].overlay, fixture.overlay());
    assert_eq!(fs::metadata(&manifest.disks[0].layers[0].path).unwrap().permissions().mode() & 0o777, 0o444);
    assert_eq!(fixture.store.ids().unwrap(), ["web-1700000000"]);
    assert_eq!(fixture.store.state(&manifest.id, &fixture.check()).unwrap(), manifest);
    let verified = fixture.store.verify(&manifest, &|_| {}).unwrap();
    assert!(verified.is_clean, "{:?}", verified.problems());
    // Again, with what was written since as a second layer.
    let Some(()) = fixture.write(100, 70_000) else { return };
    let second = fixture.seal_disk(&Place::new(fixture.overlay(), Format::Qcow2), NOW + 1);
    assert_eq!(second.disks[0].layers.len(), 2);
    assert_ne!(second.disks[0].root, manifest.disks[0].root);
    let verified = fixture.store.verify(&second, &|_| {}).unwrap();
    assert!(verified.is_clean, "{:?}", verified.problems());
}

#[test]
fn damage_is_named() {
    let fixture = Fixture::new();
    let manifest = fixture.seal();
    let base = &manifest.disks[0].layers[0].path;
    flip(base, 200_000);
    // A hole that is one no more.
    flip(base, 70_000);
    let verified = fixture.store.verify(&manifest, &|_| {}).unwrap();
    assert_eq!(verified.disks[0].guest_damaged, [65_536..131_072, 196_608..262_144]);
    assert!(
        verified.problems()[0].ends_with("what a guest reads differs at bytes 65536-131071, 196608-262143")
    );
    flip(base, 200_000);
    flip(base, 70_000);
    assert!(fixture.store.verify(&manifest, &|_| {}).unwrap().is_clean);
    File::options().write(true).open(base).unwrap().set_len(SIZE - 1).unwrap();
    assert!(!fixture.store.verify(&manifest, &|_| {}).unwrap().is_clean);
}

#[test]
fn every_bit_of_a_state_is_sealed() {
    let fixture = Fixture::new();
    let manifest = fixture.seal();
    let folder = fixture.store.state_folder(&manifest.id);
    let names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(names.len(), 6, "{names:?}");
    for path in names {
        let length = fs::metadata(&path).unwrap().len();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        for at in (0..length).step_by((length / 60).max(1) as usize).chain([length - 1]) {
            flip(&path, at);
            let problem = match fixture.store.state(&manifest.id, &fixture.check()) {
                Err(error) => error.to_string(),
                Ok(manifest) => fixture.store.verify(&manifest, &|_| {}).unwrap().problems().join("\n"),
            };
            assert!(problem.contains(&name), "byte {at} of {name}: {problem:?}");
            if name.starts_with("manifest") && name.ends_with("json") {
                assert!(problem.ends_with(&format!("damaged at byte {at}")), "{problem}");
            }
            flip(&path, at);
        }
    }
    assert!(fixture.store.verify(&manifest, &|_| {}).unwrap().is_clean);
}

#[test]
fn another_key_seals_nothing_here() {
    let fixture = Fixture::new();
    let manifest = fixture.seal();
    let other = Fixture::new();
    let error = fixture.store.state(&manifest.id, &other.check()).unwrap_err();
    assert!(matches!(error, StateError::Signature { twins: true, .. }), "{error}");
    // A sealed manifest under another name would bring an older state back.
    fs::rename(fixture.store.state_folder(&manifest.id), fixture.store.state_folder("web-9")).unwrap();
    assert!(matches!(fixture.store.state("web-9", &fixture.check()), Err(StateError::Manifest(_))));
    for name in ["", "../web", ".web", "a/b", &"x".repeat(65)] {
        assert!(matches!(fixture.store.state(name, &fixture.check()), Err(StateError::Name { .. })));
    }
}

#[test]
fn what_is_in_use_stays() {
    let fixture = Fixture::new();
    let manifest = fixture.seal();
    let error = fixture.store.delete(&manifest.id, &fixture.check()).unwrap_err();
    assert!(matches!(&error, StateError::InUse { path, .. } if *path == fixture.overlay()), "{error}");
    let keep = Keep { count: Some(0), age: None };
    let kept = fixture.store.prune(keep, NOW, &fixture.check()).unwrap();
    assert_eq!(kept, [Kept::InUse(manifest.id.clone(), fixture.overlay())]);
    fs::remove_file(fixture.overlay()).unwrap();
    let young = Keep { count: None, age: Some(60) };
    assert_eq!(fixture.store.prune(young, NOW + 60, &fixture.check()).unwrap(), []);
    let kept = fixture.store.prune(young, NOW + 61, &fixture.check()).unwrap();
    assert_eq!(kept, [Kept::Deleted(manifest.id.clone())]);
    assert!(!manifest.disks[0].layers[0].path.exists());
    assert!(fixture.disk.exists(), "the disk that was sealed is the user's");
}

#[test]
fn a_quota_is_kept_and_changes_nothing() {
    let fixture = Fixture::new();
    let disks = [Place::new(&fixture.disk, Format::Raw)];
    let what = |quota| Creating {
        machine: "web",
        disks: &disks,
        by: "rosa",
        now: NOW,
        policy_sha256: None,
        audit: None,
        quota: Some(quota),
    };
    let error = fixture.store.create(&what(1 << 20), &fixture.key, &|_| {}).unwrap_err();
    assert!(matches!(error, StateError::Quota { quota: 1_048_576, .. }), "{error}");
    assert_eq!(fixture.store.ids().unwrap(), [""; 0]);
    assert!(!fixture.overlay().exists());
    fixture.store.create(&what(64 << 20), &fixture.key, &|_| {}).unwrap();
}

#[test]
fn disks_that_cannot_all_be_sealed_are_as_they_were() {
    let fixture = Fixture::new();
    let second = fixture.folder.path().join("data.raw");
    fs::copy(&fixture.disk, &second).unwrap();
    for (disk, mode) in [(&fixture.disk, 0o640), (&second, 0o604)] {
        fs::set_permissions(disk, fs::Permissions::from_mode(mode)).unwrap();
    }
    // The name under which the second disk would stay is somebody else's.
    let taken = fixture.folder.path().join(format!("data.clean-web-{NOW}.raw"));
    fs::write(&taken, "mine").unwrap();
    let disks = [&fixture.disk, &second].map(|disk| Place::new(disk, Format::Raw));
    let what = Creating {
        machine: "web",
        disks: &disks,
        by: "rosa",
        now: NOW,
        policy_sha256: None,
        audit: None,
        quota: None,
    };
    let error = fixture.store.create(&what, &fixture.key, &|_| {}).unwrap_err().to_string();
    assert!(error.contains("data.raw"), "{error}");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&fixture.disk), mode(&second)), (0o640, 0o604));
    assert!(!fixture.folder.path().join(format!("web.clean-web-{NOW}.raw")).exists());
    assert_eq!(fs::read(&taken).unwrap(), b"mine");
    assert_eq!(fixture.store.ids().unwrap(), [""; 0]);
    fs::remove_file(taken).unwrap();
    fixture.store.create(&what, &fixture.key, &|_| {}).unwrap();
}

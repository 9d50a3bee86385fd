//! Hives of real machines, which lie beside the repository: `PALISADE_REAL_DATA`, or `shared/data` beside it.

use std::{path::PathBuf, process::Command};

use palisade_guest::{MemoryFiles, Profile, Report, audit, registry::Hive, windows};

/// A hive of that folder; `None` if it, or what unpacks it, is not here.
pub(crate) fn hive(name: &str) -> Option<Vec<u8>> {
    let beside = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data"));
    let folder = std::env::var_os("PALISADE_REAL_DATA").map_or(beside, PathBuf::from);
    let path = folder.join("hives").join(format!("{name}.xz"));
    if !path.exists() {
        println!("skipped: {} is absent (set PALISADE_REAL_DATA)", path.display());
        return None;
    }
    let output = Command::new("xz").args(["--decompress", "--stdout"]).arg(&path).output();
    let unpacked = output.ok().filter(|output| output.status.success()).map(|output| output.stdout);
    if unpacked.is_none() {
        println!("skipped: xz is not installed");
    }
    unpacked
}

pub(crate) fn report(hives: &[(&str, Vec<u8>)]) -> Report {
    let files: MemoryFiles =
        hives.iter().map(|(name, bytes)| (format!("{}/{name}", windows::HIVES), bytes.clone())).collect();
    audit(&files, &Profile::default())
}

fn ids(report: &Report) -> Vec<&str> {
    report.findings.iter().map(|finding| finding.check.id.trim_start_matches("PAL-GUEST-WIN-")).collect()
}

fn about<'r>(report: &'r Report, name: &str) -> &'r str {
    report.about.iter().find(|(own, _)| *own == name).map_or("", |(_, value)| value)
}

#[test]
fn the_accounts_of_a_real_machine() {
    let Some(sam) = hive("SAM") else { return };
    let read = Hive::read(sam.clone(), &[]).unwrap();
    assert_eq!(windows::name_of(&read), Ok(Some("SAM")));
    let report = report(&[("SAM", sam)]);
    let ids = ids(&report);
    // Known of it: RID 500 is disabled and not renamed, and nothing ever locks.
    assert!(ids.contains(&"ADMIN-NAME") && ids.contains(&"LOCKOUT-THRESHOLD"), "{ids:?}");
    assert!(!ids.contains(&"ADMIN-ENABLED") && !ids.contains(&"LOCKOUT-DURATION"), "{ids:?}");
}

#[test]
fn settings_of_real_machines() {
    if let Some(system) = hive("SYSTEM") {
        let read = Hive::read(system.clone(), &[]).unwrap();
        assert_eq!(windows::name_of(&read), Ok(Some("SYSTEM")));
        let report = report(&[("SYSTEM", system)]);
        assert_eq!(about(&report, "remote desktop"), "on, port 3389");
        assert!(ids(&report).contains(&"RDP-NLA"), "{:?}", ids(&report));
    }
    if let Some(system) = hive("SYSTEM_WIN_10_1709") {
        let report = report(&[("SYSTEM", system)]);
        assert_eq!(about(&report, "remote desktop"), "off");
        assert!(!ids(&report).contains(&"RDP-NLA"), "{:?}", ids(&report));
    }
    if let Some(security) = hive("SECURITY") {
        assert_eq!(windows::name_of(&Hive::read(security, &[]).unwrap()), Ok(None));
    }
}

//! A hive of any shape, with a transaction log of any shape, is audited to its end.
//!
//! Nothing may panic, and what is told of it is bounded and holds no control characters.
#![no_main]

use libfuzzer_sys::fuzz_target;
use palisade_guest::{MemoryFiles, Profile, audit, registry::Hive, windows};

fuzz_target!(|bytes: &[u8]| {
    // The first two bytes say where the log begins, and which hive it is taken for.
    let [high, low, rest @ ..] = bytes else { return };
    let at = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
    let (primary, log) = rest.split_at(rest.len() - at);
    if let Ok(hive) = Hive::read(primary.to_vec(), &[log.to_vec()]) {
        let _ = windows::name_of(&hive);
        if let Ok(keys) = hive.root().and_then(|root| root.subkeys()) {
            for key in keys.take(100).flatten() {
                let _ = key.name();
                let _ = key.values().map(|values| values.take(100).count());
            }
        }
    }
    let names = ["SAM", "SYSTEM", "SOFTWARE"];
    let folder = windows::HIVES;
    let hives = names.map(|name| (format!("{folder}/{name}"), primary.to_vec()));
    let files: MemoryFiles =
        hives.into_iter().chain([(format!("{folder}/SAM.LOG1"), log.to_vec())]).collect();
    let report = audit(&files, &Profile::default());
    for finding in &report.findings {
        assert!(finding.message.chars().count() <= 203 && !finding.message.contains(char::is_control));
    }
});

//! Readers of files from outside: JSON as Azure tolerates it, and Microsoft's service tags.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = palisade_arm::json::parse("input.json", bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = palisade_arm::service_tags::read(text);
    }
});

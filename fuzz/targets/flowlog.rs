//! A flow log of any shape is read to its end, and what it holds finds its place or does not.
//!
//! Nothing may panic, memory stays bounded by the longest text, and what is counted is what was given.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use palisade_flowlog::{Limits, read_from};

fuzz_target!(|bytes: &[u8]| {
    let mut given = 0;
    let limits = Limits { bytes: 1 << 20, flows: 1 << 12, ..Limits::default() };
    let report = read_from(bytes, Path::new("log"), limits, &mut |record, origin| {
        given += 1;
        assert!(record.flow.source().is_ipv4() == record.flow.destination().is_ipv4());
        assert!(origin.rule.as_ref().is_none_or(|rule| rule.len() <= bytes.len()));
    });
    if let Ok(report) = report {
        assert_eq!(report.counts.flows, given);
        assert!(report.problems.len() as u64 <= report.counts.problems);
    }
});

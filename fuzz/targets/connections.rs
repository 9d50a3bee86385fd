//! A capture, a log of Zeek's or Argus, a flow log or what a guest tells of logons, of any shape, is read to its end and judged.
//!
//! Nothing may panic, what is kept is within the limit, in the order of ends, and the same input says the same again.
#![no_main]

use std::{
    path::Path,
    time::{Duration, UNIX_EPOCH},
};

use libfuzzer_sys::fuzz_target;
use palisade_flowlog::{ConnectionReader, Origin};
use palisade_guard::{Guard, join};

/// Connections of one input, at most.
const MAX: usize = 1 << 12;
/// When an input was written.
const WRITTEN: Duration = Duration::from_secs(1_790_000_000);

fuzz_target!(|bytes: &[u8]| {
    let read = || {
        let mut reader = ConnectionReader::new(Vec::new(), MAX);
        let origin = Origin { bytes: bytes.len() as u64, written: UNIX_EPOCH + WRITTEN };
        let taken = reader.read_stream(bytes, Path::new("log"), origin);
        (taken.ok(), reader.finish())
    };
    let (taken, mut log) = read();
    assert_eq!(read(), (taken, log.clone()));
    // Those of captures, and those of flow logs, which are put together in the end.
    assert!(log.connections.len() <= 2 * MAX);
    assert!(log.connections.is_sorted_by_key(|connection| connection.end_ms));
    for connection in &log.connections {
        assert!(connection.flow.source().is_ipv4() == connection.flow.destination().is_ipv4());
    }
    assert!(log.problems.len() as u64 <= log.malformed);
    let logons = join(std::mem::take(&mut log.events), &log.connections);
    let (mut guard, mut alerts) = (Guard::default(), Vec::new());
    guard.observe_all(&log.connections, &mut alerts);
    logons.logons.iter().for_each(|logon| guard.observe_logon(logon, &mut alerts));
    guard.finish(&mut alerts);
});

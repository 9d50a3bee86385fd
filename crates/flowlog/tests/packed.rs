//! Logs that gzip compressed: read like others, and given up where they become more than a log does.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use palisade_flowlog::{FlowLog, FlowLogError, Limits, limits};

/// A log of one flow.
const TEXT: &str = r#"{"records":[{"time":"2026-01-01T00:00:00Z","category":"NetworkSecurityGroupFlowEvent",
    "resourceId":"/SUBSCRIPTIONS/S/RESOURCEGROUPS/SHOP/PROVIDERS/MICROSOFT.NETWORK/NETWORKSECURITYGROUPS/WEB-NSG",
    "properties":{"Version":2,"flows":[{"rule":"UserRule_a","flows":[{"mac":"000D3A123456",
    "flowTuples":["1700000000,203.0.113.7,10.0.1.4,50000,443,T,I,A,E,,,,"]}]}]}}]}"#;

/// A file as gzip packs it.
fn packed(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).expect("memory can be written");
    encoder.finish().expect("memory can be written")
}

#[test]
fn compressed_files_are_read_like_others() {
    let folder = tempfile::tempdir().expect("a folder");
    // Two members in one file are one text after the other.
    let twice = [packed(TEXT.as_bytes()), packed(TEXT.as_bytes())].concat();
    std::fs::write(folder.path().join("PT1H.json.gz"), &twice).expect("a file");
    std::fs::write(folder.path().join("other.json"), packed(TEXT.as_bytes())).expect("a file");
    let all = FlowLog::read(&[folder.path().to_owned()], Limits::default()).expect("they can be read");
    assert_eq!((all.records.len(), all.report.counts.bytes), (3, 3 * TEXT.len() as u64));
    assert_eq!((all.report.counts.files, all.report.problems.len()), (2, 0));
    // Of a file that ends too early, what came before is read.
    let long = packed(TEXT.repeat(2_000).as_bytes());
    std::fs::write(folder.path().join("other.json"), &long[..long.len() / 2]).expect("a file");
    let cut = FlowLog::read(&[folder.path().join("other.json")], Limits::default()).expect("it can be read");
    assert!(!cut.records.is_empty() && cut.records.len() < 2_000, "{}", cut.records.len());
    assert_eq!(cut.report.counts.problems, 1);
}

#[test]
fn what_unpacks_to_far_more_than_a_log_is_given_up() {
    let always = usize::try_from(limits::UNPACKED_ALWAYS).expect("it is small");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bomb.json.gz");
    let write = |content: &[u8]| std::fs::write(&path, packed(content)).expect("a file");
    let read = |limits| FlowLog::read(std::slice::from_ref(&path), limits);
    // Up to its bound a file may shrink as much as it likes.
    write(&[TEXT.as_bytes(), &vec![b' '; always - TEXT.len()]].concat());
    let whole = read(Limits::default()).expect("it can be read");
    assert_eq!((whole.records.len(), whole.report.problems.len()), (1, 0));
    write(&[TEXT.as_bytes(), &vec![b' '; always - TEXT.len() + 1]].concat());
    let given_up = read(Limits::default()).expect("it can be read");
    assert_eq!(given_up.records.len(), 1);
    let problem = given_up.report.problems[0].to_string();
    assert!(problem.contains("it unpacks to more than 16777216 bytes"), "{problem}");
    // The limit of bytes is of what it unpacks to.
    let limits = Limits { bytes: 1 << 20, ..Limits::default() };
    assert!(matches!(read(limits), Err(FlowLogError::TooMuch { what: "bytes", .. })));
}

use palisade_sync::Entry;

use super::*;

fn snapshot(revision: u64, documents: &[(&str, &str)]) -> Snapshot {
    let mut set = Documents::default();
    for (key, body) in documents {
        set.put((*key).into(), Entry::new(key, body.to_string().into())).unwrap();
    }
    Snapshot { revision, hash: set.hash(), documents: set.into() }
}

#[test]
fn what_was_kept_is_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let mut journal = Journal::open(&path).unwrap();
    assert_eq!(journal.kept(), None);
    let states = [
        snapshot(1, &[("/a", "1"), ("/b", "2")]),
        snapshot(2, &[("/a", "1"), ("/b", "two")]),
        snapshot(3, &[("/b", "two"), ("/c", "3")]),
        snapshot(4, &[("/b", "two"), ("/c", "3")]),
    ];
    for state in &states {
        journal.keep(state).unwrap();
        journal.settle().unwrap();
        assert_eq!(Journal::open(&path).unwrap().kept(), Some(state));
    }
}

#[test]
fn a_torn_end_leaves_the_state_before_and_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let mut journal = Journal::open(&path).unwrap();
    let (first, second) = (snapshot(1, &[("/a", "1")]), snapshot(2, &[("/a", "one"), ("/b", "2")]));
    journal.keep(&first).unwrap();
    let whole_first = fs::read(&path).unwrap().len();
    journal.keep(&second).unwrap();
    let whole = fs::read(&path).unwrap();
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let mut journal = Journal::open(&path).unwrap();
        assert_eq!(journal.kept(), (length >= whole_first).then_some(&first), "{length} bytes");
        journal.keep(&second).unwrap();
        assert_eq!(Journal::open(&path).unwrap().kept(), Some(&second), "{length} bytes");
    }
    for place in whole_first..whole.len() {
        let mut damaged = whole.clone();
        damaged[place] ^= 0x55;
        fs::write(&path, damaged).unwrap();
        let found = Journal::open(&path).unwrap().kept().unwrap().documents.clone();
        assert!([&first.documents, &second.documents].contains(&&found), "byte {place}: {found:?}");
    }
}

#[test]
fn the_file_does_not_grow_without_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let mut journal = Journal::open(&path).unwrap();
    let body = "x".repeat(SLACK_BYTES / 4);
    for revision in 1..50 {
        let body = format!("{body}{revision}");
        let state = snapshot(revision, &[("/a", &body)]);
        journal.keep(&state).unwrap();
        let bytes = fs::metadata(&path).unwrap().len() as usize;
        assert!(bytes <= 2 * body.len() + SLACK_BYTES + 100, "{bytes} at revision {revision}");
        assert_eq!(Journal::open(&path).unwrap().kept(), Some(&state));
    }
}

//! Writers whose work can be checked afterwards: nothing acknowledged may be lost, nothing may be there by half.
//!
//! Writer `w` commits 1, 2, 3, ...: number `n` puts `n` under `a/w` and `b/w` and makes `n/w/n`, in one transaction.

use std::collections::BTreeMap;

use bytes::Bytes;
use palisade_store::{Commit, CommitError, Op, Revision, Store, StoreError, Transaction};

/// How many write at once.
pub(crate) const WRITERS: usize = 16;

/// What a writer's last number is, by writer.
pub(crate) type Numbers = BTreeMap<usize, u64>;

fn entry(writer: usize, number: u64) -> Transaction {
    let text = Bytes::from(number.to_string());
    let ops = vec![
        Op::Put(format!("a/{writer:02}"), text.clone()),
        Op::Put(format!("n/{writer:02}/{number:08}"), Bytes::from(vec![b'x'; 400])),
        Op::Put(format!("b/{writer:02}"), text),
    ];
    Transaction { guards: vec![], ops }
}

/// Commits a number, and again until it is known to be there.
pub(crate) async fn write(store: &dyn Store, writer: usize, number: u64) -> Result<Revision, StoreError> {
    store.commit(entry(writer, number)).await.map_err(|error| match error {
        CommitError::Store(error) => error,
        CommitError::Conflict => panic!("a transaction without guards is in conflict"),
    })
}

/// Reads every writer's last number, after having checked that each of its commits is there, and whole.
pub(crate) async fn read(store: &dyn Store) -> (Revision, Numbers) {
    let snapshot = store.snapshot("").await.unwrap();
    let entries: BTreeMap<_, _> =
        snapshot.entries.iter().map(|entry| (entry.key.clone(), entry.value.clone())).collect();
    (snapshot.revision, check(&entries))
}

fn check(entries: &BTreeMap<String, Bytes>) -> Numbers {
    let mut numbers = Numbers::new();
    for writer in 0..WRITERS {
        let last = |letter: &str| entries.get(&format!("{letter}/{writer:02}")).map_or(0, parse);
        let made = entries.keys().filter(|key| key.starts_with(&format!("n/{writer:02}/"))).count() as u64;
        let newest = entries.contains_key(&format!("n/{writer:02}/{:08}", last("a")));
        assert_eq!((last("a"), last("a")), (last("b"), made), "a commit of writer {writer} is there by half");
        assert!(newest || last("a") == 0, "number {} of writer {writer} is missing", last("a"));
        numbers.insert(writer, made);
    }
    numbers
}

fn parse(text: &Bytes) -> u64 {
    std::str::from_utf8(text).unwrap().parse().unwrap()
}

/// What commits add up to, told one by one.
#[derive(Debug, Default)]
pub(crate) struct Told {
    entries: BTreeMap<String, Bytes>,
    last: Revision,
}

impl Told {
    /// Hears one more: it must be after the one before, and leave everything whole.
    pub(crate) fn hear(&mut self, commit: Commit) {
        assert!(commit.revision > self.last, "{:?} was told after {:?}", commit.revision, self.last);
        assert_eq!(commit.changes.len(), 3, "a commit was told by half");
        self.last = commit.revision;
        for (key, value) in commit.changes {
            self.entries.insert(key, value.expect("nobody deletes"));
        }
    }

    /// The revision of the last one.
    pub(crate) fn revision(&self) -> Revision {
        self.last
    }

    /// Everybody's last number.
    pub(crate) fn numbers(&self) -> Numbers {
        check(&self.entries)
    }
}

/// A number below `below` that nobody can foresee.
pub(crate) fn random(below: u64) -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    std::hash::RandomState::new().build_hasher().finish() % below
}

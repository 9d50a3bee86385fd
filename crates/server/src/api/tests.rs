//! What is remembered for those who come back.

use std::{collections::BTreeSet, sync::Arc};

use palisade_control::Committed;
use palisade_store::Revision;

use super::watch::{COMMITS_REMEMBERED, History};

fn commit(revision: u64) -> Arc<Committed> {
    Arc::new(Committed {
        revision: Revision(revision),
        changed: Vec::new(),
        records: Vec::new(),
        callers: Vec::new(),
        hosts: BTreeSet::new(),
    })
}

/// Revisions that are told to who saw `after` last; nothing if they are no longer known.
fn missed(history: &History, after: Option<u64>) -> Option<Vec<u64>> {
    let (missed, _next) = history.join(after.map(Revision))?;
    Some(missed.iter().map(|commit| commit.revision.0).collect())
}

#[test]
fn whoever_comes_back_is_told_what_was_missed_or_that_it_is_forgotten() {
    let history = History::new(Revision(5));
    assert_eq!(missed(&history, None), Some(vec![]));
    assert_eq!(missed(&history, Some(4)), None);
    history.add(commit(7));
    history.add(commit(8));
    assert_eq!(missed(&history, Some(5)), Some(vec![7, 8]));
    assert_eq!(missed(&history, Some(7)), Some(vec![8]));
    assert_eq!(missed(&history, None), Some(vec![]));
    for revision in 9..9 + COMMITS_REMEMBERED as u64 {
        history.add(commit(revision));
    }
    assert_eq!(missed(&history, Some(7)), None);
    assert_eq!(missed(&history, Some(8)).map(|all| all.len()), Some(COMMITS_REMEMBERED));
}

#[test]
fn a_gap_forgets_what_came_before_it() {
    let history = History::new(Revision(1));
    history.add(commit(2));
    history.forget(Revision(9));
    assert_eq!(missed(&history, Some(2)), None);
    assert_eq!(missed(&history, Some(9)), Some(vec![]));
}

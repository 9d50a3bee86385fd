//! The detectors' memory after a start: the last day of the flow store, seen again in silence.

use std::num::NonZero;

use palisade_flowstore::{
    Store, StoreError,
    query::{Filter, Key, Measure, Question, Value, ask, records},
};

use super::stream::Stream;

/// How far back is looked.
pub(super) const PAST_MS: u64 = 86_400_000;
/// Records that are looked at: the newest, by whole minutes.
pub(super) const PAST_RECORDS_MAX: u64 = 2_000_000;
const MINUTE_MS: u64 = 60_000;
/// One thread: others have work to do at a start.
const THREADS: NonZero<usize> = NonZero::<usize>::MIN;

/// Shows the past of a store, until now, to the detectors; how many records that were. It waits for the storage.
pub(super) fn warm(stream: &mut Stream, address: &str, now_ms: u64) -> Result<u64, StoreError> {
    let store = Store::open(address)?;
    let from_ms = begin(&store, now_ms)?;
    let filter = Filter { from_ms, to_ms: now_ms, terms: Vec::new() };
    let mut count = 0;
    records::<StoreError>(&store, &filter, THREADS, |record| {
        stream.recall(&record);
        count += 1;
        Ok(())
    })?;
    Ok(count)
}

/// The first minute from which on there are not too many records.
fn begin(store: &Store, now_ms: u64) -> Result<u64, StoreError> {
    let from_ms = now_ms.saturating_sub(PAST_MS);
    let question = Question {
        filter: Filter { from_ms, to_ms: now_ms, terms: Vec::new() },
        by: vec![Key::Span(MINUTE_MS)],
        measures: vec![Measure::Records],
        limit: usize::MAX,
    };
    let answer = ask(store, &question, THREADS)?;
    let minute = |value: &Value| if let Value::Moment(ms) = value { *ms } else { from_ms };
    let mut minutes: Vec<(u64, u64)> =
        answer.groups.iter().map(|group| (minute(&group.keys[0]), group.sums[0])).collect();
    minutes.sort_unstable_by(|a, b| b.cmp(a));
    let mut room = PAST_RECORDS_MAX;
    let mut first_ms = now_ms;
    for (minute_ms, count) in minutes {
        let Some(rest) = room.checked_sub(count) else { return Ok(first_ms) };
        (room, first_ms) = (rest, minute_ms);
    }
    Ok(from_ms)
}

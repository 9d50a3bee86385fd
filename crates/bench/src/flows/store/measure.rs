//! Writing and asking, with their times: of the clock and of the processor.

use std::{
    num::NonZero,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use palisade_flowstore::{
    FlowWriter, GROUPS, Store, StoreError, WriterOptions,
    query::{Answer, Filter, Key, Measure, NIC, Question, Scanned, Term, Test, ask},
    schema,
};

use super::workload::{DAY_MS, RARE, START_MS, Workload};
use crate::flows::taken::Taken;

/// Records that are made at once, about as many as a server takes from a host.
const PART: usize = 1 << 14;
/// How often is told how far the making of records is.
const TOLD_EVERY: Duration = Duration::from_secs(10);
/// Hours of a day, and their milliseconds.
const HOURS: usize = 24;
const HOUR_MS: u64 = DAY_MS / HOURS as u64;

/// What writing took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wrote {
    /// Records.
    pub records: u64,
    /// Bytes of files.
    pub bytes: u64,
    /// Appending and flushing, without the making of records.
    pub taken: Taken,
}

/// One question and what it took.
#[derive(Debug)]
pub struct Asked {
    /// Its name.
    pub name: &'static str,
    /// Groups in the answer.
    pub groups: u64,
    /// What was looked at.
    pub scanned: Scanned,
    /// The best of three.
    pub taken: Taken,
}

/// Writes a day of so many records as they come, all interfaces mixed, and measures that: appending, and flushing whenever so many are open
/// and at the end.
///
/// # Errors
/// [`StoreError`].
pub fn write(folder: &Path, records: usize, open: usize) -> Result<Wrote, StoreError> {
    let options = WriterOptions { records: open, age_ms: u64::MAX };
    let mut writer = FlowWriter::new(Store::open(&folder.to_string_lossy())?, options);
    let mut workload = Workload::new(1);
    let mut taken = Taken::default();
    let parts = records.div_ceil(PART);
    for part in 0..parts {
        let place = |part: usize| START_MS + DAY_MS * part as u64 / parts as u64;
        let made = workload.records((records - part * PART).min(PART), place(part), place(part + 1));
        taken.measure(|| made.into_iter().try_for_each(|record| writer.append(record, 0)))?;
    }
    taken.measure(|| writer.flush())?;
    let written = writer.written();
    Ok(Wrote { records: written.records, bytes: written.bytes, taken })
}

/// Fills a store with a day of about so many records, an hour of a group after the other on each thread: as large files as compaction would
/// make, in a part of its time.
///
/// # Errors
/// [`StoreError`].
pub fn fill(
    folder: &Path,
    records: usize,
    threads: NonZero<usize>,
    tell: &mut dyn FnMut(&str),
) -> Result<u64, StoreError> {
    let store = Store::open(&folder.to_string_lossy())?;
    let all = Workload::new(0);
    let partitions = HOURS * usize::from(GROUPS);
    let (next, made) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || -> Result<(), StoreError> {
        let options = WriterOptions { age_ms: u64::MAX, ..WriterOptions::default() };
        let mut writer = FlowWriter::new(store.clone(), options);
        loop {
            let partition = next.fetch_add(1, Ordering::Relaxed);
            if partition >= partitions {
                return Ok(());
            }
            let (hour, group) = (partition / usize::from(GROUPS), partition % usize::from(GROUPS));
            let mut workload = all.of_group(group as u8, partition as u64);
            let count = (records as f64 * workload.share() / HOURS as f64) as usize;
            let parts = count.div_ceil(PART);
            let place = |part: usize| START_MS + HOUR_MS * hour as u64 + HOUR_MS * part as u64 / parts as u64;
            for part in 0..parts {
                let some = workload.records((count - part * PART).min(PART), place(part), place(part + 1));
                some.into_iter().try_for_each(|record| writer.append(record, 0))?;
            }
            writer.flush()?;
            made.fetch_add(count, Ordering::Relaxed);
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.get()).map(|_| scope.spawn(work)).collect();
        while workers.iter().any(|worker| !worker.is_finished()) {
            tell(&format!("{} of {records} records are made", made.load(Ordering::Relaxed)));
            let begun = Instant::now();
            while begun.elapsed() < TOLD_EVERY && workers.iter().any(|worker| !worker.is_finished()) {
                thread::sleep(Duration::from_millis(20));
            }
        }
        workers.into_iter().try_for_each(|worker| worker.join().expect("a writer does not panic"))
    })?;
    Ok(made.into_inner() as u64)
}

/// Asks what people ask of a day of flows.
///
/// # Errors
/// [`StoreError`].
pub fn questions(folder: &Path, threads: NonZero<usize>) -> Result<Vec<Asked>, StoreError> {
    let store = Store::open(&folder.to_string_lossy())?;
    let column = |name| Key::Column(schema::column(name).expect("there is such a column"));
    let term = |columns: &'static [&'static str], is| vec![Term { columns, is }];
    let all = Vec::new;
    let rare =
        Test::Address(vec![format!("{}/32", std::net::Ipv4Addr::from(RARE)).parse().expect("a prefix")]);
    let rdp = Test::Number(vec![(3_389, 3_389)]);
    let nic = Test::Text(vec!["nic042".to_owned()]);
    let denied = Test::Text(vec!["deny".to_owned()]);
    [
        ("top addresses by bytes", all(), vec![column("remote_address")], Measure::Bytes),
        ("top interfaces by bytes", all(), vec![column("nic")], Measure::Bytes),
        ("top ports by records", all(), vec![column("local_port")], Measure::Records),
        ("one address", term(&["remote_address"], rare), vec![column("nic")], Measure::Records),
        ("one interface by hour", term(NIC, nic), vec![Key::Span(3_600_000)], Measure::Records),
        (
            "denied RDP by address",
            [term(&["local_port"], rdp), term(&["kind"], denied)].concat(),
            vec![column("remote_address")],
            Measure::Records,
        ),
    ]
    .into_iter()
    .map(|(name, terms, by, measure)| {
        let filter = Filter { terms, ..Filter::default() };
        let question = Question { filter, by, measures: vec![measure], limit: 10 };
        best(name, || ask(&store, &question, threads))
    })
    .collect()
}

/// The quickest of three.
fn best(name: &'static str, ask: impl Fn() -> Result<Answer, StoreError>) -> Result<Asked, StoreError> {
    let mut best: Option<Asked> = None;
    for _ in 0..3 {
        let mut taken = Taken::default();
        let answer = taken.measure(&ask)?;
        if best.as_ref().is_none_or(|best| taken.wall < best.taken.wall) {
            best = Some(Asked { name, groups: answer.groups_found, scanned: answer.scanned, taken });
        }
    }
    Ok(best.expect("it was asked"))
}

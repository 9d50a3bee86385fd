//! Compaction, retention, kills: what was flushed stays, whole, and is told once.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    net::IpAddr,
    num::NonZero,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use palisade_flowstore::{
    FlowWriter, Kind, Labels, Record, Retention, Store, StoreError, WriterOptions, compact,
    query::{self, Filter},
    retain,
};
use palisade_net::{Direction, Protocol};

use crate::support::START_MS;

const THREADS: NonZero<usize> = NonZero::new(2).expect("it is not 0");
const HOUR_MS: u64 = 3_600_000;

fn record(time_ms: u64, labels: &Arc<Labels>) -> Record {
    Record {
        time_ms,
        kind: Kind::Begin,
        began_ms: None,
        last_ms: None,
        direction: Direction::Inbound,
        protocol: Protocol::TCP,
        local: (IpAddr::from([10, 0, 0, 4]), 443),
        remote: (IpAddr::from([203, 0, 113, 9]), 50_000),
        icmp_type: None,
        icmp_code: None,
        since: None,
        total: None,
        tcp_flags: [None, None],
        generation: None,
        audited: None,
        midstream: None,
        place: None,
        tuple: None,
        labels: labels.clone(),
    }
}

fn open(folder: &Path) -> Store {
    Store::open(folder.to_str().expect("its name is text")).expect("it can be opened")
}

fn times(store: &Store) -> Vec<u64> {
    let mut found = Vec::new();
    let read = query::records(store, &Filter::default(), THREADS, |record| {
        found.push(record.time_ms);
        Ok::<_, StoreError>(())
    });
    read.expect("it can be read");
    found
}

fn files(store: &Store) -> usize {
    store.files(|_| true).expect("it can be listed").len()
}

/// A store of two hours, ten files each.
fn scattered(folder: &Path) -> (Store, Vec<u64>) {
    let store = open(folder);
    let labels = Arc::new(Labels::default());
    let mut writer = FlowWriter::new(store.clone(), WriterOptions::default());
    let mut all = Vec::new();
    for round in 0..10 {
        for step in 0..20 {
            let time = START_MS + (step % 2) * HOUR_MS + (step * 7 + round) % 60;
            writer.append(record(time, &labels), 0).expect("it is kept");
            all.push(time);
        }
        writer.flush().expect("it is written");
    }
    all.sort_unstable();
    (store, all)
}

#[test]
fn small_files_become_one_and_say_what_they_replace() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, all) = scattered(folder.path());
    assert_eq!((files(&store), times(&store)), (20, all.clone()));
    let before: Vec<(String, Vec<u8>)> = store
        .files(|_| true)
        .expect("it can be listed")
        .into_iter()
        .map(|file| (file.path.clone(), fs::read(folder.path().join(&file.path)).expect("it is there")))
        .collect();

    let first = compact(&store, START_MS + HOUR_MS, THREADS).expect("it is compacted");
    assert_eq!((first.made, first.removed, files(&store)), (1, 10, 11), "the second hour is not over");
    let second = compact(&store, u64::MAX, THREADS).expect("it is compacted");
    assert_eq!((second.made, second.removed, files(&store)), (1, 10, 2));
    assert_eq!(times(&store), all);
    assert_eq!(compact(&store, u64::MAX, THREADS).expect("there is nothing to do").made, 0);

    // A crash before the old files were removed leaves both.
    for (path, bytes) in &before[..7] {
        fs::write(folder.path().join(path), bytes).expect("it can be written");
    }
    assert_eq!((files(&store), times(&store)), (9, all.clone()), "nothing is told twice");
    let repaired = compact(&store, u64::MAX, THREADS).expect("it is compacted");
    assert_eq!((repaired.made, repaired.removed, files(&store)), (0, 7, 2));
    assert_eq!(times(&store), all);
}

#[test]
fn one_process_compacts_at_a_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, _) = scattered(folder.path());
    let held = fs::File::create(folder.path().join("compaction.lock")).expect("it can be made");
    held.lock().expect("nobody holds it");
    let error = compact(&store, u64::MAX, THREADS).expect_err("it is held").to_string();
    assert!(error.contains("is being compacted by another process"), "{error}");
    held.unlock().expect("we hold it");
    assert_eq!(compact(&store, u64::MAX, THREADS).expect("it is free").made, 2);
}

#[test]
fn the_oldest_hours_go() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, all) = scattered(folder.path());
    let kept = Retention { from_ms: Some(START_MS + HOUR_MS - 1), bytes: Some(u64::MAX) };
    assert_eq!(retain(&store, kept).expect("nothing is old").removed, 0);
    let by_age = Retention { from_ms: Some(START_MS + HOUR_MS), bytes: None };
    assert_eq!(retain(&store, by_age).expect("an hour is old").removed, 10);
    assert_eq!(
        times(&store),
        all.iter().copied().filter(|time| *time >= START_MS + HOUR_MS).collect::<Vec<_>>()
    );
    let by_size = Retention { from_ms: None, bytes: Some(100) };
    assert_eq!(retain(&store, by_size).expect("it is too large").removed, 10);
    assert_eq!(times(&store), Vec::<u64>::new());
}

#[test]
fn a_record_beyond_every_column_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut writer = FlowWriter::new(open(folder.path()), WriterOptions::default());
    let labels = Arc::new(Labels::default());
    let error =
        writer.append(record(Record::TIME_MS_MAX + 1, &labels), 0).expect_err("it is too late").to_string();
    assert!(error.contains("time is 253402300800000, more than 253402300799999"), "{error}");
    writer.append(record(Record::TIME_MS_MAX, &labels), 0).expect("it is kept");
    assert_eq!(writer.close().expect("it is written").records, 1);
}

#[test]
fn a_writer_writes_what_has_waited() {
    let folder = tempfile::tempdir().expect("a folder");
    let labels = Arc::new(Labels::default());
    let mut writer = FlowWriter::new(open(folder.path()), WriterOptions { records: 3, age_ms: 1_000 });
    writer.append(record(START_MS, &labels), 5_000).expect("it is kept");
    assert!(!writer.flush_due(5_999).expect("it is not due"));
    assert!(writer.flush_due(6_000).expect("it is due"));
    for step in 0..4 {
        writer.append(record(START_MS + step, &labels), 7_000).expect("it is kept");
    }
    assert_eq!((writer.written().records, writer.open_records()), (4, 1), "three are a batch");
    writer.append(record(START_MS, &labels), 8_000).expect("it is kept");
    assert_eq!((writer.written().records, writer.open_records()), (5, 1), "the fourth has waited");
}

/// Names the store to a process that writes until it is killed.
const VICTIM: &str = "PALISADE_TEST_VICTIM";

/// Writes one record a millisecond of its own time, and says after each flush how many are safe.
fn write_until_killed(folder: &Path) {
    let store = open(folder);
    let labels = Arc::new(Labels::default());
    let start = times(&store).last().map_or(START_MS, |last| last + 1);
    let mut writer = FlowWriter::new(store, WriterOptions::default());
    for step in 0.. {
        writer.append(record(start + step, &labels), 0).expect("it is kept");
        if step % 997 == 996 {
            writer.flush().expect("it is written");
            println!("\nsafe {}", start + step);
            std::io::stdout().flush().expect("somebody listens");
        }
    }
}

#[test]
fn a_killed_writer_loses_the_open_batch_alone() {
    if let Some(folder) = env::var_os(VICTIM) {
        write_until_killed(Path::new(&folder));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    let mut found = Vec::new();
    for round in 0..6 {
        let mut victim = Command::new(env::current_exe().expect("this program"))
            .args(["--exact", "upkeep::a_killed_writer_loses_the_open_batch_alone", "--nocapture"])
            .env(VICTIM, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it can be started");
        let lines = BufReader::new(victim.stdout.take().expect("it is piped")).lines();
        let said =
            lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("safe ")?.parse::<u64>().ok());
        let safe = said.take(1 + round).last().expect("it writes");
        victim.kill().expect("it runs");
        victim.wait().expect("it was killed");
        found = times(&store);
        let last = *found.last().expect("something was safe");
        assert!(last >= safe, "{last} {safe}");
        assert_eq!(found, (START_MS..=last).collect::<Vec<_>>(), "whole batches, and no gap between them");
    }
    assert!(found.len() > 6 * 997, "{}", found.len());
}

/// Whoever asks while files are put together gets the same answer as before and after.
#[test]
fn questions_are_answered_while_a_store_is_compacted() {
    for _ in 0..10 {
        let folder = tempfile::tempdir().expect("a folder");
        let (store, all) = scattered(folder.path());
        std::thread::scope(|scope| {
            let readers =
                [(); 2].map(|()| scope.spawn(|| (0..5).for_each(|_| assert_eq!(times(&store), all))));
            compact(&store, u64::MAX, THREADS).expect("it compacts");
            readers.into_iter().for_each(|reader| reader.join().expect("it was answered"));
        });
    }
}

//! What is written is read back, and answers are those of a naive count.

use std::{collections::BTreeMap, num::NonZero};

use palisade_flowstore::{
    FlowWriter, Record, Store, WriterOptions,
    query::{self, Filter, Key, Measure, NIC, Question, Term, Test, Value},
    schema,
};
use palisade_net::Prefix;
use proptest::prelude::*;

use crate::support::{START_MS, records};

const THREADS: NonZero<usize> = NonZero::new(2).expect("it is not 0");

/// A store of these records, written a few at a time.
fn store(records: &[Record], batch: usize) -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().expect("a folder for the store");
    let store = Store::open(folder.path().to_str().expect("its name is text")).expect("it can be opened");
    let mut writer = FlowWriter::new(store.clone(), WriterOptions { records: batch, age_ms: 1_000 });
    for record in records {
        writer.append(record.clone(), 0).expect("it is kept");
    }
    let written = writer.close().map_err(|(_, error)| error).expect("it is written");
    assert_eq!(written.records, records.len() as u64);
    (folder, store)
}

fn read(store: &Store, filter: &Filter) -> Vec<Record> {
    let mut found = Vec::new();
    let read = query::records(store, filter, THREADS, |record| {
        found.push(record);
        Ok::<_, palisade_flowstore::StoreError>(())
    });
    read.expect("it can be read");
    found
}

/// Records in an order of their own, to be compared.
fn sorted(mut records: Vec<Record>) -> Vec<Record> {
    records.sort_by_cached_key(|record| format!("{record:?}"));
    records
}

fn term(columns: &'static [&'static str], is: Test) -> Term {
    Term { columns, is }
}

/// Filters, and what they mean.
#[allow(clippy::type_complexity, reason = "it is a table")]
fn filters() -> Vec<(Filter, Box<dyn Fn(&Record) -> bool>)> {
    let prefix: Prefix = "10.0.1.8/29".parse().expect("a prefix");
    let all = Filter::default;
    vec![
        (all(), Box::new(|_| true)),
        (
            Filter { from_ms: START_MS + 1_000_000, to_ms: START_MS + 9_000_000, ..all() },
            Box::new(|record| (START_MS + 1_000_000..START_MS + 9_000_000).contains(&record.time_ms)),
        ),
        (
            Filter { terms: vec![term(NIC, Test::Text(vec!["A".to_owned(), "a/b".to_owned()]))], ..all() },
            Box::new(|record| {
                let is = |name: &Option<String>| {
                    name.as_deref()
                        .is_some_and(|name| ["a", "a/b"].iter().any(|word| name.eq_ignore_ascii_case(word)))
                };
                is(&record.labels.nic) || is(&record.labels.nic_id)
            }),
        ),
        (
            Filter { terms: vec![term(&["remote_address"], Test::Address(vec![prefix]))], ..all() },
            Box::new(move |record| prefix.contains(record.remote.0)),
        ),
        (
            Filter {
                terms: vec![
                    term(&["local_port", "remote_port"], Test::Number(vec![(22, 22), (400, 500)])),
                    term(&["audited"], Test::Flag(false)),
                ],
                ..all()
            },
            Box::new(|record| {
                let is = |port: u16| port == 22 || (400..=500).contains(&port);
                (is(record.local.1) || is(record.remote.1)) && record.audited == Some(false)
            }),
        ),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn what_is_written_is_read_back_and_filtered(made in records(120), batch in 40..200_usize) {
        let (_folder, store) = store(&made, batch);
        for (filter, means) in filters() {
            let found = read(&store, &filter);
            prop_assert!(found.is_sorted_by_key(|record| record.time_ms));
            let wanted: Vec<Record> = made.iter().filter(|record| means(record)).cloned().collect();
            prop_assert_eq!(sorted(found), sorted(wanted));
        }
    }

    #[test]
    fn sums_of_groups_are_those_of_a_naive_count(made in records(150), batch in 40..200_usize) {
        let (_folder, store) = store(&made, batch);
        for (filter, means) in filters() {
            for by in [&[][..], &["remote_address"], &["protocol"], &["nic", "kind", "audited"], &["generation", "local_port"]] {
                let question = question(filter.clone(), by);
                let answer = query::ask(&store, &question, THREADS).expect("an answer");
                let naive = count(made.iter().filter(|record| means(record)), by);
                let found: BTreeMap<Vec<Value>, Vec<u64>> =
                    answer.groups.iter().map(|group| (group.keys.clone(), group.sums.clone())).collect();
                prop_assert_eq!(found.len(), answer.groups.len(), "no group is told twice");
                prop_assert_eq!(found, naive, "by {:?}", by);
                prop_assert!(answer.groups.is_sorted_by(|a, b| a.sums[0] >= b.sums[0]));
            }
        }
    }
}

fn question(filter: Filter, by: &[&str]) -> Question {
    let key = |name: &&str| Key::Column(schema::column(name).expect("there is such a column"));
    let mut by: Vec<Key> = by.iter().map(key).collect();
    if by.len() == 1 {
        by.push(Key::Span(600_000));
    }
    Question {
        filter,
        by,
        measures: vec![Measure::Bytes, Measure::Records, Measure::Packets],
        limit: usize::MAX,
    }
}

fn count<'r>(records: impl Iterator<Item = &'r Record>, by: &[&str]) -> BTreeMap<Vec<Value>, Vec<u64>> {
    let mut groups: BTreeMap<Vec<Value>, Vec<u64>> = BTreeMap::new();
    for record in records {
        let mut keys: Vec<Value> = by.iter().map(|name| value(record, name)).collect();
        if keys.len() == 1 {
            keys.push(Value::Moment(record.time_ms / 600_000 * 600_000));
        }
        let since = record.since.unwrap_or_default();
        let sums = groups.entry(keys).or_insert_with(|| vec![0; 3]);
        for (sum, more) in sums.iter_mut().zip([
            since.bytes_to_destination.saturating_add(since.bytes_to_source),
            1,
            since.packets_to_destination.saturating_add(since.packets_to_source),
        ]) {
            *sum = sum.saturating_add(more);
        }
    }
    groups
}

fn value(record: &Record, column: &str) -> Value {
    let text = |text: Option<&str>| text.map_or(Value::Missing, |text| Value::Text(text.into()));
    match column {
        "remote_address" => Value::Text(record.remote.0.to_string().into()),
        "protocol" => Value::Number(record.protocol.0.into()),
        "nic" => text(record.labels.nic.as_deref()),
        "kind" => Value::Text(record.kind.word().into()),
        "audited" => record.audited.map_or(Value::Missing, |flag| Value::Number(flag.into())),
        "generation" => record.generation.map_or(Value::Missing, |number| Value::Number(number as i64)),
        "local_port" => Value::Number(record.local.1.into()),
        other => panic!("no value of {other}"),
    }
}

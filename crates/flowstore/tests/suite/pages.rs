//! Files of many pages and row groups: how a column is encoded changes on the way, and what is read back does not.

use std::{net::IpAddr, num::NonZero, sync::Arc};

use palisade_flowstore::{
    FlowWriter, Kind, Labels, Record, Store, StoreError, WriterOptions,
    query::{self, Filter, Key, Measure, Question, Value},
    schema,
};
use palisade_model::FlowTraffic;
use palisade_net::{Direction, Protocol};

use crate::support::START_MS;

const THREADS: NonZero<usize> = NonZero::new(2).expect("it is not 0");
/// Rows of a page, as the writer makes them.
const PAGE: u64 = 4_096;

/// A store of one file of these records.
fn store(records: &[Record]) -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().expect("a folder for the store");
    let store = Store::open(folder.path().to_str().expect("its name is text")).expect("it can be opened");
    let mut writer = FlowWriter::new(store.clone(), WriterOptions::default());
    for record in records {
        writer.append(record.clone(), 0).expect("it is kept");
    }
    assert_eq!(writer.close().map_err(|(_, error)| error).expect("it is written").files, 1);
    (folder, store)
}

fn read(store: &Store) -> (Vec<Record>, u64) {
    let mut found = Vec::new();
    let scanned = query::records(store, &Filter::default(), THREADS, |record| {
        found.push(record);
        Ok::<_, StoreError>(())
    });
    (found, scanned.expect("it can be read").row_groups)
}

/// A number that looks like chance, the same each time.
const fn dice(seed: u64) -> u64 {
    let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A record whose columns are empty, full, equal or all different, and other on the next page.
fn record(step: u64, labels: &[Arc<Labels>]) -> Record {
    let (page, chance) = (step / PAGE, dice(step));
    let count = |page_of_chance: u64| if page >= page_of_chance { chance >> 1 } else { 7 };
    let traffic = FlowTraffic {
        packets_to_destination: count(9),
        bytes_to_destination: count(1),
        packets_to_source: if chance & 1 == 0 { 0 } else { i64::MAX.cast_unsigned() },
        bytes_to_source: chance & 0xff,
    };
    let remote = match chance & 3 {
        0 => IpAddr::from((u128::from(chance) << 64).to_be_bytes()),
        1 => IpAddr::from(((0xffff << 32) | u128::from(chance as u32 & 0xff)).to_be_bytes()),
        _ => IpAddr::from((chance as u32 & 0xff).to_be_bytes()),
    };
    Record {
        time_ms: START_MS + step,
        kind: if page == 0 { Kind::Begin } else { Kind::ALL[(chance % 8) as usize] },
        began_ms: (page != 1).then(|| START_MS - (chance & 0xffff)),
        last_ms: (page == 2 || chance & 15 == 0).then(|| START_MS + (chance & 0xff)),
        direction: Direction::ALL[usize::from(step.is_multiple_of(3))],
        protocol: Protocol((chance & 0xff) as u8),
        local: (IpAddr::from([10, 0, 0, page as u8]), if page == 0 { 443 } else { chance as u16 }),
        remote: (remote, (chance >> 8) as u16),
        icmp_type: (page == 3).then_some(8),
        icmp_code: None,
        since: (page != 2).then_some(traffic),
        total: (chance & 2 == 0).then_some(traffic),
        tcp_flags: [Some((chance & 1) as u8), None],
        generation: Some(if page == 3 { chance >> 1 } else { page }),
        audited: (page != 1).then_some(chance & 1 == 0),
        midstream: Some(page == 2),
        place: (page > 1).then_some((chance as u32, (chance >> 32) as u32)),
        tuple: (page == 2).then(|| format!("{}", chance & 0xfff).into()),
        labels: labels[(if page == 0 { 0 } else { chance as usize % labels.len() }).min(labels.len() - 1)]
            .clone(),
    }
}

fn records() -> Vec<Record> {
    let labels = |number: u32| {
        Arc::new(Labels {
            // All are of one group.
            nic_id: Some("/nic".to_owned()),
            nic: (!number.is_multiple_of(3)).then(|| format!("nic{}", number % 3)),
            slot: (number > 0).then_some(number),
            rule: Some("r".repeat(number as usize)),
            reason: (number == 7).then(|| "Reason".to_owned()),
            ..Labels::default()
        })
    };
    let labels: Vec<Arc<Labels>> = (0..200).map(labels).collect();
    (0..4 * PAGE + 9).map(|step| record(step, &labels)).collect()
}

#[test]
fn every_encoding_is_read_back() {
    let made = records();
    let (_folder, store) = store(&made);
    let (found, row_groups) = read(&store);
    assert_eq!((found.len(), row_groups), (made.len(), 1));
    for (number, (found, made)) in found.iter().zip(&made).enumerate() {
        assert_eq!(found, made, "record {number}");
    }
}

#[test]
fn the_largest_groups_are_those_of_all_in_their_order() {
    let made = records();
    let (_folder, store) = store(&made);
    for by in
        [&["remote_address"][..], &["nic", "local_port"], &["generation"], &["audited", "rule", "protocol"]]
    {
        let by: Vec<Key> = by
            .iter()
            .map(|name| Key::Column(schema::column(name).expect("there is such a column")))
            .collect();
        for measure in [Measure::Records, Measure::Bytes] {
            let ask = |limit, threads| {
                let question =
                    Question { filter: Filter::default(), by: by.clone(), measures: vec![measure], limit };
                query::ask(&store, &question, threads).expect("an answer")
            };
            let mut all = ask(usize::MAX, THREADS).groups;
            assert_eq!(all, ask(usize::MAX, NonZero::<usize>::MIN).groups, "threads make no difference");
            let ordered: Vec<(u64, Vec<Value>)> =
                all.iter().map(|group| (u64::MAX - group.sums[0], group.keys.clone())).collect();
            assert!(ordered.is_sorted(), "larger ones first, then in the order of values");
            let few = ask(7, THREADS);
            assert_eq!(few.groups_found, all.len() as u64);
            all.truncate(7);
            assert_eq!(few.groups, all);
        }
    }
}

/// Texts that nobody shares end a row group before their dictionary is too large.
#[test]
fn large_dictionaries_begin_a_row_group() {
    let labels = [Arc::new(Labels::default())];
    let long = "x".repeat(9_000);
    let made: Vec<Record> = (0..2 * PAGE)
        .map(|step| Record { tuple: Some(format!("{step}{long}").into()), ..record(step, &labels) })
        .collect();
    let (_folder, store) = store(&made);
    let (found, row_groups) = read(&store);
    assert_eq!(row_groups, 2);
    assert!(found == made, "what is read is what was written");
}

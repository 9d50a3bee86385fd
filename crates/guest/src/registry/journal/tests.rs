use super::*;
use crate::{
    registry::Hive,
    testing::{Node, seal},
};

fn node(number: u32) -> Node {
    let mut root = Node::new("ROOT");
    root.at("Key").number("Number", number);
    root
}

fn number(hive: &Hive) -> u64 {
    hive.value("Key", "Number").unwrap().unwrap().number().unwrap()
}

/// A hive whose write of `primary` did not end.
fn dirty() -> Vec<u8> {
    let mut hive = node(1).hive();
    hive[4] = 8;
    seal(&mut hive[..512]);
    hive
}

/// A log's base block of a kind and a number.
fn log_base(kind: u8, number: u8) -> Vec<u8> {
    let mut base = node(1).hive()[..512].to_vec();
    (base[4], base[8], base[28]) = (number, number, kind);
    seal(&mut base);
    base
}

/// An entry that makes the hive of `node` out of any.
fn entry_of(sequence: u32, node: &Node) -> Vec<u8> {
    let bins = &node.hive()[base::SIZE..];
    let length = u32::try_from(bins.len()).unwrap();
    let size = (ENTRY_HEADER + 8 + bins.len()).next_multiple_of(SECTOR);
    let mut bytes = vec![0; size];
    bytes[..4].copy_from_slice(ENTRY_MAGIC);
    let words =
        [(4, u32::try_from(size).unwrap()), (12, sequence), (16, length), (20, 1), (40, 0), (44, length)];
    for (at, number) in words {
        bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
    }
    bytes[48..48 + bins.len()].copy_from_slice(bins);
    let inner = marvin::hash(&bytes[ENTRY_HEADER..]);
    bytes[24..32].copy_from_slice(&inner.to_le_bytes());
    let outer = marvin::hash(&bytes[..32]);
    bytes[32..40].copy_from_slice(&outer.to_le_bytes());
    bytes
}

#[test]
fn a_dirty_hive_without_its_logs_says_so() {
    let hive = Hive::read(dirty(), &[]).unwrap();
    assert_eq!((hive.condition(), number(&hive)), (Condition::Dirty, 1));
    let old = [log_base(6, 3), entry_of(3, &node(9))].concat();
    let hive = Hive::read(dirty(), &[old]).unwrap();
    assert_eq!((hive.condition(), number(&hive)), (Condition::Dirty, 1), "entries from before");
}

#[test]
fn entries_are_applied_in_their_order_across_two_logs() {
    let one = [log_base(6, 7), entry_of(7, &node(2)), entry_of(8, &node(3))].concat();
    let two = [log_base(6, 9), entry_of(9, &node(4))].concat();
    let hive = Hive::read(dirty(), &[two.clone(), one.clone()]).unwrap();
    assert_eq!((hive.condition(), number(&hive)), (Condition::Replayed { entries: 3 }, 4));
    let hive = Hive::read(dirty(), &[one]).unwrap();
    assert_eq!((hive.condition(), number(&hive)), (Condition::Replayed { entries: 2 }, 3));
}

#[test]
fn a_torn_entry_ends_the_row() {
    let mut log = [log_base(6, 7), entry_of(7, &node(2)), entry_of(8, &node(3))].concat();
    let last = log.len() - 1;
    log[last] ^= 1;
    let hive = Hive::read(dirty(), &[log]).unwrap();
    assert_eq!((hive.condition(), number(&hive)), (Condition::Replayed { entries: 1 }, 2));
}

#[test]
fn a_page_beyond_the_hive_is_refused() {
    let mut entry = entry_of(7, &node(2));
    entry[40..44].copy_from_slice(&0x7fff_0000_u32.to_le_bytes());
    let inner = marvin::hash(&entry[ENTRY_HEADER..]);
    entry[24..32].copy_from_slice(&inner.to_le_bytes());
    let outer = marvin::hash(&entry[..32]);
    entry[32..40].copy_from_slice(&outer.to_le_bytes());
    let log = [log_base(6, 7), entry].concat();
    assert!(matches!(Hive::read(dirty(), &[log]), Err(HiveError::Damaged { .. })));
}

#[test]
fn a_torn_base_block_is_taken_from_a_log() {
    let mut hive = dirty();
    hive[40] ^= 0xff;
    assert_eq!(Hive::read(hive.clone(), &[]).unwrap_err(), HiveError::NoBase);
    let log = [log_base(6, 7), entry_of(7, &node(2))].concat();
    assert_eq!(number(&Hive::read(hive, &[log]).unwrap()), 2);
}

#[test]
fn sectors_of_an_old_log_are_applied() {
    let bins = node(2).hive()[base::SIZE..].to_vec();
    let map = vec![0xff; bins.len() / SECTOR / 8];
    let mut log = [log_base(1, 8), DIRTY_MAGIC.to_vec(), map].concat();
    log.resize(log.len().next_multiple_of(SECTOR), 0);
    log.extend(&bins);
    let hive = Hive::read(dirty(), &[log.clone()]).unwrap();
    assert_eq!((hive.condition(), number(&hive)), (Condition::Replayed { entries: 1 }, 2));
    log.truncate(log.len() - SECTOR);
    assert_eq!(Hive::read(dirty(), &[log]).unwrap().condition(), Condition::Dirty, "cut");
}

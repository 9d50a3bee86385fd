use std::collections::VecDeque;
use std::fs::File;

use palisade_classify::generate::Random;
use palisade_sync::FlowShape;
use palisade_sync::flows::{FlowLine, LOST};
use tempfile::TempDir;

use super::*;

const BOOT: [u8; 16] = [1; 16];
const NEXT_BOOT: [u8; 16] = [2; 16];

/// A batch of so many records, the first of which has this number.
fn batch(first: u64, records: u64) -> FlowBatch {
    let mut batch = FlowBatch { shapes: vec![FlowShape::default()], ..FlowBatch::default() };
    let nobody = ("10.0.0.4".parse().unwrap(), 1);
    for number in first..first + records {
        let line = FlowLine {
            time_ms: number,
            began_ms: None,
            last_ms: None,
            source: nobody,
            destination: nobody,
            tcp_flags: [0; 2],
            packets: [number, 0],
            bytes: [0; 2],
        };
        batch.push(0, &line);
    }
    batch
}

fn open(dir: &TempDir) -> Spool {
    Spool::open_since(dir.path(), SPOOL_BYTES, BOOT).unwrap()
}

/// What comes out from the beginning on: numbers of batches, and of their first records.
fn all(spool: &Spool) -> Vec<(u64, u64)> {
    let (mut cursor, mut found) = (Cursor::default(), Vec::new());
    while let Some((next, batch)) = spool.next(cursor).unwrap() {
        batch.check().unwrap();
        found.push((batch.sequence, batch.packets_to_destination[0]));
        cursor = next;
    }
    found
}

fn only_file(dir: &TempDir) -> PathBuf {
    let [(_, path)] = &files(dir.path()).unwrap()[..] else { panic!("one segment") };
    path.clone()
}

#[test]
fn batches_come_out_in_order_and_outlive_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(&dir);
    assert_eq!(all(&spool), []);
    (0..3).for_each(|number| spool.append(batch(number * 10, 10)).unwrap());
    let expect = [(1, 0), (2, 10), (3, 20)];
    assert_eq!(all(&spool), expect);
    let stream = spool.segments[0].writer.stream;
    // Nobody closes what is killed.
    std::mem::forget(spool);
    let mut spool = open(&dir);
    assert_eq!((all(&spool), spool.segments[0].writer.stream), (expect.to_vec(), stream));
    spool.kept(&stream, 2).unwrap();
    spool.append(batch(30, 1)).unwrap();
    assert_eq!(all(&spool), [(3, 20), (4, 30)]);
    spool.kept(&[9; 16], 100).unwrap();
    assert_eq!(all(&spool).len(), 2, "that was another stream");
    spool.kept(&stream, 4).unwrap();
    assert_eq!(all(&spool), []);
    drop(spool);
    let mut spool = open(&dir);
    spool.append(batch(40, 1)).unwrap();
    assert_eq!(all(&spool).last(), Some(&(5, 40)), "no number is used twice");
}

/// After a loss of power the newest batches may be gone that the server has: their numbers must not be used again.
#[test]
fn another_boot_is_another_stream() {
    let dir = tempfile::tempdir().unwrap();
    open(&dir).append(batch(0, 1)).unwrap();
    let mut spool = Spool::open_since(dir.path(), SPOOL_BYTES, NEXT_BOOT).unwrap();
    spool.append(batch(1, 1)).unwrap();
    let streams: Vec<_> = spool.segments.iter().map(|segment| segment.writer.stream).collect();
    assert!(streams.len() == 2 && streams[0] != streams[1]);
    assert_eq!(all(&spool), [(1, 0), (1, 1)]);
    spool.kept(&streams[0], 1).unwrap();
    assert_eq!((all(&spool), files(dir.path()).unwrap().len()), (vec![(1, 1)], 1));
}

/// Wherever the process died within its last write, and whatever the disk made of it, the batches before come out whole.
#[test]
fn a_torn_batch_is_never_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(&dir);
    (0..2).for_each(|number| spool.append(batch(number, 1)).unwrap());
    let whole = spool.segments[0].bytes;
    spool.append(batch(2, 3)).unwrap();
    drop(spool);
    let path = only_file(&dir);
    let bytes = fs::read(&path).unwrap();
    for end in whole as usize..bytes.len() {
        fs::write(&path, &bytes[..end]).unwrap();
        let mut spool = open(&dir);
        assert_eq!(all(&spool), [(1, 0), (2, 1)], "cut at {end}");
        spool.append(batch(7, 1)).unwrap();
        assert_eq!(all(&spool), [(1, 0), (2, 1), (3, 7)], "cut at {end}");
    }
    for at in whole as usize..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        fs::write(&path, &damaged).unwrap();
        assert_eq!(all(&open(&dir)), [(1, 0), (2, 1)], "damaged at {at}");
    }
    // Not even the beginning was written.
    fs::write(&path, &bytes[..20]).unwrap();
    assert_eq!(all(&open(&dir)), []);
    File::create(dir.path().join("notes.txt")).unwrap();
    assert_eq!(all(&open(&dir)), []);
}

#[test]
fn a_full_spool_gives_up_the_oldest_and_says_how_many() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = Spool::open_since(dir.path(), 0, BOOT).unwrap();
    let (records, mut appended) = (10_000, 0);
    while spool.segments.front().unwrap().number == 1 || appended < 60 {
        spool.append(batch(appended * records, records)).unwrap();
        appended += 1;
    }
    let (mut cursor, mut kept, mut lost) = (Cursor::default(), 0, 0);
    while let Some((next, batch)) = spool.next(cursor).unwrap() {
        for (shape, line) in batch.lines() {
            match &shape.kind[..] {
                LOST => lost += line.packets[0],
                _ => kept += 1,
            }
        }
        cursor = next;
    }
    let held: u64 = files(dir.path()).unwrap().iter().map(|(_, path)| path.metadata().unwrap().len()).sum();
    assert!(held <= 2 * SEGMENT_BYTES, "{held} bytes");
    assert!(lost > 0 && kept > 0, "{lost} lost, {kept} kept");
    // A count that was given up itself is counted as one record, so at least what is missing is told.
    assert!(lost + kept <= appended * records + 60, "{lost} lost and {kept} kept of {}", appended * records);
    assert_eq!(spool.lost, 0);
}

/// Against a queue: appends, reads, acknowledgements and restarts in any order.
#[test]
fn it_is_a_queue_that_outlives_restarts() {
    for seed in 0..20 {
        let mut random = Random::new(seed);
        let dir = tempfile::tempdir().unwrap();
        let (mut spool, mut model) = (open(&dir), VecDeque::new());
        let (mut next, mut acknowledged) = (0, 0);
        for _ in 0..60 {
            match random.below(8) {
                0..4 => {
                    let records = 1 + random.below(9_000) as u64;
                    next += 1;
                    spool.append(batch(next, records)).unwrap();
                    model.push_back((next, next));
                }
                4 | 5 if !model.is_empty() => {
                    let (sequence, _) = model[random.below(model.len())];
                    let stream = spool.segments[0].writer.stream;
                    spool.kept(&stream, sequence).unwrap();
                    model.retain(|(kept, _)| *kept > sequence);
                    acknowledged = sequence;
                }
                6 => {
                    drop(spool);
                    spool = open(&dir);
                    // What was acknowledged in a segment that stays comes once more, and the server knows it.
                    let stream = spool.segments[0].writer.stream;
                    spool.kept(&stream, acknowledged).unwrap();
                }
                _ => {}
            }
            assert_eq!(all(&spool), Vec::from(model.clone()), "seed {seed}");
        }
    }
}

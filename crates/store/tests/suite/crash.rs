//! A process that writes to SQLite and is killed, many times, at moments that nobody chose.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use palisade_store::{Revision, Sqlite, Store};
use tokio_stream::StreamExt as _;

use crate::ledger::{self, Numbers, Told, WRITERS, random};

/// Names the data folder to the process that is to be killed.
const CHILD: &str = "PALISADE_STORE_CRASH_FOLDER";
/// How often it is killed.
const KILLS: usize = 40;
/// It lives at most this long.
const LIFE_MS: u64 = 250;

#[tokio::test(flavor = "multi_thread")]
async fn kills_lose_nothing_that_was_acknowledged() {
    if let Some(folder) = std::env::var_os(CHILD) {
        write_for_ever(Path::new(&folder)).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let (mut acknowledged, mut total) = (Numbers::new(), 0);
    for kill in 0..KILLS {
        let printed = live_and_die(folder.path());
        total += printed.len();
        for (writer, number, _) in &printed {
            acknowledged.insert(*writer, *number);
        }
        let newest = printed.iter().map(|(_, _, revision)| *revision).max().unwrap_or_default();
        let store = Sqlite::open(folder.path()).unwrap();
        let (revision, found) = ledger::read(&store).await;
        assert!(revision.0 >= newest, "kill {kill}");
        for (writer, number) in &acknowledged {
            assert!(found[writer] >= *number, "kill {kill}: {number} of writer {writer} is lost");
        }
        // What may be replayed tells the same.
        if let Ok(mut watch) = store.watch("", Revision(0)).await {
            let mut told = Told::default();
            while told.revision() < revision {
                told.hear(watch.next().await.unwrap().unwrap());
            }
            assert_eq!(told.numbers(), found, "kill {kill}");
        }
        acknowledged = found;
    }
    assert!(
        total > KILLS * 10,
        "only {total} commits were acknowledged: the kills came too early to prove anything"
    );
    println!("{total} acknowledged commits outlived {KILLS} kills");
}

/// Lets the process write until it is killed; returns what it was told to be durable: writer, number, revision.
fn live_and_die(folder: &Path) -> Vec<(usize, u64, u64)> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::kills_lose_nothing_that_was_acknowledged", "--nocapture"])
        .env(CHILD, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let reader = std::thread::spawn(move || {
        output.lines().map_while(Result::ok).filter_map(|line| parse(&line)).collect()
    });
    std::thread::sleep(Duration::from_millis(random(LIFE_MS)));
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

/// `ack WRITER NUMBER REVISION.`; the full stop tells that the line was not cut.
fn parse(line: &str) -> Option<(usize, u64, u64)> {
    let words: Vec<_> = line.strip_prefix("ack ")?.strip_suffix('.')?.split(' ').collect();
    let [writer, number, revision] = words.as_slice() else { return None };
    Some((writer.parse().ok()?, number.parse().ok()?, revision.parse().ok()?))
}

async fn write_for_ever(folder: &Path) -> ! {
    let store = Arc::new(Sqlite::open(folder).unwrap());
    let (_, numbers) = ledger::read(store.as_ref()).await;
    let writers = (0..WRITERS).map(|writer| {
        let (store, mut number) = (Arc::clone(&store), numbers[&writer]);
        tokio::spawn(async move {
            loop {
                number += 1;
                let revision = ledger::write(store.as_ref(), writer, number).await.unwrap();
                println!("ack {writer} {number} {}.", revision.0);
            }
        })
    });
    for writer in writers.collect::<Vec<tokio::task::JoinHandle<()>>>() {
        writer.await.unwrap();
    }
    unreachable!("writers write until they are killed")
}

//! A server puts small files of its flow store together while it runs, and takes away what is too old.

use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use palisade_flowstore::{Store, exchange::import};
use palisade_server::{FlowUpkeep, FlowsTo};
use serde_json::json;

use tokio::task::block_in_place;

use crate::{client::Site, housekeeping::until};

const DAY_MS: u64 = 86_400_000;

fn open(folder: &Path) -> Store {
    Store::open(folder.to_str().expect("it is text")).expect("it opens")
}

/// Two small files of each moment.
fn scatter(folder: &Path, moments: &[u64]) {
    let lines = moments.iter().map(|time| {
        let line = json!({
            "kind": "deny", "timeMs": time, "nic": "web1-nic", "direction": "Inbound", "protocol": "Tcp", "source": "198.51.100.7",
            "sourcePort": 50_000, "destination": "10.0.1.4", "destinationPort": 22, "reason": "NetworkInterfaceDeny",
        });
        line.to_string() + "\n"
    });
    let file = folder.with_extension("jsonl");
    fs::write(&file, lines.collect::<String>()).expect("it is written");
    for _ in 0..2 {
        let imported = import(&open(folder), std::slice::from_ref(&file)).expect("it is imported");
        assert_eq!(imported.written.records, moments.len() as u64, "{:?}", imported.problems);
    }
}

/// How many files each day has that has any, the oldest first.
fn files(folder: &Path) -> Vec<usize> {
    let files = open(folder).files(|_| true).expect("it is listed");
    files.chunk_by(|a, b| a.partition.hour / 24 == b.partition.hour / 24).map(<[_]>::len).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_flow_store_is_tidied_up_while_the_server_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let flows = folder.path().join("flows");
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later").as_millis() as u64;
    let moments = [now_ms - 40 * DAY_MS, now_ms - 3 * DAY_MS, now_ms];
    // A store waits for its storage.
    block_in_place(|| scatter(&flows, &moments));
    assert_eq!(block_in_place(|| files(&flows)), [2, 2, 2]);
    let _site = Site::with(|options| {
        options.flows = FlowsTo::Store(flows.to_str().expect("it is text").to_owned());
        options.flow_upkeep = FlowUpkeep {
            every: Duration::from_millis(50),
            keep: Some(Duration::from_secs(30 * 86_400)),
            keep_bytes: None,
        };
    })
    .await;
    // The first day is too old, the second is one file now, and the hour that is not over is left alone.
    let asked = flows.clone();
    until("it is tidied up", || block_in_place(|| files(&asked)) == [1, 2]).await;
}

//! The flow store behind a server: what hosts told is in it once, whatever ended in between.

use std::{path::PathBuf, time::Duration};

use palisade_flowstore::{Kind, Record, Store};
use palisade_model::FlowTraffic;
use palisade_sync::{FlowRule, FlowShape, flows::FlowLine};
use tempfile::TempDir;

use super::{records::Records, *};

const STREAM: [u8; 16] = [3; 16];

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn store(&self) -> String {
        self.0.path().join("flows").to_str().expect("it is text").to_owned()
    }

    fn positions(&self) -> PathBuf {
        self.0.path().join("flow-positions.json")
    }

    async fn keeper(&self) -> Arc<FlowKeeper> {
        let (store, positions) = (self.store(), self.positions());
        let open = move || FlowKeeper::open(&store, &positions, Events::default()).expect("it opens");
        Arc::new(waiting(open).await)
    }

    /// How many files are in view, each of them whole.
    async fn files(&self) -> usize {
        let address = self.store();
        waiting(move || {
            let store = Store::open(&address).expect("it opens");
            let files = store.files(|_| true).expect("it is listed");
            for file in &files {
                let bytes = std::fs::read(store.folder().expect("a folder").join(&file.path));
                // What is whole ends so (Parquet's format).
                assert!(bytes.expect("it is read").ends_with(b"PAR1"));
            }
            files.len()
        })
        .await
    }
}

/// Does what waits for the storage.
async fn waiting<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("no panic")
}

fn host() -> HostName {
    "a".parse().expect("a name")
}

fn shape(kind: &str) -> FlowShape {
    let rule = |layer: &str, list: &str, rule: &str| FlowRule {
        layer: layer.to_owned(),
        list: list.to_owned(),
        rule: rule.to_owned(),
        row: 0,
    };
    FlowShape {
        kind: kind.to_owned(),
        reason: "Allowed".to_owned(),
        layer: "NetworkInterface".to_owned(),
        state: "Established".to_owned(),
        direction: "Inbound".to_owned(),
        protocol: 6,
        slot: 1,
        nic: "web1".to_owned(),
        nic_id: "/nics/web1".to_owned(),
        generation: 7,
        rules: vec![
            rule("Subnet", "net-nsg", "securityRules/any"),
            rule("NetworkInterface", "web-nsg", "securityRules/ssh"),
        ],
        ..FlowShape::default()
    }
}

fn line(time_ms: u64, began_ms: u64, packets: [u64; 2]) -> FlowLine {
    FlowLine {
        time_ms,
        began_ms: Some(began_ms),
        last_ms: None,
        source: ("192.0.2.1".parse().expect("an address"), 50_000),
        destination: ("10.0.0.4".parse().expect("an address"), 22),
        tcp_flags: [0x1b, 0x13],
        packets,
        bytes: packets.map(|count| count * 100),
    }
}

fn batch(sequence: u64, told: &[(&str, FlowLine)]) -> FlowBatch {
    let mut batch = FlowBatch { stream: STREAM.to_vec(), sequence, ..FlowBatch::default() };
    for (number, (kind, line)) in told.iter().enumerate() {
        batch.shapes.push(shape(kind));
        batch.push(number as u32, line);
    }
    batch
}

fn told(kind: &str, time_ms: u64, packets: [u64; 2]) -> Vec<Record> {
    Records::default().of(&host(), &batch(1, &[(kind, line(time_ms, 1_000, packets))]))
}

#[test]
fn a_record_has_what_the_host_told() {
    let [record] = &told("begin", 2_000, [1, 0])[..] else { panic!("one record") };
    assert_eq!((record.kind, record.time_ms, record.began_ms), (Kind::Begin, 2_000, Some(1_000)));
    assert_eq!((record.local.1, record.remote.1, record.generation), (22, 50_000, Some(7)));
    assert_eq!(record.tcp_flags, [Some(0x1b), Some(0x13)]);
    let labels = &record.labels;
    let texts = [&labels.nsg, &labels.rule, &labels.layer, &labels.nic_id].map(|text| text.as_deref());
    assert_eq!(texts, [Some("web-nsg"), Some("ssh"), Some("NetworkInterface"), Some("/nics/web1")]);
    let rules = r#"[{"layer":"Subnet","list":"net-nsg","rule":"securityRules/any","row":0},{"layer":"NetworkInterface","list":"web-nsg","rule":"securityRules/ssh","row":0}]"#;
    assert_eq!(labels.rules.as_deref(), Some(rules));
    assert_eq!(told("lost", 2_000, [9, 0]), [], "a loss is no flow");
}

#[test]
fn what_has_passed_since_the_record_before_is_told_where_it_is_known() {
    let packets = |traffic: Option<FlowTraffic>| traffic.map(|traffic| traffic.packets_to_destination);
    let mut records = Records::default();
    let mut tell = |kind, time_ms, packets| {
        records.of(&host(), &batch(1, &[(kind, line(time_ms, 1_000, packets))])).remove(0)
    };
    let life = [
        tell("begin", 1_000, [1, 0]),
        tell("continue", 50_000, [10, 5]),
        tell("continue", 110_000, [30, 9]),
        tell("end", 150_000, [35, 9]),
        tell("end", 150_000, [35, 9]),
    ];
    assert_eq!(life.each_ref().map(|record| packets(record.total)), [1, 10, 30, 35, 35].map(Some));
    // Of the last one nothing is known: sums are never too large.
    assert_eq!(life.map(|record| packets(record.since)), [None, Some(10), Some(20), Some(5), None]);
    let [short] = &told("end", 9_000, [4, 4])[..] else { panic!("one record") };
    assert_eq!(packets(short.since), Some(4), "what is young was not told of before");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_is_in_files_and_stays_known() {
    let place = Place::new();
    let keeper = place.keeper().await;
    assert_eq!(keeper.last(&host(), &STREAM).await.expect("it is known"), 0);
    let batches = [
        batch(1, &[("begin", line(1_000, 1_000, [1, 0]))]),
        batch(4, &[("end", line(2_000, 1_000, [2, 2]))]),
    ];
    let other = "b".parse().expect("a name");
    let (a, b) = (host(), other);
    let (first, second) = tokio::join!(keeper.keep(&a, &batches), keeper.keep(&b, &batches[..1]));
    first.expect("it is kept");
    second.expect("it is kept");
    assert_eq!(place.files().await, 1, "one commit, one partition");
    assert_eq!(keeper.last(&host(), &STREAM).await.expect("it is known"), 4);
    waiting(move || keeper.close()).await;
    let again = place.keeper().await;
    assert_eq!(again.last(&host(), &STREAM).await.expect("it is known"), 4);
    assert_eq!(again.last(&b, &STREAM).await.expect("it is known"), 1);
    assert_eq!(again.last(&host(), &[9; 16]).await.expect("it is known"), 0);
    waiting(move || again.close()).await;
}

/// While the storage fails nobody is answered; once it works again, everything is stored once.
#[tokio::test(flavor = "multi_thread")]
async fn storage_that_fails_is_waited_for() {
    let place = Place::new();
    let keeper = place.keeper().await;
    let folder = PathBuf::from(place.store());
    std::fs::remove_dir_all(&folder).expect("it was made");
    std::fs::write(&folder, "no folder").expect("it is written");
    let kept = tokio::spawn({
        let keeper = Arc::clone(&keeper);
        async move { keeper.keep(&host(), &[batch(1, &[("begin", line(1_000, 1_000, [1, 0]))])]).await }
    });
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(!kept.is_finished() && keeper.last(&host(), &STREAM).await.expect("it is known") == 0);
    std::fs::remove_file(&folder).expect("it is there");
    kept.await.expect("no panic").expect("it is kept");
    assert_eq!(place.files().await, 1);
    waiting(move || keeper.close()).await;
}

//! Logs of others: what is read from them and written again is byte for byte what it was.

use std::{fs, num::NonZero, path::Path, path::PathBuf};

use palisade_flowstore::{
    Kind, Record, Store, StoreError,
    exchange::{Exported, ImportError, Imported, Shape, export, import},
    query::{self, Filter, Term, Test},
};
use palisade_model::FlowLogFormat;

use crate::real_data;

const THREADS: NonZero<usize> = NonZero::new(2).expect("it is not 0");

struct Scene {
    folder: tempfile::TempDir,
    store: Store,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the store");
        let store = Store::open(folder.path().join("store").to_str().expect("its name is text"));
        Self { folder, store: store.expect("it can be opened") }
    }

    fn import(&self, path: &Path) -> Result<Imported, ImportError> {
        import(&self.store, &[path.to_owned()])
    }

    fn import_text(&self, text: &str) -> Result<Imported, ImportError> {
        let path = self.folder.path().join("log");
        fs::write(&path, text).expect("a file can be written");
        self.import(&path)
    }

    fn export(&self, filter: &Filter, shape: Shape) -> (String, Exported) {
        let mut out = Vec::new();
        let exported = export(&self.store, filter, shape, THREADS, &mut out).expect("it is exported");
        (String::from_utf8(out).expect("it is text"), exported)
    }

    fn records(&self) -> Vec<Record> {
        let mut found = Vec::new();
        let read = query::records(&self.store, &Filter::default(), THREADS, |record| {
            found.push(record);
            Ok::<_, StoreError>(())
        });
        read.expect("it can be read");
        found
    }
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

const AZURE: [(&str, FlowLogFormat); 3] = [
    ("nsg1.json", FlowLogFormat::Nsg1),
    ("nsg2.json", FlowLogFormat::Nsg2),
    ("vnet4.json", FlowLogFormat::VirtualNetwork),
];

#[test]
fn golden_files_come_out_as_they_went_in() {
    let lines = ("lines.jsonl", Shape::Lines);
    for (name, shape) in AZURE.map(|(name, format)| (name, Shape::Azure(format))).into_iter().chain([lines]) {
        let scene = Scene::new();
        let imported = scene.import(&golden(name)).expect("it is imported");
        assert_eq!((imported.counts.problems, imported.problems), (0, Vec::new()), "{name}");
        let (text, exported) = scene.export(&Filter::default(), shape);
        assert_eq!(exported.records, imported.written.records, "{name}");
        assert_eq!(text, fs::read_to_string(golden(name)).expect("it is there"), "{name}");
    }
}

/// JSON without white space and without commas that stand before a bracket.
fn compact(text: &str) -> String {
    let (mut out, mut in_text, mut is_escaped) = (String::new(), false, false);
    for character in text.chars() {
        match character {
            _ if in_text => {
                out.push(character);
                in_text = is_escaped || character != '"';
                is_escaped = !is_escaped && character == '\\';
            }
            ' ' | '\n' | '\r' | '\t' | '\u{feff}' => {}
            ']' | '}' => {
                out.truncate(out.trim_end_matches(',').len());
                out.push(character);
            }
            _ => {
                out.push(character);
                in_text = character == '"';
            }
        }
    }
    out + "\n"
}

#[test]
fn real_logs_come_out_as_they_went_in_but_for_white_space() {
    let Some(folder) = real_data::folder("flow-logs") else { return };
    let mut records = 0;
    for (name, format) in [
        ("AzureNSGFlowLogsv1.json", FlowLogFormat::Nsg2),
        ("sampleJsonInput.json", FlowLogFormat::Nsg1),
        ("sampleOfInputV1.json", FlowLogFormat::Nsg1),
    ] {
        let scene = Scene::new();
        let imported = scene.import(&folder.join(name)).expect("it is imported");
        assert_eq!((imported.counts.problems, imported.problems), (0, Vec::new()), "{name}");
        let (text, exported) = scene.export(&Filter::default(), Shape::Azure(format));
        records += exported.records;
        assert_eq!(text, compact(&fs::read_to_string(folder.join(name)).expect("it is there")), "{name}");
    }
    assert!(records > 1_000, "{records}");
}

#[test]
fn counters_are_since_the_record_before_and_of_the_whole_flow() {
    let scene = Scene::new();
    scene.import(&golden("lines.jsonl")).expect("it is imported");
    let bytes: Vec<(Kind, u64, u64)> = scene
        .records()
        .iter()
        .map(|record| {
            let since = record.since.unwrap_or_default();
            let total = record.total.expect("it is counted");
            (record.kind, since.bytes_to_destination + since.bytes_to_source, total.bytes_to_destination)
        })
        .collect();
    assert_eq!(
        bytes,
        [
            (Kind::Begin, 0, 60),
            (Kind::Continue, 12_900, 900),
            (Kind::Cut, 60, 960),
            (Kind::Deny, 120, 120),
            (Kind::WouldDeny, 40, 40)
        ]
    );
}

#[test]
fn what_hosts_tell_becomes_logs_of_azures() {
    let scene = Scene::new();
    scene.import(&golden("lines.jsonl")).expect("it is imported");
    let (text, exported) = scene.export(&Filter::default(), Shape::Azure(FlowLogFormat::VirtualNetwork));
    assert_eq!(exported, Exported { records: 4, left_out: 1 });
    for part in [
        r#""time":"2026-11-22T13:01:00.0000000Z","flowLogVersion":4"#,
        r#"{"aclID":"nic-nsg","flowGroups":[{"rule":"DefaultRule_AllowVnetInBound","flowTuples":["1795352400001,198.51.100.7,10.0.1.4,50000,443,6,I,B,NX,0,0,0,0"]}]}"#,
        r#"{"rule":"UserRule_closed","flowTuples":["1795352470001,198.51.100.7,10.0.1.4,50000,443,6,I,E,NX,1,60,0,0"]}"#,
        r#""1795352471000,2001:db8::4,2001:db8::1,0,0,58,O,D,NX,0,0,0,0""#,
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let (text, exported) = scene.export(&Filter::default(), Shape::Azure(FlowLogFormat::Nsg2));
    assert_eq!(exported, Exported { records: 3, left_out: 2 }, "it knows TCP and UDP alone");
    assert!(
        text.contains(r#""1795352460,198.51.100.7,10.0.1.4,50000,443,T,I,A,C,10,900,12,12000""#),
        "{text}"
    );
    // Readers of logs take what is written.
    let other = Scene::new();
    assert_eq!(other.import_text(&text).expect("it is imported").written.records, 3);
}

#[test]
fn odd_tuples_are_kept_as_they_were_written() {
    let scene = Scene::new();
    let around = |tuples: &str| {
        format!(
            r#"{{"records":[{{"time":"2026-11-22T13:00:59Z","strange":{{"a":[1,null,"\n"]}},"resourceId":"/N","properties":{{"Version":2,"flows":[{{"rule":"UserRule_a","flows":[{{"mac":"000D3A123456","flowTuples":[{tuples}]}}]}}]}}}}]}}"#
        ) + "\n"
    };
    let odd = [
        r#""1795352400,10.0.0.1,10.0.0.2,5,6,T,I,A,B,0,0,0,0""#,
        r#""1795352400,10.0.0.1,10.0.0.2,5,6,T,I,D,E,1,2,3,4""#,
        r#""1795352400, 10.0.0.1,2001:0db8::1,5,6,T,I,A,B,,,,""#,
        r#""1795352400,::1,2001:0db8::1,5,6,T,I,A,E,,,,4""#,
    ];
    let good = [odd[0], odd[1], odd[3]].join(",");
    let imported = scene.import_text(&around(&odd.join(","))).expect("it is imported");
    assert_eq!((imported.counts.malformed, imported.written.records), (1, 3), "two families are no flow");
    let (text, _) = scene.export(&Filter::default(), Shape::Azure(FlowLogFormat::Nsg2));
    assert_eq!(text, around(&good));
}

#[test]
fn nothing_is_written_of_what_is_no_log() {
    let scene = Scene::new();
    for text in [
        "",
        "{}",
        "[]",
        "no log",
        "{\"records\":[]}",
        "{\"kind\":\"begin\"}",
        "{\"timeMs\":1}",
        "[[[[",
        "{\"records\":[{\"records\":[",
    ] {
        let error = scene.import_text(text).expect_err("it holds nothing").to_string();
        assert!(error.starts_with("the files hold no flow: "), "{error}");
    }
    let deep = "{\"records\":[".repeat(5_000);
    assert!(scene.import_text(&deep).is_err());
    assert_eq!(scene.records(), []);
    assert_eq!(fs::read_dir(scene.folder.path().join("store")).expect("it is there").count(), 0);
}

#[test]
fn a_selection_is_exported_alone() {
    let scene = Scene::new();
    for (name, _) in AZURE {
        scene.import(&golden(name)).expect("it is imported");
    }
    let web = Term { columns: &["rule"], is: Test::Text(vec!["web".to_owned()]) };
    let filter = Filter { terms: vec![web], ..Filter::default() };
    let (text, exported) = scene.export(&filter, Shape::Lines);
    assert_eq!((exported.records, text.lines().count()), (4, 4));
    assert!(text.lines().all(|line| line.contains(r#""rule":"UserRule_web""#)), "{text}");
}

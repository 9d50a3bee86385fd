//! `palisade flows import|export|query|top|compact`: the flow store.

pub mod compact;
pub mod export;
mod filter;
pub mod import;
pub mod query;
pub mod top;

use std::{io, num::NonZero, path::Path, thread};

use palisade_flowstore::{
    Store, StoreError,
    query::{Answer, Key, Measure, Scanned, Value},
    schema,
};
use serde_json::{Map, json};

use crate::{exit::Failure, output, output::Format};
pub use filter::moment;

/// How a store is named.
#[derive(Debug, clap::Args)]
pub struct StoreArgs {
    /// The store: a folder, s3://BUCKET/PATH or az://CONTAINER/PATH
    #[arg(value_name = "STORE")]
    store: String,
}

impl StoreArgs {
    /// Opens a store that is there: one that is made by asking about it would hide a mistake.
    fn open(&self) -> Result<Store, Failure> {
        if !self.store.contains("://") && !Path::new(&self.store).is_dir() {
            return Err(Failure::input(format!(
                "the store {} is no folder (palisade flows import FILE --to STORE makes one)",
                self.store
            )));
        }
        open(&self.store)
    }
}

fn open(address: &str) -> Result<Store, Failure> {
    Store::open(address).map_err(failure)
}

/// A question that is wrong is bad input; a store that fails is the other side.
pub fn failure(error: StoreError) -> Failure {
    if error.is_input() { Failure::input(error) } else { Failure::caused_by(error) }
}

/// As many threads as there are processors.
pub fn threads() -> NonZero<usize> {
    thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN)
}

/// What records are grouped by: a column, or a span of time.
fn key(word: &str) -> Result<Key, String> {
    let word = word.trim().replace('-', "_").to_ascii_lowercase();
    let span = match word.as_str() {
        "minute" => Some(60_000),
        "hour" => Some(3_600_000),
        "day" => Some(86_400_000),
        _ => None,
    };
    if let Some(span) = span {
        return Ok(Key::Span(span));
    }
    match schema::column(&word) {
        Some(column) if column.holds != schema::Holds::Moment => Ok(Key::Column(column)),
        _ => {
            let columns = schema::COLUMNS.iter().filter(|column| column.holds != schema::Holds::Moment);
            let names: Vec<&str> = columns.map(|column| column.name).collect();
            Err(format!("it is none of minute, hour, day, {}", names.join(", ")))
        }
    }
}

/// What a key is called in answers.
fn key_name(key: Key) -> &'static str {
    match key {
        Key::Column(column) => column.name,
        Key::Span(60_000) => "minute",
        Key::Span(3_600_000) => "hour",
        Key::Span(_) => "day",
    }
}

/// Prints groups with their sums.
fn print(answer: &Answer, by: &[Key], measures: &[Measure], format: Format) -> io::Result<()> {
    if format == Format::Json {
        return output::json(&document(answer, by, measures));
    }
    let names = by.iter().map(|key| key_name(*key)).chain(measures.iter().map(|measure| measure.word()));
    let heading = names.map(str::to_ascii_uppercase).collect();
    let cells = |group: &palisade_flowstore::query::Group| {
        let keys = group.keys.iter().map(ToString::to_string);
        keys.chain(group.sums.iter().map(ToString::to_string)).collect()
    };
    let rows: Vec<Vec<String>> = std::iter::once(heading).chain(answer.groups.iter().map(cells)).collect();
    output::rows(&rows)?;
    let shown = answer.groups.len() as u64;
    if answer.groups_found > shown {
        eprintln!("and {} more (--limit shows more of them)", answer.groups_found - shown);
    }
    Ok(())
}

fn document(answer: &Answer, by: &[Key], measures: &[Measure]) -> serde_json::Value {
    let group = |group: &palisade_flowstore::query::Group| {
        let mut object = Map::new();
        for (key, value) in by.iter().zip(&group.keys) {
            object.insert(key_name(*key).to_owned(), value_of(*key, value));
        }
        for (measure, sum) in measures.iter().zip(&group.sums) {
            object.insert(measure.word().to_owned(), json!(sum));
        }
        serde_json::Value::Object(object)
    };
    json!({
        "groups": answer.groups.iter().map(group).collect::<Vec<_>>(),
        "groupsFound": answer.groups_found,
        "scanned": scanned(&answer.scanned),
    })
}

fn value_of(key: Key, value: &Value) -> serde_json::Value {
    let is_flag = matches!(key, Key::Column(column) if column.holds == schema::Holds::Flag);
    match value {
        Value::Missing => serde_json::Value::Null,
        Value::Number(number) if is_flag => json!(*number != 0),
        Value::Number(number) => json!(number),
        Value::Text(text) => json!(text),
        Value::Moment(_) => json!(value.to_string()),
    }
}

fn scanned(scanned: &Scanned) -> serde_json::Value {
    json!({
        "files": scanned.files,
        "rowGroups": scanned.row_groups,
        "rowGroupsRead": scanned.row_groups_read,
        "records": scanned.records,
        "bytes": scanned.bytes,
    })
}

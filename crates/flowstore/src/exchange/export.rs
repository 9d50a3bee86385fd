//! Records of a store as files of others.
//!
//! What came from a log of Azure's goes back into the record that it stood in, byte for byte but for white space; other records are
//! put together by minute and interface. `docs/flows.md` says what a format cannot tell.

use std::{
    collections::{BTreeMap, HashMap},
    io::{self, Write},
    num::NonZero,
};

use palisade_model::FlowLogFormat;
use serde_json::{Value, json};

use super::{line, tuple};
use crate::{
    StoreError,
    limits::EXPORT_RECORDS_MAX,
    query::{self, Filter, Value as Moment},
    record::Record,
    store::Store,
};

/// What a file of records looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A flow log of Azure's.
    Azure(FlowLogFormat),
    /// Lines of `palisade flows tail --format json`.
    Lines,
}

/// What was exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exported {
    /// Records that were written.
    pub records: u64,
    /// Records that the format has nothing for.
    pub left_out: u64,
}

/// Why an export ended.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file cannot be written.
    #[error("cannot write the records")]
    Io(#[from] io::Error),
}

/// Writes all records that pass, in the order of time.
///
/// # Errors
/// [`ExportError`], also if a log of Azure's would have more than [`EXPORT_RECORDS_MAX`] records: they are put together in memory.
pub fn export(
    store: &Store,
    filter: &Filter,
    shape: Shape,
    threads: NonZero<usize>,
    out: &mut impl Write,
) -> Result<Exported, ExportError> {
    match shape {
        Shape::Lines | Shape::Azure(FlowLogFormat::Palisade) => lines(store, filter, threads, out),
        Shape::Azure(format) => azure(store, filter, format, threads, out),
    }
}

fn lines(
    store: &Store,
    filter: &Filter,
    threads: NonZero<usize>,
    out: &mut impl Write,
) -> Result<Exported, ExportError> {
    let mut exported = Exported::default();
    query::records(store, filter, threads, |record| {
        exported.records += 1;
        writeln!(out, "{}", line::write(&record)).map_err(ExportError::from)
    })?;
    Ok(exported)
}

fn azure(
    store: &Store,
    filter: &Filter,
    format: FlowLogFormat,
    threads: NonZero<usize>,
    out: &mut impl Write,
) -> Result<Exported, ExportError> {
    let mut exported = Exported::default();
    let mut book = Book { format, ..Book::default() };
    query::records(store, filter, threads, |record| {
        match book.add(&record) {
            true => exported.records += 1,
            false => exported.left_out += 1,
        }
        if exported.records > EXPORT_RECORDS_MAX {
            let (max, remedy) = (EXPORT_RECORDS_MAX, "export less time, or fewer interfaces, at once");
            return Err(StoreError::TooMuch { what: "records of one log", max, remedy });
        }
        Ok(())
    })?;
    out.write_all(b"{\"records\":[")?;
    for (place, record) in book.records().iter().enumerate() {
        if place > 0 {
            out.write_all(b",")?;
        }
        out.write_all(record.as_bytes())?;
    }
    out.write_all(b"]}\n")?;
    Ok(exported)
}

/// How a list of tuples stands in a record whose tuples are kept apart.
const EMPTY_LIST: &str = "\"flowTuples\":[]";

/// Tuples by where they stood: number of the list, place in it.
type Placed = BTreeMap<u32, Vec<(u32, String)>>;

/// Tuples by list of rules and rule.
type Rules = BTreeMap<(String, String), Vec<String>>;

/// A log that is put together.
#[derive(Default)]
struct Book {
    format: FlowLogFormat,
    /// Records that came from a log of this format, by what stood around their tuples.
    logged: HashMap<String, Placed>,
    /// Others, by minute and what a record of the log is of.
    made: BTreeMap<(u64, Head), Rules>,
}

/// What a record of a log is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Head {
    mac: String,
    resource: String,
}

impl Book {
    /// Adds a record; whether the format has something for it.
    fn add(&mut self, record: &Record) -> bool {
        let Some(text) = tuple::of(record, self.format) else { return false };
        let labels = &*record.labels;
        if let (true, Some(around), Some((list, place))) =
            (labels.format == self.format, &labels.log, record.place)
        {
            let text = record.tuple.as_deref().map_or(text, str::to_owned);
            if !self.logged.contains_key(around) {
                self.logged.insert(around.clone(), Placed::new());
            }
            let lists = self.logged.get_mut(around).expect("it was put there");
            lists.entry(list).or_default().push((place, text));
            return true;
        }
        let rules = self.made.entry((record.time_ms / 60_000, self.head(record))).or_default();
        let list = match self.format {
            FlowLogFormat::VirtualNetwork => labels.nsg.clone().unwrap_or_else(|| NO_LIST.to_owned()),
            _ => String::new(),
        };
        rules.entry((list, rule(record))).or_default().push(text);
        true
    }

    fn head(&self, record: &Record) -> Head {
        let labels = &*record.labels;
        let mac = labels.mac.as_deref().unwrap_or("00:00:00:00:00:00");
        let mac = mac.chars().filter(char::is_ascii_hexdigit).collect::<String>().to_ascii_uppercase();
        let nic = labels.nic_id.as_ref().or(labels.nic.as_ref()).or(labels.resource.as_ref());
        let resource = match self.format {
            FlowLogFormat::VirtualNetwork => nic,
            _ => labels.nsg.as_ref().or(nic),
        };
        Head { mac, resource: resource.cloned().unwrap_or_default() }
    }

    /// The records of the log, in the order of the times that they say.
    fn records(self) -> Vec<String> {
        let mut records: Vec<(String, String)> = Vec::new();
        for (around, lists) in self.logged {
            let time = serde_json::from_str::<Value>(&around).ok();
            let time = time.and_then(|value| value["time"].as_str().map(str::to_owned));
            records.push((time.unwrap_or_default(), filled(&around, lists)));
        }
        for ((minute, head), rules) in self.made {
            let end = Moment::Moment((minute + 1) * 60_000).to_string().replace('Z', ".0000000Z");
            records.push((end.clone(), made(self.format, &end, &head, rules)));
        }
        records.sort();
        records.into_iter().map(|(_, record)| record).collect()
    }
}

/// The id of a list that no rules decided by.
const NO_LIST: &str = "00000000-0000-0000-0000-000000000000";

/// The rule as logs of Azure's call it.
fn rule(record: &Record) -> String {
    let labels = &*record.labels;
    let told = labels.rules.as_deref().unwrap_or_default();
    match &labels.rule {
        _ if labels.log.is_some() => told.to_owned(),
        None => "PlatformRule".to_owned(),
        Some(rule) if told.contains(&format!("\"defaultSecurityRules/{rule}\"")) => {
            format!("DefaultRule_{rule}")
        }
        Some(rule) => format!("UserRule_{rule}"),
    }
}

/// A record with its tuples in their places again.
fn filled(around: &str, mut lists: Placed) -> String {
    let mut record = String::new();
    for (number, part) in (0..).zip(around.split(EMPTY_LIST)) {
        if number > 0 {
            let mut tuples = lists.remove(&(number - 1)).unwrap_or_default();
            tuples.sort_by_key(|(place, _)| *place);
            let texts: Vec<&str> = tuples.iter().map(|(_, text)| text.as_str()).collect();
            record.push_str(&format!("\"flowTuples\":{}", json!(texts)));
        }
        record.push_str(part);
    }
    record
}

/// A record of tuples that came from elsewhere. Its fields stand in the order in which Azure writes them.
fn made(format: FlowLogFormat, time: &str, head: &Head, rules: Rules) -> String {
    let (mac, resource) = (json!(head.mac), json!(head.resource));
    if format == FlowLogFormat::VirtualNetwork {
        let mut lists: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for ((list, rule), tuples) in rules {
            let group = format!("{{\"rule\":{},\"flowTuples\":{}}}", json!(rule), json!(tuples));
            lists.entry(list).or_default().push(group);
        }
        let flows: Vec<String> = lists
            .iter()
            .map(|(list, groups)| {
                format!("{{\"aclID\":{},\"flowGroups\":[{}]}}", json!(list), groups.join(","))
            })
            .collect();
        return format!(
            "{{\"time\":\"{time}\",\"flowLogVersion\":4,\"flowLogGUID\":\"{NO_LIST}\",\"macAddress\":{mac},\
             \"category\":\"FlowLogFlowEvent\",\"flowLogResourceID\":\"\",\"targetResourceID\":{resource},\
             \"operationName\":\"FlowLogFlowEvent\",\"flowRecords\":{{\"flows\":[{}]}}}}",
            flows.join(",")
        );
    }
    let version = if format == FlowLogFormat::Nsg1 { 1 } else { 2 };
    let flows: Vec<String> = rules
        .iter()
        .map(|((_, rule), tuples)| {
            format!(
                "{{\"rule\":{},\"flows\":[{{\"mac\":{mac},\"flowTuples\":{}}}]}}",
                json!(rule),
                json!(tuples)
            )
        })
        .collect();
    format!(
        "{{\"time\":\"{time}\",\"systemId\":\"{NO_LIST}\",\"macAddress\":{mac},\
         \"category\":\"NetworkSecurityGroupFlowEvent\",\"resourceId\":{resource},\
         \"operationName\":\"NetworkSecurityGroupFlowEvents\",\"properties\":{{\"Version\":{version},\"flows\":[{}]}}}}",
        flows.join(",")
    )
}

//! Records become columns, page by page.
//!
//! Labels that records share are numbered, and each text of theirs is looked up once for each label, not for each record. It must not know
//! where the columns go.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use bytes::Bytes;
use palisade_model::FlowTraffic;
use palisade_net::Direction;
use parquet::{column::writer::ColumnCloseResult, errors::Result, schema::types::ColumnDescPtr};

use crate::{
    encode::{Flags, NONE, Numbers, Presence, Texts},
    hash::Keyed,
    record::{Kind, Labels, Record, format_word},
    schema::{COLUMNS, Column, Holds},
    text,
};

/// Records of a page: their fields stay in the processor's cache while column after column is made.
pub(crate) const PAGE_ROWS: usize = 4_096;

/// A row group that is being made.
pub(crate) struct RowGroup<'r> {
    columns: Vec<Filling<'r>>,
    shared: Shared<'r>,
    scratch: Scratch,
    rows: usize,
}

impl<'r> RowGroup<'r> {
    pub(crate) fn new() -> Self {
        Self {
            columns: COLUMNS.iter().map(Filling::new).collect(),
            shared: Shared::default(),
            scratch: Scratch::default(),
            rows: 0,
        }
    }

    /// Adds a page of these records.
    pub(crate) fn add(&mut self, records: &'r [Record]) -> Result<()> {
        self.shared.note(records);
        for (column, filling) in COLUMNS.iter().zip(&mut self.columns) {
            let mut page = Page { records, shared: &self.shared, scratch: &mut self.scratch };
            filling.add(column.name, &mut page)?;
        }
        self.rows += records.len();
        Ok(())
    }

    /// Records so far.
    pub(crate) const fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes of the largest dictionary.
    pub(crate) fn dictionary_bytes(&self) -> usize {
        self.columns.iter().map(Filling::dictionary_bytes).max().unwrap_or(0)
    }

    /// The columns as they are in a file.
    pub(crate) fn close(
        self,
        columns: &[ColumnDescPtr],
    ) -> impl Iterator<Item = Result<(Bytes, ColumnCloseResult)>> {
        columns.iter().zip(self.columns).map(|(column, filling)| filling.close(column.clone()))
    }
}

/// Room for the values of a page, which all columns use.
#[derive(Default)]
struct Scratch {
    levels: Vec<u32>,
    values: Vec<i64>,
    keys: Vec<u32>,
}

/// The records of a page, and what is known of their labels.
struct Page<'r, 'p> {
    records: &'r [Record],
    shared: &'p Shared<'r>,
    scratch: &'p mut Scratch,
}

/// The different labels of a row group, and which record of a page has which.
#[derive(Default)]
struct Shared<'r> {
    labels: Vec<&'r Labels>,
    /// Their numbers, by where they lie.
    known: HashMap<usize, u32, Keyed>,
    keys: Vec<u32>,
}

impl<'r> Shared<'r> {
    /// Numbers the labels of a page.
    fn note(&mut self, records: &'r [Record]) {
        let Self { labels, known, keys } = self;
        keys.clear();
        keys.extend(records.iter().map(|record| {
            *known.entry(Arc::as_ptr(&record.labels).addr()).or_insert_with(|| {
                labels.push(&record.labels);
                labels.len() as u32 - 1
            })
        }));
    }
}

/// A column that is being made.
enum Filling<'r> {
    Texts { texts: Texts<'r>, labels: OfLabels, addresses: Addresses },
    Numbers(Numbers),
    Flags(Flags),
}

/// The keys of a text of labels, by the number of the labels.
#[derive(Default)]
struct OfLabels {
    keys: Vec<u32>,
    /// Whether one of them is not the first.
    is_mixed: bool,
}

/// The keys of addresses.
#[derive(Default)]
struct Addresses {
    four: HashMap<u32, u32, Keyed>,
    six: HashMap<u128, u32, Keyed>,
}

impl<'r> Filling<'r> {
    fn new(column: &Column) -> Self {
        let is_optional = column.is_optional;
        match column.holds {
            Holds::Text => Self::Texts {
                texts: Texts::new(is_optional),
                labels: OfLabels::default(),
                addresses: Addresses::default(),
            },
            Holds::Moment => Self::Numbers(Numbers::steady(is_optional, false)),
            Holds::Number => Self::Numbers(Numbers::new(is_optional, true)),
            Holds::Count => Self::Numbers(Numbers::new(is_optional, false)),
            Holds::Flag => Self::Flags(Flags::new(is_optional)),
        }
    }

    fn add(&mut self, name: &str, page: &mut Page<'r, '_>) -> Result<()> {
        match name {
            "time" => self.counts(page, |record| Some(record.time_ms)),
            "began" => self.counts(page, |record| record.began_ms),
            "last" => self.counts(page, |record| record.last_ms),
            "kind" => self.words(page, &Kind::ALL.map(Kind::word), |record| record.kind.place()),
            "direction" => {
                self.words(page, &DIRECTIONS, |record| usize::from(record.direction == Direction::Outbound))
            }
            "protocol" => self.numbers(page, |record| Some(record.protocol.0)),
            "local_address" => self.addresses(page, |record| record.local.0),
            "local_port" => self.numbers(page, |record| Some(record.local.1)),
            "remote_address" => self.addresses(page, |record| record.remote.0),
            "remote_port" => self.numbers(page, |record| Some(record.remote.1)),
            "icmp_type" => self.numbers(page, |record| record.icmp_type),
            "icmp_code" => self.numbers(page, |record| record.icmp_code),
            "packets_to_destination" => self.since(page, |since| since.packets_to_destination),
            "bytes_to_destination" => self.since(page, |since| since.bytes_to_destination),
            "packets_to_source" => self.since(page, |since| since.packets_to_source),
            "bytes_to_source" => self.since(page, |since| since.bytes_to_source),
            "flow_packets_to_destination" => self.total(page, |total| total.packets_to_destination),
            "flow_bytes_to_destination" => self.total(page, |total| total.bytes_to_destination),
            "flow_packets_to_source" => self.total(page, |total| total.packets_to_source),
            "flow_bytes_to_source" => self.total(page, |total| total.bytes_to_source),
            "tcp_flags_to_destination" => self.numbers(page, |record| record.tcp_flags[0]),
            "tcp_flags_to_source" => self.numbers(page, |record| record.tcp_flags[1]),
            "generation" => self.counts(page, |record| record.generation),
            "audited" => self.numbers(page, |record| record.audited),
            "midstream" => self.numbers(page, |record| record.midstream),
            "slot" => self.slots(page),
            "log_list" => self.numbers(page, |record| Some(record.place?.0.cast_signed())),
            "log_place" => self.numbers(page, |record| Some(record.place?.1.cast_signed())),
            "log_tuple" => self.tuples(page),
            label => self.labels(page, label_of(label)),
        }
    }

    fn numbers<T: Into<i64>>(
        &mut self,
        page: &mut Page<'r, '_>,
        number: impl Fn(&Record) -> Option<T>,
    ) -> Result<()> {
        self.put(page.scratch, page.records.iter().map(|record| number(record).map(Into::into)))
    }

    fn counts(&mut self, page: &mut Page<'r, '_>, count: impl Fn(&Record) -> Option<u64>) -> Result<()> {
        self.numbers(page, |record| count(record).map(u64::cast_signed))
    }

    fn since(&mut self, page: &mut Page<'r, '_>, count: impl Fn(FlowTraffic) -> u64) -> Result<()> {
        self.counts(page, |record| record.since.map(&count))
    }

    fn total(&mut self, page: &mut Page<'r, '_>, count: impl Fn(FlowTraffic) -> u64) -> Result<()> {
        self.counts(page, |record| record.total.map(&count))
    }

    fn slots(&mut self, page: &mut Page<'r, '_>) -> Result<()> {
        let Shared { labels, keys, .. } = page.shared;
        self.put(page.scratch, keys.iter().map(|key| labels[*key as usize].slot.map(i64::from)))
    }

    /// Adds a page of numbers or flags.
    fn put(
        &mut self,
        scratch: &mut Scratch,
        numbers: impl ExactSizeIterator<Item = Option<i64>>,
    ) -> Result<()> {
        let Scratch { levels, values, .. } = scratch;
        levels.resize(numbers.len(), 0);
        values.resize(numbers.len(), 0);
        let mut met = 0;
        // What is not there is written over by the next: no branch.
        for (number, level) in numbers.zip(levels.iter_mut()) {
            values[met] = number.unwrap_or(0);
            *level = number.is_some().into();
            met += usize::from(number.is_some());
        }
        let (presence, values) = (Presence::of(levels, met), &values[..met]);
        match self {
            Self::Numbers(column) => column.add(presence, values),
            Self::Flags(column) => column.add(presence, values),
            Self::Texts { .. } => unreachable!("a column of texts is given no numbers"),
        }
    }

    /// A column of one of a few words.
    fn words(
        &mut self,
        page: &mut Page<'r, '_>,
        words: &[&'static str],
        place: impl Fn(&Record) -> usize,
    ) -> Result<()> {
        let (texts, ..) = self.texts();
        let mut known = [NONE; 8];
        let keys = page.records.iter().map(|record| {
            let place = place(record);
            if known[place] == NONE {
                known[place] = texts.key(words[place]);
            }
            known[place]
        });
        page.scratch.keys.clear();
        page.scratch.keys.extend(keys);
        texts.add(&page.scratch.keys)
    }

    fn addresses(&mut self, page: &mut Page<'r, '_>, address: impl Fn(&Record) -> IpAddr) -> Result<()> {
        let (texts, _, Addresses { four, six }) = self.texts();
        let mut buffer = text::Buffer::new();
        let keys = page.records.iter().map(|record| {
            let address = address(record);
            let mut push = || texts.push(buffer.address(address));
            match address {
                IpAddr::V4(v4) => *four.entry(v4.to_bits()).or_insert_with(&mut push),
                IpAddr::V6(v6) => *six.entry(v6.to_bits()).or_insert_with(&mut push),
            }
        });
        page.scratch.keys.clear();
        page.scratch.keys.extend(keys);
        texts.add(&page.scratch.keys)
    }

    fn tuples(&mut self, page: &mut Page<'r, '_>) -> Result<()> {
        let (texts, ..) = self.texts();
        if page.records.iter().all(|record| record.tuple.is_none()) {
            return texts.add_same(NONE, page.records.len());
        }
        let keys =
            page.records.iter().map(|record| record.tuple.as_deref().map_or(NONE, |text| texts.key(text)));
        page.scratch.keys.clear();
        page.scratch.keys.extend(keys);
        texts.add(&page.scratch.keys)
    }

    fn labels(&mut self, page: &mut Page<'r, '_>, text: LabelOf) -> Result<()> {
        let (texts, OfLabels { keys, is_mixed }, _) = self.texts();
        for labels in &page.shared.labels[keys.len()..] {
            let key = text(labels).map_or(NONE, |text| texts.key(text));
            keys.push(key);
            *is_mixed |= key != keys[0];
        }
        if !*is_mixed {
            return texts.add_same(keys[0], page.records.len());
        }
        page.scratch.keys.clear();
        page.scratch.keys.extend(page.shared.keys.iter().map(|labels| keys[*labels as usize]));
        texts.add(&page.scratch.keys)
    }

    fn texts(&mut self) -> (&mut Texts<'r>, &mut OfLabels, &mut Addresses) {
        match self {
            Self::Texts { texts, labels, addresses } => (texts, labels, addresses),
            Self::Numbers(_) | Self::Flags(_) => unreachable!("a column of numbers is given no texts"),
        }
    }

    fn dictionary_bytes(&self) -> usize {
        match self {
            Self::Texts { texts, .. } => texts.dictionary_bytes(),
            Self::Numbers(_) | Self::Flags(_) => 0,
        }
    }

    fn close(self, column: ColumnDescPtr) -> Result<(Bytes, ColumnCloseResult)> {
        match self {
            Self::Texts { texts, .. } => texts.close(column),
            Self::Numbers(numbers) => numbers.close(column),
            Self::Flags(flags) => flags.close(column),
        }
    }
}

/// The words for directions, in the order of their keys.
const DIRECTIONS: [&str; 2] = ["Inbound", "Outbound"];

/// How a column is found in labels.
type LabelOf = fn(&Labels) -> Option<&str>;

fn label_of(name: &str) -> LabelOf {
    match name {
        "format" => |labels| Some(format_word(labels.format)),
        "nic" => |labels| labels.nic.as_deref(),
        "nic_id" => |labels| labels.nic_id.as_deref(),
        "interface" => |labels| labels.interface.as_deref(),
        "mac" => |labels| labels.mac.as_deref(),
        "resource" => |labels| labels.resource.as_deref(),
        "layer" => |labels| labels.layer.as_deref(),
        "nsg" => |labels| labels.nsg.as_deref(),
        "rule" => |labels| labels.rule.as_deref(),
        "rules" => |labels| labels.rules.as_deref(),
        "reason" => |labels| labels.reason.as_deref(),
        "cause" => |labels| labels.cause.as_deref(),
        "state" => |labels| labels.state.as_deref(),
        "encryption" => |labels| labels.encryption.as_deref(),
        "log" => |labels| labels.log.as_deref(),
        other => unreachable!("the schema has a column {other} that records do not"),
    }
}

//! Records become columns.
//!
//! Texts that records share become dictionaries whose keys all such columns share, so that a record costs one key and not a text a
//! column. It must not know where the columns go.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use arrow_array::{
    ArrayRef, BooleanArray, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMillisecondArray, builder::StringBuilder, new_null_array, types::Int32Type,
};
use arrow_buffer::{NullBuffer, ScalarBuffer};
use palisade_model::FlowTraffic;
use palisade_net::Direction;

use crate::{
    record::{Kind, Labels, Record, format_word},
    schema::{self, COLUMNS, Holds},
    text,
};

/// Records that become one batch at a time: their fields stay in the processor's cache while column after column is made.
pub(crate) const CHUNK_ROWS: usize = 4_096;

/// The columns of some records.
pub(crate) fn of(records: &[Record]) -> RecordBatch {
    let shared = Shared::of(records);
    let arrays = COLUMNS.iter().map(|column| array(column.name, records, &shared)).collect();
    RecordBatch::try_new(schema::arrow(), arrays).expect("there is an array for each column of the schema")
}

fn array(name: &str, records: &[Record], shared: &Shared<'_>) -> ArrayRef {
    match name {
        "time" => moments(records, |record| Some(record.time_ms)),
        "began" => moments(records, |record| record.began_ms),
        "last" => moments(records, |record| record.last_ms),
        "kind" => words(records, &Kind::ALL.map(Kind::word), |record| record.kind.place()),
        "direction" => {
            words(records, &DIRECTIONS, |record| usize::from(record.direction == Direction::Outbound))
        }
        "protocol" => numbers(records, |record| Some(record.protocol.0.into())),
        "local_address" => addresses(records, |record| record.local.0),
        "local_port" => numbers(records, |record| Some(record.local.1.into())),
        "remote_address" => addresses(records, |record| record.remote.0),
        "remote_port" => numbers(records, |record| Some(record.remote.1.into())),
        "icmp_type" => numbers(records, |record| record.icmp_type.map(i32::from)),
        "icmp_code" => numbers(records, |record| record.icmp_code.map(i32::from)),
        "packets_to_destination" => counts(records, |record| Some(record.since?.packets_to_destination)),
        "bytes_to_destination" => counts(records, |record| Some(record.since?.bytes_to_destination)),
        "packets_to_source" => counts(records, |record| Some(record.since?.packets_to_source)),
        "bytes_to_source" => counts(records, |record| Some(record.since?.bytes_to_source)),
        "flow_packets_to_destination" => total(records, |total| total.packets_to_destination),
        "flow_bytes_to_destination" => total(records, |total| total.bytes_to_destination),
        "flow_packets_to_source" => total(records, |total| total.packets_to_source),
        "flow_bytes_to_source" => total(records, |total| total.bytes_to_source),
        "tcp_flags_to_destination" => numbers(records, |record| record.tcp_flags[0].map(i32::from)),
        "tcp_flags_to_source" => numbers(records, |record| record.tcp_flags[1].map(i32::from)),
        "generation" => counts(records, |record| record.generation),
        "audited" => flags(records, |record| record.audited),
        "midstream" => flags(records, |record| record.midstream),
        "slot" => counts(records, |record| record.labels.slot.map(u64::from)),
        "log_list" => numbers(records, |record| record.place.map(|(list, _)| list.cast_signed())),
        "log_place" => numbers(records, |record| record.place.map(|(_, place)| place.cast_signed())),
        "log_tuple" => tuples(records),
        label => shared.array(label_of(label)),
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

/// The different labels of some records, and which record has which.
struct Shared<'r> {
    labels: Vec<&'r Labels>,
    keys: ScalarBuffer<i32>,
}

impl<'r> Shared<'r> {
    fn of(records: &'r [Record]) -> Self {
        let mut labels: Vec<&Labels> = Vec::new();
        let mut known: HashMap<*const Labels, i32> = HashMap::new();
        let mut last: (*const Labels, i32) = (std::ptr::null(), 0);
        let keys = records.iter().map(|record| {
            let address = Arc::as_ptr(&record.labels);
            if last.0 != address {
                let key = *known.entry(address).or_insert_with(|| {
                    labels.push(&record.labels);
                    labels.len() as i32 - 1
                });
                last = (address, key);
            }
            last.1
        });
        let keys = keys.collect();
        Self { labels, keys }
    }

    /// The column that one of their texts makes.
    fn array(&self, text: LabelOf) -> ArrayRef {
        let texts: Vec<Option<&str>> = self.labels.iter().map(|labels| text(labels)).collect();
        if texts.iter().all(Option::is_none) {
            return new_null_array(&Holds::Text.data_type(), self.keys.len());
        }
        let is_whole = texts.iter().all(Option::is_some);
        let nulls = (!is_whole)
            .then(|| self.keys.iter().map(|key| texts[*key as usize].is_some()).collect::<NullBuffer>());
        let values: StringArray = texts.iter().map(|text| Some(text.unwrap_or_default())).collect();
        dictionary(Int32Array::new(self.keys.clone(), nulls), values)
    }
}

fn dictionary(keys: Int32Array, values: StringArray) -> ArrayRef {
    Arc::new(DictionaryArray::<Int32Type>::new(keys, Arc::new(values)))
}

/// A column of one of a few words.
fn words(records: &[Record], words: &[&str], place: impl Fn(&Record) -> usize) -> ArrayRef {
    let keys: ScalarBuffer<i32> = records.iter().map(|record| place(record) as i32).collect();
    dictionary(Int32Array::new(keys, None), words.iter().map(Some).collect())
}

fn addresses(records: &[Record], address: impl Fn(&Record) -> IpAddr) -> ArrayRef {
    let mut values = StringBuilder::with_capacity(records.len(), 14 * records.len());
    let mut buffer = text::Buffer::new();
    for record in records {
        values.append_value(buffer.address(address(record)));
    }
    let keys: ScalarBuffer<i32> = (0..records.len() as i32).collect();
    dictionary(Int32Array::new(keys, None), values.finish())
}

fn tuples(records: &[Record]) -> ArrayRef {
    if records.iter().all(|record| record.tuple.is_none()) {
        return new_null_array(&Holds::Text.data_type(), records.len());
    }
    let array: DictionaryArray<Int32Type> = records.iter().map(|record| record.tuple.as_deref()).collect();
    Arc::new(array)
}

fn moments(records: &[Record], moment: impl Fn(&Record) -> Option<u64>) -> ArrayRef {
    let array: TimestampMillisecondArray =
        records.iter().map(|record| moment(record).map(u64::cast_signed)).collect();
    Arc::new(array.with_timezone("UTC"))
}

fn numbers(records: &[Record], number: impl Fn(&Record) -> Option<i32>) -> ArrayRef {
    Arc::new(records.iter().map(number).collect::<Int32Array>())
}

fn counts(records: &[Record], count: impl Fn(&Record) -> Option<u64>) -> ArrayRef {
    Arc::new(records.iter().map(|record| count(record).map(u64::cast_signed)).collect::<Int64Array>())
}

fn total(records: &[Record], count: impl Fn(FlowTraffic) -> u64) -> ArrayRef {
    counts(records, |record| record.total.map(&count))
}

fn flags(records: &[Record], flag: impl Fn(&Record) -> Option<bool>) -> ArrayRef {
    Arc::new(records.iter().map(flag).collect::<BooleanArray>())
}

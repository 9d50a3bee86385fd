//! Columns become records again.
//!
//! Labels of rows whose keys are the same are the same. It must not know where the columns come from; what is in them may come from
//! another program and is checked.

use std::{collections::HashMap, net::IpAddr, str::FromStr, sync::Arc};

use arrow_array::{
    Array, BooleanArray, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMillisecondArray,
    cast::AsArray,
    types::{Int32Type, Int64Type, TimestampMillisecondType},
};
use palisade_model::FlowTraffic;
use palisade_net::{Direction, Protocol};

use crate::{
    hash::Keyed,
    record::{Kind, Labels, Record, format_named},
    text,
};

/// The records of a batch that has all columns of its file.
///
/// # Errors
/// What is wrong with a value, in words that follow the file's name.
pub(crate) fn of(batch: &RecordBatch) -> Result<Vec<Record>, String> {
    let rows = Rows::of(batch);
    let mut labels = Known::default();
    (0..batch.num_rows()).map(|row| rows.record(row, &mut labels)).collect()
}

/// Texts that become labels, in the order of [`Rows::labels`].
const LABELS: [&str; 15] = [
    "format",
    "nic",
    "nic_id",
    "interface",
    "mac",
    "resource",
    "layer",
    "nsg",
    "rule",
    "rules",
    "reason",
    "cause",
    "state",
    "encryption",
    "log",
];

/// Labels by the keys of their texts and the slot.
type Known = HashMap<([i32; LABELS.len()], Option<i64>), Arc<Labels>, Keyed>;

/// A column of texts that may not be there.
struct Texts<'b>(Option<(&'b Int32Array, &'b StringArray)>);

impl<'b> Texts<'b> {
    fn of(batch: &'b RecordBatch, name: &str) -> Self {
        Self(batch.column_by_name(name).map(|array| {
            let texts: &DictionaryArray<Int32Type> = array.as_dictionary();
            (texts.keys(), texts.values().as_string())
        }))
    }

    /// The key of a row; -1 of what is missing.
    fn key(&self, row: usize) -> i32 {
        self.0.filter(|(keys, _)| keys.is_valid(row)).map_or(-1, |(keys, _)| keys.value(row))
    }

    fn text(&self, row: usize) -> Option<&'b str> {
        let (keys, values) = self.0?;
        (keys.is_valid(row)).then(|| values.value(keys.value(row) as usize))
    }

    fn owned(&self, row: usize) -> Option<String> {
        self.text(row).map(str::to_owned)
    }
}

/// The columns of a batch, found once.
struct Rows<'b> {
    time: &'b TimestampMillisecondArray,
    began: Option<&'b TimestampMillisecondArray>,
    last: Option<&'b TimestampMillisecondArray>,
    kind: Texts<'b>,
    direction: Texts<'b>,
    addresses: [Texts<'b>; 2],
    tuple: Texts<'b>,
    labels: [Texts<'b>; LABELS.len()],
    numbers: [Option<&'b Int32Array>; NUMBERS.len()],
    counts: [Option<&'b Int64Array>; COUNTS.len()],
    flags: [Option<&'b BooleanArray>; 2],
}

/// Numbers of 32 bits, in the order of [`Rows::numbers`].
const NUMBERS: [&str; 9] = [
    "protocol",
    "local_port",
    "remote_port",
    "icmp_type",
    "icmp_code",
    "tcp_flags_to_destination",
    "tcp_flags_to_source",
    "log_list",
    "log_place",
];

/// Their places.
const PROTOCOL: usize = 0;
const PORTS: [usize; 2] = [1, 2];
const ICMP: [usize; 2] = [3, 4];
const TCP_FLAGS: [usize; 2] = [5, 6];
const PLACE: [usize; 2] = [7, 8];

/// Numbers of 64 bits, in the order of [`Rows::counts`].
const COUNTS: [&str; 10] = [
    "packets_to_destination",
    "bytes_to_destination",
    "packets_to_source",
    "bytes_to_source",
    "flow_packets_to_destination",
    "flow_bytes_to_destination",
    "flow_packets_to_source",
    "flow_bytes_to_source",
    "generation",
    "slot",
];

/// Their places; the first of four.
const SINCE: usize = 0;
const TOTAL: usize = 4;
const GENERATION: usize = 8;
const SLOT: usize = 9;

impl<'b> Rows<'b> {
    fn of(batch: &'b RecordBatch) -> Self {
        let texts = |name| Texts::of(batch, name);
        let column = |name: &str| batch.column_by_name(name);
        let moments = |name| column(name).map(AsArray::as_primitive::<TimestampMillisecondType>);
        Self {
            time: moments("time").expect("every file has the first column"),
            began: moments("began"),
            last: moments("last"),
            kind: texts("kind"),
            direction: texts("direction"),
            addresses: ["local_address", "remote_address"].map(texts),
            tuple: texts("log_tuple"),
            labels: LABELS.map(texts),
            numbers: NUMBERS.map(|name| column(name).map(AsArray::as_primitive::<Int32Type>)),
            counts: COUNTS.map(|name| column(name).map(AsArray::as_primitive::<Int64Type>)),
            flags: ["audited", "midstream"].map(|name| column(name).map(AsArray::as_boolean)),
        }
    }

    fn record(&self, row: usize, known: &mut Known) -> Result<Record, String> {
        let kind = self.word(&self.kind, "kind", row, Kind::named)?;
        let direction =
            self.word(&self.direction, "direction", row, |word| Direction::from_str(word).ok())?;
        let [local, remote] = [0, 1].map(|end| {
            let name = ["local_address", "remote_address"][end];
            let address: IpAddr = self.word(&self.addresses[end], name, row, text::address)?;
            let port = self.number(PORTS[end], row)?;
            Ok::<_, String>((address, port.unwrap_or(0)))
        });
        let place = self.number::<i32>(PLACE[0], row)?.zip(self.number::<i32>(PLACE[1], row)?);
        let flag = |place: usize| {
            self.flags[place].filter(|array| array.is_valid(row)).map(|array| array.value(row))
        };
        let maybe = |name, array: Option<&TimestampMillisecondArray>| {
            array.filter(|array| array.is_valid(row)).map(|array| moment(name, array.value(row))).transpose()
        };
        Ok(Record {
            time_ms: moment("time", self.time.value(row))?,
            kind,
            began_ms: maybe("began", self.began)?,
            last_ms: maybe("last", self.last)?,
            direction,
            protocol: Protocol(self.number(PROTOCOL, row)?.unwrap_or(0)),
            local: local?,
            remote: remote?,
            icmp_type: self.number(ICMP[0], row)?,
            icmp_code: self.number(ICMP[1], row)?,
            since: self.traffic(SINCE, row),
            total: self.traffic(TOTAL, row),
            tcp_flags: [self.number(TCP_FLAGS[0], row)?, self.number(TCP_FLAGS[1], row)?],
            generation: self.count(GENERATION, row),
            audited: flag(0),
            midstream: flag(1),
            place: place.map(|(list, place)| (list.cast_unsigned(), place.cast_unsigned())),
            tuple: self.tuple.text(row).map(Box::from),
            labels: self.labels(row, known)?,
        })
    }

    fn labels(&self, row: usize, known: &mut Known) -> Result<Arc<Labels>, String> {
        let keys = std::array::from_fn(|place| self.labels[place].key(row));
        let slot = self.count(SLOT, row);
        let id = (keys, slot.map(u64::cast_signed));
        if let Some(labels) = known.get(&id) {
            return Ok(labels.clone());
        }
        let format = self.word(&self.labels[0], "format", row, format_named)?;
        let slot = slot.map(|slot| u32::try_from(slot).map_err(|_| wrong("slot", &slot.to_string())));
        let mut texts = self.labels.iter().skip(1).map(|texts| texts.owned(row));
        let mut next = || texts.next().flatten();
        let labels = Arc::new(Labels {
            format,
            nic: next(),
            nic_id: next(),
            interface: next(),
            slot: slot.transpose()?,
            mac: next(),
            resource: next(),
            layer: next(),
            nsg: next(),
            rule: next(),
            rules: next(),
            reason: next(),
            cause: next(),
            state: next(),
            encryption: next(),
            log: next(),
        });
        known.insert(id, labels.clone());
        Ok(labels)
    }

    fn word<T>(
        &self,
        texts: &Texts<'_>,
        name: &str,
        row: usize,
        of: impl Fn(&str) -> Option<T>,
    ) -> Result<T, String> {
        let text = texts.text(row).unwrap_or_default();
        of(text).ok_or_else(|| wrong(name, text))
    }

    fn number<T: TryFrom<i32>>(&self, place: usize, row: usize) -> Result<Option<T>, String> {
        let Some(array) = self.numbers[place].filter(|array| array.is_valid(row)) else { return Ok(None) };
        let value = array.value(row);
        T::try_from(value).map(Some).map_err(|_| wrong(NUMBERS[place], &value.to_string()))
    }

    fn count(&self, place: usize, row: usize) -> Option<u64> {
        let array = self.counts[place].filter(|array| array.is_valid(row))?;
        Some(array.value(row).max(0).cast_unsigned())
    }

    /// Four counters, or none.
    fn traffic(&self, first: usize, row: usize) -> Option<FlowTraffic> {
        Some(FlowTraffic {
            packets_to_destination: self.count(first, row)?,
            bytes_to_destination: self.count(first + 1, row)?,
            packets_to_source: self.count(first + 2, row)?,
            bytes_to_source: self.count(first + 3, row)?,
        })
    }
}

fn moment(name: &str, value: i64) -> Result<u64, String> {
    u64::try_from(value).map_err(|_| wrong(name, &value.to_string()))
}

fn wrong(name: &str, value: &str) -> String {
    format!("has {name} \"{}\"", value.escape_debug())
}

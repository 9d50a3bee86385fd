//! Which records a question is about: a time, and terms that must all hold.
//!
//! A term is checked once for each entry of a dictionary, not once for each record. It must not know a file.

use std::collections::HashMap;

use arrow_array::{
    Array, BooleanArray, DictionaryArray, RecordBatch, StringArray,
    cast::AsArray,
    types::{Int32Type, Int64Type, TimestampMillisecondType},
};
use arrow_buffer::BooleanBuffer;
use palisade_net::Prefix;

use crate::{
    partition::{Partition, group_of},
    record::Labels,
    text,
};

/// Which records are asked about: those in the time for which all terms hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// From this millisecond on.
    pub from_ms: u64,
    /// Before this millisecond.
    pub to_ms: u64,
    /// What must hold, all of it.
    pub terms: Vec<Term>,
}

impl Default for Filter {
    /// All records.
    fn default() -> Self {
        Self { from_ms: 0, to_ms: u64::MAX, terms: Vec::new() }
    }
}

/// Something that must hold in one of some columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// The columns, of which one is enough.
    pub columns: &'static [&'static str],
    /// What must hold there.
    pub is: Test,
}

/// What must hold of a value. Nothing holds of one that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// A text is one of these, whatever the case.
    Text(Vec<String>),
    /// A number is in one of these ranges, both ends included.
    Number(Vec<(i64, i64)>),
    /// An address is in one of these prefixes.
    Address(Vec<Prefix>),
    /// A flag is this.
    Flag(bool),
}

impl Filter {
    /// Whether a partition may hold such records.
    pub(crate) fn wants(&self, partition: Partition) -> bool {
        let (start, end) = partition.span();
        start < self.to_ms
            && end > self.from_ms
            && self.groups().is_none_or(|groups| groups.contains(&partition.group))
    }

    /// The groups of the interfaces that are asked about, if all are told by id.
    fn groups(&self) -> Option<Vec<u8>> {
        let names = self.terms.iter().find_map(|term| match &term.is {
            Test::Text(names) if term.columns == NIC => Some(names),
            _ => None,
        })?;
        let group = |id: &String| {
            let labels = Labels { nic_id: Some(id.clone()), ..Labels::default() };
            id.contains('/').then(|| group_of(&labels))
        };
        names.iter().map(group).collect()
    }

    /// The columns that are looked at where the time need not be.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &'static str> {
        self.terms.iter().flat_map(|term| term.columns.iter().copied())
    }
}

/// The columns that name an interface.
pub const NIC: &[&str] = &["nic", "nic_id"];

/// A filter at work, with what it knows of the dictionaries it has met.
pub(crate) struct Sieve {
    filter: Filter,
    known: Known,
}

impl Sieve {
    pub(crate) fn new(filter: Filter) -> Self {
        Self { filter, known: Known::default() }
    }

    /// Which rows pass; the time is checked if the batch has it.
    pub(crate) fn rows(&mut self, batch: &RecordBatch) -> BooleanArray {
        let Self { filter, known } = self;
        let mut rows = BooleanBuffer::new_set(batch.num_rows());
        if let Some(time) = batch.column_by_name("time") {
            let times = time.as_primitive::<TimestampMillisecondType>().values();
            rows = BooleanBuffer::collect_bool(times.len(), |row| {
                (filter.from_ms..filter.to_ms).contains(&times[row].cast_unsigned())
            });
        }
        for (place, term) in filter.terms.iter().enumerate() {
            let mut any = BooleanBuffer::new_unset(batch.num_rows());
            for column in term.columns {
                let array = batch.column_by_name(column).expect("the columns of the terms are read");
                any = &any | &known.holds((place, column), &term.is, array.as_ref());
            }
            rows = &rows & &any;
        }
        BooleanArray::new(rows, None)
    }
}

/// By term and column: the dictionary that was met last, and which of its entries pass.
#[derive(Default)]
struct Known(HashMap<(usize, &'static str), (StringArray, Vec<bool>)>);

impl Known {
    fn holds(&mut self, id: (usize, &'static str), test: &Test, array: &dyn Array) -> BooleanBuffer {
        let found = match test {
            Test::Number(ranges) => numbers(array, ranges),
            Test::Flag(true) => array.as_boolean().values().clone(),
            Test::Flag(false) => !array.as_boolean().values(),
            Test::Text(_) | Test::Address(_) => {
                let texts: &DictionaryArray<Int32Type> = array.as_dictionary();
                let passes = self.entries(id, test, texts.values().as_string());
                let keys = texts.keys().values();
                // Keys of rows without a value are whatever stands there.
                BooleanBuffer::collect_bool(keys.len(), |row| {
                    passes.get(keys[row] as usize).is_some_and(|pass| *pass)
                })
            }
        };
        match array.nulls() {
            Some(nulls) => &found & nulls.inner(),
            None => found,
        }
    }

    /// Which entries of a dictionary pass.
    fn entries(&mut self, id: (usize, &'static str), test: &Test, entries: &StringArray) -> &[bool] {
        let is_known = self.0.get(&id).is_some_and(|(known, _)| is_same(known, entries));
        if !is_known {
            let passes = entries.iter().map(|entry| entry.is_some_and(|entry| passes(test, entry))).collect();
            self.0.insert(id, (entries.clone(), passes));
        }
        &self.0[&id].1
    }
}

/// Whether two dictionaries are one and the same; others may look alike.
pub(crate) fn is_same(a: &StringArray, b: &StringArray) -> bool {
    let place = |array: &StringArray| (array.value_offsets().as_ptr(), array.len());
    place(a) == place(b)
}

fn passes(test: &Test, entry: &str) -> bool {
    match test {
        Test::Text(words) => words.iter().any(|word| word.eq_ignore_ascii_case(entry)),
        Test::Address(prefixes) => {
            text::address(entry).is_some_and(|address| prefixes.iter().any(|prefix| prefix.contains(address)))
        }
        Test::Number(_) | Test::Flag(_) => false,
    }
}

fn numbers(array: &dyn Array, ranges: &[(i64, i64)]) -> BooleanBuffer {
    let within = |value: i64| ranges.iter().any(|(first, last)| (*first..=*last).contains(&value));
    if let Some(narrow) = array.as_primitive_opt::<Int32Type>() {
        let values = narrow.values();
        return BooleanBuffer::collect_bool(values.len(), |row| within(values[row].into()));
    }
    let values = array.as_primitive::<Int64Type>().values();
    BooleanBuffer::collect_bool(values.len(), |row| within(values[row]))
}

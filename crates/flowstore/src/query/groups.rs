//! Groups of records by the values of some columns, and sums over them.
//!
//! Values become numbers first, a dictionary's once for each of its entries; a group is a pair of numbers, pair by pair. So a record
//! costs a look into an array a column, and into a small table where there are several. It must not know a file.

use std::{cmp::Ordering, collections::HashMap, fmt};

use arrow_array::{
    Array, ArrayRef, DictionaryArray, StringArray,
    cast::AsArray,
    types::{Int32Type, Int64Type, TimestampMillisecondType},
};
use palisade_model::calendar::civil_from_days;

use super::{filter::is_same, texts::Texts};
use crate::hash::Keyed;

/// What records of a group have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// Nothing.
    Missing,
    /// A number, or a flag.
    Number(i64),
    /// The beginning of a span of time, in milliseconds since 1970.
    Moment(u64),
    /// A text.
    Text(Box<str>),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("-"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Moment(ms) => {
                let days = (ms / 86_400_000).cast_signed();
                let (year, month, day) = civil_from_days(days);
                let seconds = ms / 1_000 % 86_400;
                let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
                write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
            }
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// The number of what is missing.
const MISSING: u32 = 0;
/// Stands where no number was given yet.
const UNKNOWN: u32 = u32::MAX;
/// Values below are found in an array: ports, protocols, flags.
const SMALL: i64 = 1 << 16;

/// The values of one column as numbers from 1 on, in the order in which they were met.
#[derive(Debug, Default)]
pub(super) struct Numbering {
    /// Length of a span of time, if the column is a moment.
    span_ms: Option<i64>,
    texts: Texts,
    numbers: HashMap<i64, u32, Keyed>,
    /// Numbers of small values, which most are.
    small: Vec<u32>,
    /// The values of numbers.
    values: Vec<i64>,
    /// Whether all entries of a dictionary are expected to be met: they are numbered at once.
    takes_all: bool,
    /// Entries of a dictionary that a batch is the first to have.
    met: Vec<u32>,
    /// The dictionary that was met last, and the numbers of those of its entries that were met.
    last: Option<(StringArray, Vec<u32>)>,
}

impl Numbering {
    pub(super) fn new(span_ms: Option<i64>, takes_all: bool) -> Self {
        Self { span_ms, takes_all, ..Self::default() }
    }

    /// The value of a number.
    pub(super) fn value(&self, number: u32) -> Value {
        let Some(place) = number.checked_sub(1) else { return Value::Missing };
        match (self.values.get(place as usize), self.span_ms) {
            (Some(start), Some(_)) => Value::Moment((*start).max(0).cast_unsigned()),
            (Some(value), None) => Value::Number(*value),
            (None, _) => Value::Text(self.texts.text(place).into()),
        }
    }

    /// The order of the values of two numbers, which is that of [`Value`].
    pub(super) fn compare(&self, a: u32, b: u32) -> Ordering {
        match (a.checked_sub(1), b.checked_sub(1)) {
            (Some(a), Some(b)) if !self.texts.is_empty() => self.texts.text(a).cmp(self.texts.text(b)),
            (Some(a), Some(b)) => self.values[a as usize].cmp(&self.values[b as usize]),
            (a, b) => a.cmp(&b),
        }
    }

    /// The number here of a number of another numbering of the same column.
    pub(super) fn take(&mut self, other: &Self, number: u32) -> u32 {
        let Some(place) = number.checked_sub(1) else { return MISSING };
        match other.values.get(place as usize) {
            Some(value) => self.number(*value),
            None => self.texts.number(other.texts.text(place)) + 1,
        }
    }

    /// The numbers of a column's rows.
    pub(super) fn of(&mut self, array: &ArrayRef) -> Vec<u32> {
        if let Some(texts) = array.as_dictionary_opt::<Int32Type>() {
            return self.of_texts(texts);
        }
        let mut found = self.of_numbers(array);
        if let Some(nulls) = array.nulls() {
            let missing = found.iter_mut().zip(nulls).filter(|(_, is_there)| !is_there);
            missing.for_each(|(number, _)| *number = MISSING);
        }
        found
    }

    fn of_numbers(&mut self, array: &ArrayRef) -> Vec<u32> {
        if let Some(span) = self.span_ms {
            let times = array.as_primitive::<TimestampMillisecondType>().values();
            return times.iter().map(|time| self.number(time.div_euclid(span) * span)).collect();
        }
        if let Some(flags) = array.as_boolean_opt() {
            return flags.values().iter().map(|flag| self.number(flag.into())).collect();
        }
        if let Some(narrow) = array.as_primitive_opt::<Int32Type>() {
            return narrow.values().iter().map(|value| self.number((*value).into())).collect();
        }
        array.as_primitive::<Int64Type>().values().iter().map(|value| self.number(*value)).collect()
    }

    fn of_texts(&mut self, texts: &DictionaryArray<Int32Type>) -> Vec<u32> {
        let (keys, entries) = (texts.keys(), texts.values().as_string::<i32>());
        let mut numbers = match self.last.take() {
            Some((known, numbers)) if is_same(&known, entries) => numbers,
            _ => self.of_entries(entries),
        };
        if !self.takes_all {
            self.met.clear();
            for (row, key) in keys.values().iter().enumerate() {
                // Keys of rows without a value are whatever stands there.
                if let Some(number @ &mut UNKNOWN) = numbers.get_mut(*key as usize)
                    && keys.is_valid(row)
                {
                    *number = MISSING;
                    self.met.push(key.cast_unsigned());
                }
            }
            self.texts.numbers(entries, &self.met, |place, number| numbers[place as usize] = number + 1);
        }
        let number = |key: i32| numbers.get(key as usize).copied().unwrap_or(MISSING);
        let found = match keys.nulls() {
            None => keys.values().iter().map(|key| number(*key)).collect(),
            Some(_) => keys.iter().map(|key| key.map_or(MISSING, number)).collect(),
        };
        self.last = Some((entries.clone(), numbers));
        found
    }

    /// The numbers of the entries of a dictionary that was not met before.
    fn of_entries(&mut self, entries: &StringArray) -> Vec<u32> {
        let mut numbers = vec![UNKNOWN; entries.len()];
        if self.takes_all {
            self.met.clear();
            self.met.extend(0..entries.len() as u32);
            self.texts.numbers(entries, &self.met, |place, number| numbers[place as usize] = number + 1);
        }
        numbers
    }

    fn number(&mut self, value: i64) -> u32 {
        let next = self.values.len() as u32 + 1;
        if self.span_ms.is_none() && (0..SMALL).contains(&value) {
            if self.small.is_empty() {
                self.small = vec![UNKNOWN; SMALL as usize];
            }
            let known = &mut self.small[value as usize];
            if *known == UNKNOWN {
                *known = next;
                self.values.push(value);
            }
            return *known;
        }
        let number = *self.numbers.entry(value).or_insert(next);
        if number == next {
            self.values.push(value);
        }
        number
    }
}

/// Pairs of numbers as numbers, so that several columns are grouped by two at a time.
#[derive(Debug, Default)]
pub(super) struct Pairing {
    numbers: HashMap<u64, u32, Keyed>,
    pairs: Vec<(u32, u32)>,
}

impl Pairing {
    /// Puts the number of each pair in the place of its first part.
    pub(super) fn join(&mut self, firsts: &mut [u32], seconds: &[u32]) {
        for (first, second) in firsts.iter_mut().zip(seconds) {
            *first = self.number(*first, *second);
        }
    }

    /// The number of a pair.
    pub(super) fn number(&mut self, first: u32, second: u32) -> u32 {
        let next = self.pairs.len() as u32;
        let number = *self.numbers.entry((u64::from(first) << 32) | u64::from(second)).or_insert(next);
        if number == next {
            self.pairs.push((first, second));
        }
        number
    }

    /// The pair of a number.
    pub(super) fn pair(&self, number: u32) -> (u32, u32) {
        self.pairs[number as usize]
    }
}

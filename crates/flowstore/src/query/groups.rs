//! Groups of records by the values of some columns, and sums over them.
//!
//! Values become numbers first, a dictionary's once for each of its entries; a group is a pair of numbers, pair by pair. So a record
//! costs a look into an array a column, and into a small table where there are several. It must not know a file.

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasherDefault, Hasher},
};

use arrow_array::{
    Array, ArrayRef, DictionaryArray, StringArray,
    cast::AsArray,
    types::{Int32Type, Int64Type, TimestampMillisecondType},
};
use palisade_model::calendar::civil_from_days;

use super::filter::is_same;

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

/// Multiplies and folds: values here are small numbers that nobody outside chooses freely.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Quick(u64);

impl Hasher for Quick {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64((*byte).into()));
    }

    fn write_u64(&mut self, value: u64) {
        let product = u128::from(self.0 ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        self.0 = (product as u64) ^ ((product >> 64) as u64);
    }

    fn write_i64(&mut self, value: i64) {
        self.write_u64(value.cast_unsigned());
    }
}

type QuickMap<K> = HashMap<K, u32, BuildHasherDefault<Quick>>;

/// The number of what is missing.
const MISSING: u32 = 0;

/// The values of one column as numbers from 1 on, in the order in which they were met.
#[derive(Debug)]
pub(crate) struct Numbering {
    /// Length of a span of time, if the column is a moment.
    span_ms: Option<i64>,
    texts: HashMap<Box<str>, u32>,
    numbers: QuickMap<i64>,
    /// Numbers of small values, which most are.
    small: Vec<u32>,
    values: Vec<Value>,
    /// The dictionary that was met last, and the numbers of its entries.
    last: Option<(StringArray, Vec<u32>)>,
}

/// Values below are found in an array: ports, protocols, flags.
const SMALL: i64 = 1 << 16;

impl Numbering {
    pub(crate) fn new(span_ms: Option<i64>) -> Self {
        Self {
            span_ms,
            texts: HashMap::new(),
            numbers: QuickMap::default(),
            small: Vec::new(),
            values: vec![Value::Missing],
            last: None,
        }
    }

    /// The value of a number.
    pub(crate) fn value(&self, number: u32) -> Value {
        self.values[number as usize].clone()
    }

    /// The numbers of a column's rows.
    pub(crate) fn of(&mut self, array: &ArrayRef) -> Vec<u32> {
        let mut found = match self.span_ms {
            Some(span) => {
                let times = array.as_primitive::<TimestampMillisecondType>().values();
                times.iter().map(|time| self.number(time.div_euclid(span) * span)).collect()
            }
            None => self.of_values(array),
        };
        if let Some(nulls) = array.nulls() {
            found
                .iter_mut()
                .zip(nulls)
                .filter(|(_, is_there)| !is_there)
                .for_each(|(number, _)| *number = MISSING);
        }
        found
    }

    fn of_values(&mut self, array: &ArrayRef) -> Vec<u32> {
        if let Some(texts) = array.as_dictionary_opt::<Int32Type>() {
            return self.of_texts(texts);
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
        let entries: &StringArray = texts.values().as_string();
        let numbers = match self.last.take() {
            Some((known, numbers)) if is_same(&known, entries) => numbers,
            _ => entries.iter().map(|entry| entry.map_or(MISSING, |entry| self.text(entry))).collect(),
        };
        // Keys of rows without a value are whatever stands there.
        let number = |key: &i32| numbers.get(*key as usize).copied().unwrap_or(MISSING);
        let found = texts.keys().values().iter().map(number).collect();
        self.last = Some((entries.clone(), numbers));
        found
    }

    fn text(&mut self, text: &str) -> u32 {
        if let Some(number) = self.texts.get(text) {
            return *number;
        }
        let number = self.values.len() as u32;
        self.values.push(Value::Text(text.into()));
        self.texts.insert(text.into(), number);
        number
    }

    fn number(&mut self, value: i64) -> u32 {
        if (0..SMALL).contains(&value) && self.span_ms.is_none() {
            if self.small.is_empty() {
                self.small = vec![MISSING; SMALL as usize];
            }
            if self.small[value as usize] == MISSING {
                self.small[value as usize] = self.values.len() as u32;
                self.values.push(Value::Number(value));
            }
            return self.small[value as usize];
        }
        let next = self.values.len() as u32;
        let number = *self.numbers.entry(value).or_insert(next);
        if number == next {
            self.values.push(match self.span_ms {
                Some(_) => Value::Moment(value.max(0).cast_unsigned()),
                None => Value::Number(value),
            });
        }
        number
    }
}

/// Pairs of numbers as numbers, so that several columns are grouped by two at a time.
#[derive(Debug, Default)]
pub(crate) struct Pairing {
    numbers: QuickMap<u64>,
    pairs: Vec<(u32, u32)>,
}

impl Pairing {
    /// Puts the number of each pair in the place of its first part.
    pub(crate) fn join(&mut self, firsts: &mut [u32], seconds: &[u32]) {
        for (first, second) in firsts.iter_mut().zip(seconds) {
            let next = self.pairs.len() as u32;
            let number = *self.numbers.entry((u64::from(*first) << 32) | u64::from(*second)).or_insert(next);
            if number == next {
                self.pairs.push((*first, *second));
            }
            *first = number;
        }
    }

    /// The pair of a number.
    pub(crate) fn pair(&self, number: u32) -> (u32, u32) {
        self.pairs[number as usize]
    }
}

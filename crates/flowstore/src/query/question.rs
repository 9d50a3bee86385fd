//! What is asked of a store, and the answer: groups of records with their sums, largest first.

use std::{collections::HashMap, num::NonZero};

use arrow_array::{Array, RecordBatch, cast::AsArray, types::Int64Type};

use super::{
    filter::Filter,
    groups::{Numbering, Pairing, Value},
    scan::{Scanned, scan},
};
use crate::{StoreError, limits::ANSWER_GROUPS_MAX, schema::Column, store::Store};

/// What records are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// The value of a column.
    Column(&'static Column),
    /// Spans of time of so many milliseconds, from 1970 on.
    Span(u64),
}

impl Key {
    /// The column that tells.
    const fn column(self) -> &'static str {
        match self {
            Self::Column(column) => column.name,
            Self::Span(_) => "time",
        }
    }
}

/// What is summed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Records.
    Records,
    /// Packets, both ways.
    Packets,
    /// Bytes, both ways.
    Bytes,
    /// Bytes to the destination.
    BytesToDestination,
    /// Bytes to the source.
    BytesToSource,
}

impl Measure {
    /// Every measure.
    pub const ALL: [Self; 5] =
        [Self::Records, Self::Packets, Self::Bytes, Self::BytesToDestination, Self::BytesToSource];

    /// Its name.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::Packets => "packets",
            Self::Bytes => "bytes",
            Self::BytesToDestination => "bytes_to_destination",
            Self::BytesToSource => "bytes_to_source",
        }
    }

    /// The columns that it is the sum of.
    const fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Records => &[],
            Self::Packets => &["packets_to_destination", "packets_to_source"],
            Self::Bytes => &["bytes_to_destination", "bytes_to_source"],
            Self::BytesToDestination => &["bytes_to_destination"],
            Self::BytesToSource => &["bytes_to_source"],
        }
    }
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Which records.
    pub filter: Filter,
    /// Grouped by what; without any there is one group of all.
    pub by: Vec<Key>,
    /// What is summed up; groups are in the order of the first, largest first.
    pub measures: Vec<Measure>,
    /// Groups that are wanted at most.
    pub limit: usize,
}

/// Records that have something in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What, in the order of the question.
    pub keys: Vec<Value>,
    /// What they come to, in the order of the question. Sums of 64 bits that would be larger stay at the largest.
    pub sums: Vec<u64>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The largest groups.
    pub groups: Vec<Group>,
    /// How many there are in all.
    pub groups_found: u64,
    /// What was looked at.
    pub scanned: Scanned,
}

/// Asks a store, on so many threads.
///
/// # Errors
/// [`StoreError`], also if there are more than [`ANSWER_GROUPS_MAX`] groups.
pub fn ask(store: &Store, question: &Question, threads: NonZero<usize>) -> Result<Answer, StoreError> {
    let mut columns: Vec<&str> = question.by.iter().map(|key| key.column()).collect();
    columns.extend(question.measures.iter().flat_map(|measure| measure.columns()));
    let (parts, scanned) =
        scan(store, &question.filter, &columns, threads, || Sums::new(question), Sums::add)?;
    let mut parts = parts.into_iter();
    let mut groups = match (parts.next(), parts.len()) {
        (None, _) => Vec::new(),
        (Some(only), 0) => only.groups().collect(),
        (Some(first), _) => joined(first, parts),
    };
    within(groups.len())?;
    let groups_found = groups.len() as u64;
    groups.sort_unstable_by(|a, b| b.sums.first().cmp(&a.sums.first()).then_with(|| a.keys.cmp(&b.keys)));
    groups.truncate(question.limit);
    Ok(Answer { groups, groups_found, scanned })
}

fn within(groups: usize) -> Result<(), StoreError> {
    if groups > ANSWER_GROUPS_MAX {
        let max = ANSWER_GROUPS_MAX as u64;
        return Err(StoreError::TooMuch {
            what: "groups",
            max,
            remedy: "group by less or ask for less time",
        });
    }
    Ok(())
}

/// The groups of several threads as those of one.
fn joined<'q>(first: Sums<'q>, rest: impl Iterator<Item = Sums<'q>>) -> Vec<Group> {
    let mut all: HashMap<Vec<Value>, Vec<u64>> =
        first.groups().map(|group| (group.keys, group.sums)).collect();
    for group in rest.flat_map(Sums::groups) {
        let sums = all.entry(group.keys).or_insert_with(|| vec![0; group.sums.len()]);
        sums.iter_mut().zip(group.sums).for_each(|(sum, more)| *sum = sum.saturating_add(more));
    }
    all.into_iter().map(|(keys, sums)| Group { keys, sums }).collect()
}

/// The sums of one thread.
struct Sums<'q> {
    question: &'q Question,
    numberings: Vec<Numbering>,
    /// One less than there are keys.
    pairings: Vec<Pairing>,
    /// By group: how many records, and the sum of each measure.
    counts: Vec<u64>,
    sums: Vec<Vec<u64>>,
}

impl<'q> Sums<'q> {
    fn new(question: &'q Question) -> Self {
        let numbering = |key: &Key| match key {
            Key::Column(_) => Numbering::new(None),
            Key::Span(ms) => Numbering::new(Some((*ms).max(1).cast_signed())),
        };
        Self {
            question,
            numberings: question.by.iter().map(numbering).collect(),
            pairings: question.by.iter().skip(1).map(|_| Pairing::default()).collect(),
            counts: Vec::new(),
            sums: vec![Vec::new(); question.measures.len()],
        }
    }

    fn add(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        let groups = self.groups_of(batch);
        let most = groups.iter().max().map_or(0, |most| *most as usize + 1);
        within(most)?;
        if most > self.counts.len() {
            self.counts.resize(most, 0);
            self.sums.iter_mut().for_each(|sums| sums.resize(most, 0));
        }
        groups.iter().for_each(|group| self.counts[*group as usize] += 1);
        for (measure, sums) in self.question.measures.iter().zip(&mut self.sums) {
            for column in measure.columns() {
                let array = batch.column_by_name(column).expect("the columns of the measures are read");
                let array = array.as_primitive::<Int64Type>();
                let mut add = |group: u32, value: i64| {
                    let sum = &mut sums[group as usize];
                    *sum = sum.saturating_add(value.max(0).cast_unsigned());
                };
                match array.nulls() {
                    None => groups.iter().zip(array.values()).for_each(|(group, value)| add(*group, *value)),
                    Some(_) => {
                        groups.iter().zip(array).for_each(|(group, value)| add(*group, value.unwrap_or(0)));
                    }
                }
            }
        }
        Ok(())
    }

    /// The group of each row.
    fn groups_of(&mut self, batch: &RecordBatch) -> Vec<u32> {
        let mut groups: Option<Vec<u32>> = None;
        let mut pairings = self.pairings.iter_mut();
        for (key, numbering) in self.question.by.iter().zip(&mut self.numberings) {
            let array = batch.column_by_name(key.column()).expect("the columns of the keys are read");
            let numbers = numbering.of(array);
            match &mut groups {
                None => groups = Some(numbers),
                Some(groups) => {
                    pairings.next().expect("there is one for each further key").join(groups, &numbers);
                }
            }
        }
        groups.unwrap_or_else(|| vec![0; batch.num_rows()])
    }

    /// The groups that have records.
    fn groups(self) -> impl Iterator<Item = Group> {
        let filled = (0..self.counts.len()).filter(|group| self.counts[*group] > 0).collect::<Vec<_>>();
        filled.into_iter().map(move |group| Group { keys: self.keys(group), sums: self.sums_of(group) })
    }

    fn keys(&self, group: usize) -> Vec<Value> {
        let mut numbers = Vec::with_capacity(self.numberings.len());
        let mut first = group as u32;
        for pairing in self.pairings.iter().rev() {
            let (rest, last) = pairing.pair(first);
            numbers.push(last);
            first = rest;
        }
        if !self.numberings.is_empty() {
            numbers.push(first);
        }
        self.numberings
            .iter()
            .zip(numbers.iter().rev())
            .map(|(numbering, number)| numbering.value(*number))
            .collect()
    }

    fn sums_of(&self, group: usize) -> Vec<u64> {
        let sum = |(measure, sums): (&Measure, &Vec<u64>)| match measure {
            Measure::Records => self.counts[group],
            _ => sums[group],
        };
        self.question.measures.iter().zip(&self.sums).map(sum).collect()
    }
}

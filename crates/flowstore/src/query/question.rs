//! What is asked of a store, and the answer: groups of records with their sums, largest first.

use std::num::NonZero;

use super::{
    filter::Filter,
    groups::Value,
    scan::{Scanned, scan},
    sums::Sums,
};
use crate::{StoreError, schema::Column, store::Store};

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
    pub(super) const fn column(self) -> &'static str {
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
    pub(super) const fn columns(self) -> &'static [&'static str] {
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
/// [`StoreError`], also if there are more than [`crate::limits::ANSWER_GROUPS_MAX`] groups.
pub fn ask(store: &Store, question: &Question, threads: NonZero<usize>) -> Result<Answer, StoreError> {
    let mut columns: Vec<&str> = question.by.iter().map(|key| key.column()).collect();
    columns.extend(question.measures.iter().flat_map(|measure| measure.columns()));
    let (parts, scanned) =
        scan(store, &question.filter, &columns, threads, || Sums::new(question), Sums::add)?;
    let mut parts = parts.into_iter();
    let mut sums = parts.next().unwrap_or_else(|| Sums::new(question));
    parts.try_for_each(|part| sums.join(&part))?;
    let (groups, groups_found) = sums.largest();
    Ok(Answer { groups, groups_found, scanned })
}

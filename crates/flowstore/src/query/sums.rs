//! The groups that one thread has met, and what they come to; those of several threads as those of one.
//!
//! All cells of a group lie side by side, so that a record costs one place in memory however much is summed up.

use std::cmp::Ordering;

use arrow_array::{Array, RecordBatch, cast::AsArray, types::Int64Type};

use super::{
    groups::{Numbering, Pairing, Value},
    question::{Group, Key, Measure, Question},
};
use crate::{StoreError, limits::ANSWER_GROUPS_MAX};

/// The sums of one thread.
pub(super) struct Sums<'q> {
    question: &'q Question,
    numberings: Vec<Numbering>,
    /// One less than there are keys.
    pairings: Vec<Pairing>,
    /// By group: how many records, and the sum of each measure.
    cells: Vec<u64>,
}

impl<'q> Sums<'q> {
    pub(super) fn new(question: &'q Question) -> Self {
        let takes_all = question.filter.terms.is_empty();
        let numbering = |key: &Key| match key {
            Key::Column(_) => Numbering::new(None, takes_all),
            Key::Span(ms) => Numbering::new(Some((*ms).max(1).cast_signed()), takes_all),
        };
        Self {
            question,
            numberings: question.by.iter().map(numbering).collect(),
            pairings: question.by.iter().skip(1).map(|_| Pairing::default()).collect(),
            cells: Vec::new(),
        }
    }

    /// Cells of a group.
    const fn width(&self) -> usize {
        1 + self.question.measures.len()
    }

    /// Adds the records of a batch.
    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        let groups = self.groups_of(batch);
        let more: Vec<Vec<u64>> =
            self.question.measures.iter().map(|measure| sums(*measure, batch)).collect();
        self.make_room(groups.iter().max().map_or(0, |most| *most as usize + 1))?;
        if let [more] = more.as_slice() {
            let (cells, _) = self.cells.as_chunks_mut::<2>();
            for (group, more) in groups.iter().zip(more) {
                let [count, sum] = &mut cells[*group as usize];
                *count += 1;
                *sum = sum.saturating_add(*more);
            }
            return Ok(());
        }
        let width = self.width();
        for (row, group) in groups.iter().enumerate() {
            let start = *group as usize * width;
            let (count, cells) = self.cells[start..start + width].split_at_mut(1);
            count[0] += 1;
            for (cell, more) in cells.iter_mut().zip(&more) {
                *cell = cell.saturating_add(more[row]);
            }
        }
        Ok(())
    }

    /// Adds what another thread has met.
    pub(super) fn join(&mut self, other: &Self) -> Result<(), StoreError> {
        let width = self.width();
        for group in other.groups() {
            let mut numbers =
                other.numbers(group).into_iter().zip(&other.numberings).zip(&mut self.numberings);
            let mut own = || numbers.next().map(|((number, other), own)| own.take(other, number));
            let mut joined = own().unwrap_or(0);
            for pairing in &mut self.pairings {
                joined = pairing.number(joined, own().expect("there is one for each further key"));
            }
            self.make_room(joined as usize + 1)?;
            let cells = &mut self.cells[joined as usize * width..][..width];
            let more = &other.cells[group as usize * width..][..width];
            cells.iter_mut().zip(more).for_each(|(cell, more)| *cell = cell.saturating_add(*more));
        }
        Ok(())
    }

    /// The largest groups, in their order, as many as are wanted, and how many there are in all.
    pub(super) fn largest(&self) -> (Vec<Group>, u64) {
        let mut groups: Vec<u32> = self.groups().collect();
        let (found, limit) = (groups.len() as u64, self.question.limit);
        if limit < groups.len() {
            groups.select_nth_unstable_by(limit, |a, b| self.compare(*a, *b));
            groups.truncate(limit);
        }
        groups.sort_unstable_by(|a, b| self.compare(*a, *b));
        let told = groups.iter().map(|group| Group { keys: self.keys(*group), sums: self.sums_of(*group) });
        (told.collect(), found)
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

    /// Makes cells for so many groups.
    fn make_room(&mut self, groups: usize) -> Result<(), StoreError> {
        if groups > ANSWER_GROUPS_MAX {
            let (max, remedy) = (ANSWER_GROUPS_MAX as u64, "group by less or ask for less time");
            return Err(StoreError::TooMuch { what: "groups", max, remedy });
        }
        let cells = groups * self.width();
        if cells > self.cells.len() {
            self.cells.resize(cells, 0);
        }
        Ok(())
    }

    /// The groups that have records.
    fn groups(&self) -> impl Iterator<Item = u32> + use<'_, 'q> {
        let cells = self.cells.chunks(self.width()).enumerate();
        cells.filter(|(_, cells)| cells[0] > 0).map(|(group, _)| group as u32)
    }

    /// The numbers of a group's values, key by key.
    fn numbers(&self, group: u32) -> Vec<u32> {
        let mut numbers = Vec::with_capacity(self.numberings.len());
        let mut first = group;
        for pairing in self.pairings.iter().rev() {
            let (rest, last) = pairing.pair(first);
            numbers.push(last);
            first = rest;
        }
        if !self.numberings.is_empty() {
            numbers.push(first);
        }
        numbers.reverse();
        numbers
    }

    fn keys(&self, group: u32) -> Vec<Value> {
        let numbers = self.numbers(group).into_iter().zip(&self.numberings);
        numbers.map(|(number, numbering)| numbering.value(number)).collect()
    }

    fn sums_of(&self, group: u32) -> Vec<u64> {
        (0..self.question.measures.len()).map(|measure| self.sum(group, measure)).collect()
    }

    fn sum(&self, group: u32, measure: usize) -> u64 {
        let cells = &self.cells[group as usize * self.width()..];
        if self.question.measures[measure] == Measure::Records { cells[0] } else { cells[1 + measure] }
    }

    /// The order of an answer: larger sums of the first measure first, then in the order of the values.
    fn compare(&self, a: u32, b: u32) -> Ordering {
        let by_sum = match self.question.measures.first() {
            Some(_) => self.sum(b, 0).cmp(&self.sum(a, 0)),
            None => Ordering::Equal,
        };
        by_sum.then_with(|| {
            let pairs = self.numbers(a).into_iter().zip(self.numbers(b)).zip(&self.numberings);
            let by_value = pairs.map(|((a, b), numbering)| numbering.compare(a, b));
            by_value.fold(Ordering::Equal, Ordering::then)
        })
    }
}

/// What each row adds to a measure other than the number of records.
fn sums(measure: Measure, batch: &RecordBatch) -> Vec<u64> {
    let mut sums = vec![0_u64; batch.num_rows()];
    for column in measure.columns() {
        let array = batch.column_by_name(column).expect("the columns of the measures are read");
        let array = array.as_primitive::<Int64Type>();
        let add = |(sum, value): (&mut u64, i64)| *sum = sum.saturating_add(value.max(0).cast_unsigned());
        match array.nulls() {
            None => sums.iter_mut().zip(array.values().iter().copied()).for_each(add),
            Some(_) => sums.iter_mut().zip(array.iter().map(|value| value.unwrap_or(0))).for_each(add),
        }
    }
    sums
}

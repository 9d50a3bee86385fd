//! The rule lists that a new flow is judged by, from small to as large as lists get.

use std::path::Path;

use palisade_arm::service_tags;
use palisade_classify::{
    Row,
    generate::{self, Shape},
};
use palisade_net::{AddressSet, Family};

use super::super::Options;
use crate::{
    error::{Error, Result},
    report::Case,
};

/// Seed of the generated rules.
const SEED: u64 = 7;
/// Rules of the large lists.
const RULES: usize = 1_000;

/// A kind of list.
#[derive(Debug)]
pub(super) struct List {
    /// As it is printed.
    pub name: &'static str,
    /// The rules of one list.
    pub rows: Vec<Row>,
    size: Size,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    Few,
    Nsg,
    Huge,
}

/// Rules with four prefixes a side.
pub(super) fn nsg(rules: usize) -> Vec<Row> {
    generate::policy(&Shape::nsg(rules), SEED)
}

impl List {
    /// Every kind, the smallest first.
    pub fn all(options: &Options) -> Result<Vec<Self>> {
        let (name, tagged) = match &options.service_tags {
            Some(path) => ("1,000 rules, every service tag", with_tags(path)?),
            None => (
                "1,000 rules, tags of 90,000 prefixes",
                generate::policy(&Shape { tags: 30, ..Shape::nsg_with_tags(RULES) }, SEED),
            ),
        };
        let broad = Shape { prefixes: RULES * 100, ..Shape::nsg(RULES) };
        Ok(vec![
            Self { name: "10 rules", rows: nsg(10), size: Size::Few },
            Self { name: "1,000 rules, 4,000 prefixes a side", rows: nsg(RULES), size: Size::Nsg },
            Self { name, rows: tagged, size: Size::Huge },
            Self {
                name: "1,000 rules, 100,000 prefixes a side",
                rows: generate::policy(&broad, SEED),
                size: Size::Huge,
            },
        ])
    }

    /// The families that are measured with it.
    pub fn families(&self) -> Vec<Family> {
        if self.size == Size::Huge { vec![Family::V4] } else { Family::ALL.to_vec() }
    }

    /// The cases with the goals of this kind of list; `few` are those of the smallest.
    pub fn judge(&self, cases: Vec<Case>, few: &[Case]) -> Vec<Case> {
        let judged = cases.into_iter().map(|case| {
            let same = |other: &&Case| {
                other.name == case.name && other.parameter("family") == case.parameter("family")
            };
            let reference = few.iter().find(same).map_or(f64::INFINITY, |case| case.ours);
            let (bound, times) = match (case.name, self.size) {
                ("hook/verdict", Size::Nsg) => (120.0, Some(1.5)),
                ("hook/verdict", Size::Huge) => (240.0, None),
                ("hook/verdict", Size::Few) => (120.0, None),
                ("hook/denied again", _) => return case,
                (_, Size::Huge) => (1_400.0, None),
                _ => (700.0, None),
            };
            let ours = case.ours;
            let case = case.at_most(bound);
            match times {
                Some(times) => case.goal(format!("at most {times}x of 10 rules"), ours <= times * reference),
                None => case,
            }
        });
        judged.collect()
    }
}

/// 1,000 rules that together name every tag of Microsoft's file as who sends the first packet.
fn with_tags(path: &Path) -> Result<Vec<Row>> {
    let refused = |reason: String| Error::File { path: path.display().to_string(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
    let file = service_tags::read(&text).map_err(|error| refused(error.to_string()))?;
    let mut rows = nsg(RULES);
    let users = rows.len();
    for (index, row) in rows.iter_mut().enumerate() {
        let tags = file.tags.iter().skip(index).step_by(users);
        row.sources =
            row.sources.union(&tags.flat_map(|tag| tag.prefixes.iter().copied()).collect::<AddressSet>());
    }
    Ok(rows)
}

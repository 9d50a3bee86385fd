//! One file per check; each takes the same input and returns what it found.

mod edges;
mod externals;
mod licences;
mod links;
mod manifests;
mod preamble;
mod purity;
mod spdx;
mod style;
mod unused;

use crate::problem::Problem;
use crate::tree::File;
use crate::workspace::Workspace;

/// What a check may look at.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) workspace: Workspace,
    pub(crate) files: Vec<File>,
}

type Check = fn(&Input) -> Vec<Problem>;

/// Every check with the name under which it reports.
pub(crate) const ALL: &[(&str, Check)] = &[
    ("edges", edges::check),
    ("externals", externals::check),
    ("unused", unused::check),
    ("licences", licences::check),
    ("purity", purity::check),
    ("preamble", preamble::check),
    ("manifests", manifests::check),
    ("style", style::check),
    ("links", links::check),
];

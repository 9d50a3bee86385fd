//! The journal of a revert: what is going to be done, and what has been, each durable before the next thing begins.
//!
//! One line a record, with the number and a checksum; a torn last line was never there. Whoever finds a journal goes on with the first step that
//! it does not call done.

use std::{
    fs,
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Plan, RevertError, Step};
use crate::files::{self, FileError};

/// Bytes of a journal.
pub const JOURNAL_MAX: u64 = 16 << 20;

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Record {
    /// What is going to be done.
    Planned(Box<Plan>),
    /// A step has been done, and what is worth remembering of it.
    Done {
        /// Which.
        step: Step,
        /// Seconds since 1970.
        at: u64,
        /// What came of it.
        note: String,
    },
    /// It was given up; nothing of the machine has been replaced.
    Abandoned {
        /// Seconds since 1970.
        at: u64,
    },
}

/// A journal and its file.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    records: Vec<Record>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    sum: String,
    record: Record,
}

impl Journal {
    /// Begins a journal with a plan.
    pub(super) fn begin(path: &Path, plan: Plan) -> Result<Self, RevertError> {
        let mut journal = Self { path: path.to_owned(), records: Vec::new() };
        journal.add(Record::Planned(Box::new(plan)))?;
        files::sync_folder(path).map_err(FileError::at("write", path))?;
        Ok(journal)
    }

    /// Reads a journal, if there is one.
    pub(super) fn find(path: &Path) -> Result<Option<Self>, RevertError> {
        if !path.exists() {
            return Ok(None);
        }
        let bytes = files::read_at_most(path, JOURNAL_MAX)?;
        let text = String::from_utf8_lossy(&bytes);
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let mut journal = Self { path: path.to_owned(), records: Vec::new() };
        for (index, line) in text[..whole].lines().enumerate() {
            let broken = || RevertError::Journal { path: path.to_owned(), line: index + 1 };
            let line: Line = serde_json::from_str(line).map_err(|_| broken())?;
            if line.sum != journal.sum(&line.record) {
                return Err(broken());
            }
            journal.records.push(line.record);
        }
        if whole < bytes.len() {
            // Nothing was done because of it, since it was not durable.
            files::replace(path, &bytes[..whole])?;
        }
        match journal.records.first() {
            // The crash was in the first line: nothing has been done.
            None => fs::remove_file(path)
                .map_err(FileError::at("delete", path))
                .map(|()| None)
                .map_err(Into::into),
            Some(Record::Planned(_)) => Ok(Some(journal)),
            Some(_) => Err(RevertError::Journal { path: path.to_owned(), line: 1 }),
        }
    }

    /// What was planned.
    pub fn plan(&self) -> &Plan {
        match &self.records[0] {
            Record::Planned(plan) => plan,
            _ => unreachable!("a journal begins with its plan"),
        }
    }

    /// What was done of a step.
    pub fn note(&self, wanted: Step) -> Option<&str> {
        self.records.iter().find_map(|record| match record {
            Record::Done { step, note, .. } if *step == wanted => Some(note.as_str()),
            _ => None,
        })
    }

    /// Everything, in order.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Adds a record, durable before this returns.
    pub(super) fn add(&mut self, record: Record) -> Result<(), RevertError> {
        let line = Line { sum: self.sum(&record), record };
        let mut text = serde_json::to_string(&line).expect("records are plain data");
        text.push('\n');
        files::append(&self.path, &text)?;
        self.records.push(line.record);
        Ok(())
    }

    /// Puts the finished journal where it is kept.
    pub(super) fn archive(self, to: &Path) -> Result<Self, RevertError> {
        let text = fs::read(&self.path).map_err(FileError::at("read", &self.path))?;
        files::replace(to, &text)?;
        let gone = fs::remove_file(&self.path).and_then(|()| files::sync_folder(&self.path));
        gone.map_err(FileError::at("delete", &self.path))?;
        Ok(Self { path: to.to_owned(), ..self })
    }

    /// Over the record and its place, so that no line passes for another.
    fn sum(&self, record: &Record) -> String {
        let text = serde_json::to_vec(record).expect("records are plain data");
        let number = (self.records.len() as u64).to_be_bytes();
        HEXLOWER.encode(&Sha256::new().chain_update(number).chain_update(text).finalize()[..8])
    }
}

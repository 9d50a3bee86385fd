//! Files of others become records of a store, all or none.

use std::path::PathBuf;

use palisade_flowlog::{Counts, FlowLogError, Limits, Problem, Told, read_whole};

use super::{
    azure::{self, Lists},
    line::{self, Meaning},
    names::Known,
    running::Running,
};
use crate::{
    StoreError, staging,
    store::Store,
    writer::{FlowWriter, Written},
};

/// What was imported.
#[derive(Debug)]
pub struct Imported {
    /// What was read.
    pub counts: Counts,
    /// What could not be read, the first of it.
    pub problems: Vec<Problem>,
    /// What was written.
    pub written: Written,
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The files cannot be read.
    #[error(transparent)]
    Log(#[from] FlowLogError),
    /// The store cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is nothing in them.
    #[error(
        "the files hold no flow: {first} (name flow logs of Azure's or lines of `palisade flows tail --format json`)"
    )]
    Nothing {
        /// The first thing that could not be read.
        first: String,
    },
}

/// Reads files and folders into a store. If it fails or is killed, nothing of it is in view; if it is killed while the whole of it comes into
/// view, the next import or compaction ends that.
///
/// # Errors
/// [`ImportError`]. What is wrong inside a file is told with its place, and the rest is imported.
pub fn import(store: &Store, paths: &[PathBuf]) -> Result<Imported, ImportError> {
    staging::settle(store, 0)?;
    let mut writer = FlowWriter::staged(store.clone());
    match read(&mut writer, paths) {
        Ok((counts, problems)) => {
            let written = writer.written();
            writer.publish()?;
            Ok(Imported { counts, problems, written })
        }
        Err(error) => {
            writer.take_back()?;
            Err(error)
        }
    }
}

fn read(writer: &mut FlowWriter, paths: &[PathBuf]) -> Result<(Counts, Vec<Problem>), ImportError> {
    let (mut lists, mut known, mut running) = (Lists::default(), Known::default(), Running::default());
    let (mut lost, mut failed) = (0, None);
    let (mut counts, problems) = read_whole(paths, Limits::default(), &mut |told| {
        let record = match told {
            Told::Tuple(logged) => azure::record(&logged, &mut lists),
            Told::Line(text) => match line::read(text, &mut known, &mut running)? {
                Meaning::Record(record) => *record,
                Meaning::Lost(count) => {
                    lost += count;
                    return Ok(());
                }
                Meaning::Other => return Ok(()),
            },
        };
        record.is_kept().map_err(|error| error.to_string())?;
        if failed.is_none() {
            failed = writer.append(record, 0).err();
        }
        Ok(())
    })?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    writer.flush()?;
    counts.lost = lost;
    counts.flows = writer.written().records;
    if counts.flows == 0 {
        let first = problems.first().map_or_else(|| "they are empty".to_owned(), ToString::to_string);
        return Err(ImportError::Nothing { first });
    }
    Ok((counts, problems))
}

//! The flow store: from records to Parquet, and questions about a day of them.
//!
//! Made-up records are written to a folder and asked about, and the folder is removed. Records a second are of the processor's time, since
//! one core is asked for and a machine does other things beside it; questions are of the clock.

mod measure;
mod workload;

use std::{num::NonZero, path::Path, thread};

use crate::{error::Result, report::Case, scratch::Scratch};

/// Records of the thorough run, and of the quick one.
const RECORDS: [usize; 2] = [100_000_000, 2_000_000];
/// Records that are written to say how fast that is.
const WRITTEN: [usize; 2] = [8_000_000, 1_000_000];

/// Records to Parquet on one core.
///
/// # Errors
/// The store's.
pub(super) fn write(scratch: &Path, is_quick: bool) -> Result<Vec<Case>> {
    let folder = Scratch::make(scratch)?;
    let wrote = measure::write(folder.path(), WRITTEN[usize::from(is_quick)])?;
    let rate = wrote.records as f64 / wrote.taken.processor.as_secs_f64().max(0.01);
    let case = Case::new("write/records", rate, "records/s")
        .with("records", wrote.records)
        .with("bytes a record", (wrote.bytes as f64 / wrote.records as f64 * 10.0).round() / 10.0);
    Ok(vec![case.goal("at least 1,000,000 records/s", rate >= 1e6)])
}

/// Questions about many records on all cores.
///
/// # Errors
/// The store's.
pub(super) fn query(scratch: &Path, is_quick: bool, tell: &mut dyn FnMut(&str)) -> Result<Vec<Case>> {
    let folder = Scratch::make(scratch)?;
    let records = RECORDS[usize::from(is_quick)];
    let threads = thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
    let records = measure::fill(folder.path(), records, threads, tell)?;
    tell("questions are asked");
    let asked = measure::questions(folder.path(), threads)?;
    let case = |asked: measure::Asked| {
        let case = Case::new("query/time", asked.taken.wall.as_secs_f64(), "s")
            .with("question", asked.name)
            .with("records", records)
            .with("threads", threads.get() as u64)
            .with("groups", asked.groups)
            .with("bytes read", asked.scanned.bytes);
        if is_quick { case } else { case.at_most(3.0) }
    };
    Ok(asked.into_iter().map(case).collect())
}

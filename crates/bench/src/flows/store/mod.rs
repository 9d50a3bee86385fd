//! The flow store: from records to Parquet, and questions about a day of them.
//!
//! Made-up records are written to a folder and asked about, and the folder is removed. Records a second are of the processor's time, since
//! one core is asked for and a machine does other things beside it; questions are of the clock.

mod measure;
mod workload;

use std::{num::NonZero, path::Path, thread};

use palisade_flowstore::limits::OPEN_RECORDS_MAX;

use crate::{error::Result, report::Case, scratch::Scratch};

/// Records of the thorough run, and of the quick one.
const RECORDS: [usize; 2] = [100_000_000, 2_000_000];
/// Records that are written to say how fast that is.
const WRITTEN: [usize; 2] = [8_000_000, 1_000_000];
/// Open records at which a server commits.
const COMMITTED: usize = 16_000;

/// Records to Parquet on one core: as many in a file as a writer holds, and as few as a server commits while hosts wait for its answer.
///
/// # Errors
/// The store's.
pub(super) fn write(scratch: &Path, is_quick: bool) -> Result<Vec<Case>> {
    let records = WRITTEN[usize::from(is_quick)];
    let one = |name, open| -> Result<(Case, f64)> {
        let folder = Scratch::make(scratch)?;
        let wrote = measure::write(folder.path(), records, open)?;
        let rate = wrote.records as f64 / wrote.taken.processor.as_secs_f64().max(0.01);
        let case = Case::new(name, rate, "records/s")
            .with("records", wrote.records)
            .with("records a flush", open as u64)
            .with("bytes a record", (wrote.bytes as f64 / wrote.records as f64 * 10.0).round() / 10.0);
        Ok((case, rate))
    };
    let (full, rate) = one("write/records", OPEN_RECORDS_MAX)?;
    let (few, _) = one("write/commits", COMMITTED)?;
    Ok(vec![full.goal("at least 1,000,000 records/s", rate >= 1e6), few])
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

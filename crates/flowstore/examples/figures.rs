//! The figures of `docs/flows.md`: `cargo run --release -p palisade-flowstore --example figures -- FOLDER RECORDS [keep]`.
//!
//! Measures what `palisade bench flows` does, without the rest of the program. The folder is removed at the end unless it shall be kept.

#[path = "../../bench/src/flows_store/measure.rs"]
mod measure;
#[path = "../../bench/src/flows_store/workload.rs"]
mod workload;

use std::{env, error::Error, fs, num::NonZero, path::Path, thread};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [folder, records, keep @ ..] = arguments.as_slice() else {
        return Err("give a folder that is not there yet, and a number of records".into());
    };
    let (folder, records) = (Path::new(folder), records.parse::<usize>()?);
    if !folder.exists() {
        let wrote = measure::write(folder, records, true)?;
        let seconds = wrote.taken.processor.as_secs_f64();
        println!(
            "{} records, {:.1} bytes each: {:.0} a second of the processor's time ({seconds:.1} s; {:.1} s by the clock)",
            wrote.records,
            wrote.bytes as f64 / wrote.records as f64,
            wrote.records as f64 / seconds,
            wrote.taken.wall.as_secs_f64()
        );
    }
    let threads = thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
    for asked in measure::questions(folder, threads)? {
        println!(
            "{}: {:.2} s by the clock, {:.2} s of the processor, {} groups, {} of {} row groups, {:.1} MB",
            asked.name,
            asked.taken.wall.as_secs_f64(),
            asked.taken.processor.as_secs_f64(),
            asked.groups,
            asked.scanned.row_groups_read,
            asked.scanned.row_groups,
            asked.scanned.bytes as f64 / 1e6
        );
    }
    if keep.is_empty() {
        fs::remove_dir_all(folder)?;
    }
    Ok(())
}

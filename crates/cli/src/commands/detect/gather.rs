//! Everything that the command is given, read: files, folders and standard input.
//!
//! A file that is named and holds nothing that can be read ends the command; one of a folder is only told of. It must not judge.

use std::{
    collections::BTreeSet,
    fs::File,
    io,
    ops::Range,
    os::unix::fs::FileTypeExt as _,
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::{Duration, SystemTime},
};

use palisade_flowlog::{ConnectionLog, ConnectionReader, FlowLogError, Origin, Taken, connection_files};
use palisade_guard::{Joined, join};
use palisade_net::Prefix;

use super::{progress, stored};
use crate::exit::Failure;

/// Problems that are printed before the rest is only counted.
const PROBLEMS_SHOWN: usize = 10;
/// How standard input is named on the command line, and in problems.
const STDIN: &str = "-";
/// A wait for a writer that is over before this is not worth a word.
const SILENT: Duration = Duration::from_millis(400);

/// What was read.
#[derive(Debug)]
pub struct Gathered {
    /// Connections.
    pub log: ConnectionLog,
    /// Logons, with their addresses as far as they can be known.
    pub logons: Joined,
    /// Files, standard input included.
    pub files: usize,
}

/// Reads all of it, of flow stores what is of a span of time; prints to stderr what cannot be read.
pub fn read(
    paths: &[PathBuf],
    guarded: &[Prefix],
    max: usize,
    span: Range<u64>,
) -> Result<Gathered, Failure> {
    let (stores, paths): (Vec<PathBuf>, Vec<PathBuf>) =
        paths.iter().cloned().partition(|path| stored::is_one(path));
    let files = connection_files(&paths).map_err(failed)?;
    let named: BTreeSet<&PathBuf> = paths.iter().collect();
    let mut reader = ConnectionReader::new(guarded.to_vec(), max);
    let mut unread = Vec::new();
    for file in &files {
        progress(&format!("reading {}", file.display()));
        let taken = one(&mut reader, file).map_err(failed)?;
        if taken.items == 0 && taken.problems > 0 && named.contains(file) {
            unread.push(file.as_path());
        }
    }
    for store in &stores {
        progress(&format!("reading {}", store.display()));
        stored::read(&mut reader, store, &span)?;
    }
    let mut log = reader.finish();
    if !unread.is_empty() {
        return Err(Failure::inputs(unread.into_iter().map(|file| why_unread(&log, file))));
    }
    warn(&log);
    let logons = join(std::mem::take(&mut log.events), &log.connections);
    Ok(Gathered { log, logons, files: files.len() + stores.len() })
}

fn one(reader: &mut ConnectionReader, file: &Path) -> Result<Taken, FlowLogError> {
    if file == Path::new(STDIN) {
        let origin = Origin { bytes: 0, written: SystemTime::now() };
        return reader.read_stream(io::stdin().lock(), Path::new("stdin"), origin);
    }
    if std::fs::metadata(file).is_ok_and(|found| found.file_type().is_fifo()) {
        let failed = |source| FlowLogError::Io { file: file.to_owned(), source };
        let origin = Origin { bytes: 0, written: SystemTime::now() };
        return reader.read_stream(opened(file).map_err(failed)?, file, origin);
    }
    reader.read_file(file)
}

/// A named pipe, once somebody has opened it to write. Until then opening it waits, which is said if it lasts.
fn opened(pipe: &Path) -> io::Result<File> {
    thread::scope(|scope| {
        let (tell, told) = mpsc::channel();
        let opening = scope.spawn(move || {
            let file = File::open(pipe);
            // Whoever waits may have gone on to wait for the thread itself.
            let _heard = tell.send(());
            file
        });
        if told.recv_timeout(SILENT).is_err() {
            eprintln!("waiting for a writer of the pipe {} (Ctrl-C ends it)", pipe.display());
        }
        opening.join().expect("opening a file does not panic")
    })
}

/// The first thing that is wrong with a file.
fn why_unread(log: &ConnectionLog, file: &Path) -> String {
    let name = if file == Path::new(STDIN) { Path::new("stdin") } else { file };
    let first = log.problems.iter().find(|problem| problem.file == name);
    first.map_or_else(|| format!("{}: nothing in it can be read", name.display()), ToString::to_string)
}

fn warn(log: &ConnectionLog) {
    for problem in log.problems.iter().take(PROBLEMS_SHOWN) {
        eprintln!("warning: {problem}");
    }
    let shown = log.problems.len().min(PROBLEMS_SHOWN) as u64;
    if log.malformed > shown {
        eprintln!("warning: and {} more that could not be read", log.malformed - shown);
    }
    if log.untracked > 0 {
        eprintln!("warning: of {} flows only the last record was used: too many were open", log.untracked);
    }
}

pub(super) fn failed(error: FlowLogError) -> Failure {
    Failure::input(format!("{:#}", anyhow::Error::new(error)))
}

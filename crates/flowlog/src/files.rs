//! Which files a reading is of: those that are named, and those of folders that look like logs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::FlowLogError;

/// How names of flow logs in folders end. A file that is named itself may be called anything.
pub(crate) const LOG_ENDINGS: &[&str] = &["json", "jsonl", "ndjson", "log", "gz"];
/// How names of all that detectors take end.
pub(crate) const CONNECTION_ENDINGS: &[&str] =
    &["json", "jsonl", "ndjson", "log", "gz", "binetflow", "csv", "pcap", "pcapng", "cap", "evtx"];
/// How deep folders may be nested: the layout of Azure's storage takes 16.
const DEPTH_MAX: usize = 64;

/// The event logs of Windows that paths mean: files that are named, and of folders those whose names end so.
///
/// # Errors
/// [`FlowLogError`] of a folder that cannot be listed, or has none.
pub fn event_log_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, FlowLogError> {
    below(paths, &["evtx"])
}

/// The files, those of folders in the order of their names, which is that of time in the layout of Azure's storage.
pub(crate) fn below(paths: &[PathBuf], endings: &[&str]) -> Result<Vec<PathBuf>, FlowLogError> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let before = files.len();
        walk(path, endings, 0, &mut files)?;
        if files.len() == before {
            let endings = endings.join(", .");
            return Err(FlowLogError::NoFiles { folder: path.clone(), endings });
        }
    }
    Ok(files)
}

fn walk(folder: &Path, endings: &[&str], depth: usize, files: &mut Vec<PathBuf>) -> Result<(), FlowLogError> {
    if depth > DEPTH_MAX {
        return Err(FlowLogError::TooMuch { what: "folders in folders", max: DEPTH_MAX as u64 });
    }
    let read = |source| FlowLogError::Io { file: folder.to_owned(), source };
    let mut entries = fs::read_dir(folder).map_err(read)?.collect::<Result<Vec<_>, _>>().map_err(read)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let kind = entry.file_type().map_err(read)?;
        if kind.is_dir() {
            walk(&path, endings, depth + 1, files)?;
        } else if is_named_so(&entry.file_name().to_string_lossy(), endings) && path.is_file() {
            files.push(path);
        }
    }
    Ok(())
}

/// Whether a name ends so, also behind the number or the date that rotation gave it: `auth.log.1`, `auth.log-20260131`.
fn is_named_so(name: &str, endings: &[&str]) -> bool {
    let bare = name.trim_end_matches(|digit: char| digit.is_ascii_digit());
    let bare = bare.strip_suffix(['.', '-']).filter(|_| bare.len() < name.len()).unwrap_or(name);
    let ending = bare.rsplit_once('.').map(|(_, ending)| ending);
    ending.is_some_and(|ending| endings.iter().any(|log| ending.eq_ignore_ascii_case(log)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for name in ["auth.log", "auth.log.1", "auth.log-20260131", "a.PCAP", "auth.log.2.gz", "h=01.json"] {
            assert!(is_named_so(name, CONNECTION_ENDINGS), "{name}");
        }
        for name in ["auth", "log", "a.log.old", "a.log1", "a.1", "1", "", ".-1", "a.log.", "a.log-"] {
            assert!(!is_named_so(name, CONNECTION_ENDINGS), "{name}");
        }
    }
}

//! The files a commit would hold: tracked ones, and new ones that are not ignored.
//!
//! Git is asked, so that build output and fuzzing corpora never need a second list of exclusions. Files that
//! are not UTF-8 are not text and no check looks at them.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// One text file.
#[derive(Debug, Clone)]
pub(crate) struct File {
    /// Relative to the root of the repository, with `/`.
    pub(crate) path: String,
    /// The whole text.
    pub(crate) text: String,
}

impl File {
    /// The part of the name after the last dot; the whole name for `Makefile` and its like.
    pub(crate) fn extension(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or(&self.path);
        name.rsplit('.').next().unwrap_or(name)
    }

    /// Lines with their number, counted from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// Whether the file holds tests only: `tests.rs`, or anything in a folder of tests or benchmarks.
    pub(crate) fn is_test(&self) -> bool {
        let mut parts = self.path.rsplit('/');
        let name = parts.next().unwrap_or_default();
        name == "tests.rs" || parts.any(|folder| folder == "tests" || folder == "benches")
    }
}

/// Reads all text files under `root`, sorted by path.
pub(crate) fn read(root: &Path) -> Result<Vec<File>> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .context("git could not be started; tidy asks it which files belong to the project")?;
    ensure!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr).trim());
    let listing = String::from_utf8(output.stdout).context("a file name is not UTF-8")?;
    let mut paths: Vec<&str> = listing.split_terminator('\0').collect();
    paths.sort_unstable();
    paths.dedup();
    Ok(paths.into_iter().filter_map(|path| text_file(root, path)).collect())
}

/// `None` for what is no text, and for what is in the index but was just removed from the tree.
fn text_file(root: &Path, path: &str) -> Option<File> {
    let text = std::fs::read_to_string(root.join(path)).ok()?;
    Some(File { path: path.to_owned(), text })
}

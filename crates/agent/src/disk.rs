//! Files that are replaced in one step and never written in place, so that a reader and a crash see one version or the other.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What a file must outlive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outlives {
    /// The process. After a loss of power there may be the version before, or what nobody can read.
    Process,
    /// A loss of power too: it is on the medium before it takes the place of the version before.
    Power,
}

/// Writes beside the file, and renames. The new file is of `mode`.
pub(crate) fn replace(path: &Path, mode: u32, parts: &[&[u8]], outlives: Outlives) -> io::Result<()> {
    let beside = beside(path);
    if let Err(error) = fs::remove_file(&beside)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut file = File::options().write(true).create_new(true).mode(mode).open(&beside)?;
    for part in parts {
        file.write_all(part)?;
    }
    if outlives == Outlives::Process {
        return fs::rename(&beside, path);
    }
    file.sync_all()?;
    fs::rename(&beside, path)?;
    path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}

/// Where the next version is written.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

/// Makes a directory that belongs to its owner alone, unless it is there.
pub(crate) fn private_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

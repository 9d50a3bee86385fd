//! What several parts do with files: whole or not at all, durable before they go on, and seen before they are used.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;
use nix::fcntl::{FcntlArg, Flock, FlockArg, fcntl};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// A file that could not be used.
#[derive(Debug, Error)]
#[error("cannot {doing} {}", path.display())]
pub struct FileError {
    doing: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl FileError {
    pub(crate) fn at<'p>(doing: &'static str, path: &'p Path) -> impl FnOnce(io::Error) -> Self + use<'p> {
        move |source| Self { doing, path: path.to_owned(), source }
    }
}

/// Puts a file in place as a whole, durable.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let new = with_ending(path, ".new");
    let write = || {
        let mut file = File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        sync_folder(path)
    };
    write().map_err(FileError::at("write", path))
}

/// Adds to the end of a file, which is made if it is not there; durable.
pub(crate) fn append(path: &Path, text: &str) -> Result<(), FileError> {
    let write = || {
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(FileError::at("write", path))
}

/// Makes what was done in a file's folder durable.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// A path with more at the end of its name.
pub(crate) fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

pub(crate) fn read_at_most(path: &Path, max: u64) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(max + 1).read_to_end(&mut bytes));
    let read = read.and_then(|length| {
        if length as u64 > max {
            Err(io::Error::other(format!("it has more than {max} bytes")))
        } else {
            Ok(())
        }
    });
    read.map_err(FileError::at("read", path)).map(|()| bytes)
}

pub(crate) fn set_mode(path: &Path, mode: u32) -> Result<(), FileError> {
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(FileError::at("change the mode of", path))
}

/// The SHA-256 of a file as `sha256sum` prints it, and its length.
pub(crate) fn sha256(path: &Path) -> Result<(String, u64), FileError> {
    let hash = || {
        let mut file = File::open(path)?;
        let (mut hasher, mut buffer, mut length) = (Sha256::new(), vec![0; 1 << 20], 0);
        loop {
            let filled = file.read(&mut buffer)?;
            if filled == 0 {
                return Ok((HEXLOWER.encode(&hasher.finalize()), length));
            }
            hasher.update(&buffer[..filled]);
            length += filled as u64;
        }
    };
    hash().map_err(FileError::at("read", path))
}

/// Whether two paths are one file.
pub(crate) fn is_same(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino())).ok();
    identity(one).is_some_and(|one| Some(one) == identity(other))
}

/// Whether somebody has a disk open: QEMU marks bytes of the files that it uses.
pub(crate) fn is_in_use(path: &Path) -> Result<bool, FileError> {
    let probe = || {
        let file = OpenOptions::new().read(true).open(path)?;
        let mut lock = nix::libc::flock {
            l_type: nix::libc::F_WRLCK as i16,
            l_whence: nix::libc::SEEK_SET as i16,
            l_start: 0,
            l_len: 0,
            l_pid: 0,
        };
        fcntl(&file, FcntlArg::F_OFD_GETLK(&mut lock))?;
        Ok(lock.l_type != nix::libc::F_UNLCK as i16)
    };
    probe().map_err(FileError::at("ask who uses", path))
}

/// Holds a machine for one who changes its states, as long as the value lives.
#[derive(Debug)]
pub(crate) struct Hold(#[allow(dead_code, reason = "the lock ends with it")] Flock<File>);

impl Hold {
    /// Nothing, if somebody else holds it.
    pub(crate) fn take(path: &Path) -> Result<Option<Self>, FileError> {
        let open = OpenOptions::new().create(true).truncate(false).write(true).open(path);
        let file = open.map_err(FileError::at("open", path))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Some(Self(lock))),
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, error)) => Err(FileError::at("lock", path)(error.into())),
        }
    }
}

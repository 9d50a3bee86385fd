//! A folder as the root of a machine: links in it are followed as if it were the root, so that none leads out of it.

use std::{
    fs::{File, Metadata},
    io::{self, Read as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use nix::{
    dir::Dir,
    errno::Errno,
    fcntl::{OFlag, OpenHow, ResolveFlag, openat2},
};
use palisade_guest::{Files, FilesError, Meta, NAMES_MAX};

/// A folder.
#[derive(Debug)]
pub struct Folder {
    root: File,
}

impl Folder {
    /// Opens a folder.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(Self { root: File::options().read(true).custom_flags(flags.bits()).open(path)? })
    }

    /// Opens what a path means in it; `None` if there is nothing.
    fn at(&self, path: &str, flags: OFlag) -> Result<Option<File>, FilesError> {
        // A pipe or a terminal must not make us wait, nor become ours.
        let calm = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        // What is not opened takes no such flags.
        let flags = if flags.contains(OFlag::O_PATH) { flags } else { flags | calm } | OFlag::O_CLOEXEC;
        let resolve = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
        let how = OpenHow::new().flags(flags).resolve(resolve);
        match openat2(&self.root, path, how) {
            Ok(file) => Ok(Some(File::from(file))),
            Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(None),
            Err(error) => Err(FilesError::new(path, error.to_string())),
        }
    }

    fn metadata(file: &File, path: &str) -> Result<Metadata, FilesError> {
        file.metadata().map_err(|error| FilesError::new(path, error.to_string()))
    }
}

impl Files for Folder {
    fn read(&self, path: &str, max: usize) -> Result<Option<Vec<u8>>, FilesError> {
        let Some(known) = self.at(path, OFlag::O_PATH)? else { return Ok(None) };
        if !Self::metadata(&known, path)?.is_file() {
            return Err(FilesError::new(path, "it is no file"));
        }
        let Some(file) = self.at(path, OFlag::O_RDONLY)? else { return Ok(None) };
        let mut bytes = Vec::new();
        let read = file.take(max as u64 + 1).read_to_end(&mut bytes);
        read.map_err(|error| FilesError::new(path, error.to_string()))?;
        if bytes.len() > max {
            return Err(FilesError::new(path, format!("it has more than {max} bytes")));
        }
        Ok(Some(bytes))
    }

    fn names(&self, path: &str) -> Result<Vec<String>, FilesError> {
        let Some(folder) = self.at(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY)? else {
            return Ok(Vec::new());
        };
        let bad = |error: Errno| FilesError::new(path, error.to_string());
        let mut names = Vec::new();
        for entry in Dir::from_fd(folder.into()).map_err(bad)?.iter() {
            let name = entry.map_err(bad)?.file_name().to_string_lossy().into_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
            if names.len() > NAMES_MAX {
                return Err(FilesError::new(path, format!("it has more than {NAMES_MAX} names")));
            }
        }
        Ok(names)
    }

    fn meta(&self, path: &str) -> Result<Option<Meta>, FilesError> {
        let Some(file) = self.at(path, OFlag::O_PATH)? else { return Ok(None) };
        let metadata = Self::metadata(&file, path)?;
        Ok(Some(Meta {
            is_folder: metadata.is_dir(),
            mode: Some(metadata.permissions().mode() & 0o7777),
            owner: Some(metadata.uid()),
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn links_do_not_lead_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("root");
        fs::create_dir_all(root.join("etc")).expect("a folder");
        fs::write(folder.path().join("secret"), "outside").expect("it is written");
        fs::write(root.join("etc/real"), "inside").expect("it is written");
        symlink("/etc/real", root.join("etc/absolute")).expect("a link");
        symlink("../../secret", root.join("etc/upward")).expect("a link");
        symlink(folder.path().join("secret"), root.join("etc/out")).expect("a link");
        symlink("loop", root.join("etc/loop")).expect("a link");
        let files = Folder::open(&root).expect("it is there");
        assert_eq!(files.read("/etc/absolute", 100), Ok(Some(b"inside".to_vec())));
        for name in ["upward", "out", "none", "real/below"] {
            assert_eq!(files.read(&format!("/etc/{name}"), 100), Ok(None), "{name}");
        }
        assert!(files.read("/etc/loop", 100).is_err() && files.read("/etc/real", 3).is_err());
        assert!(files.read("/etc", 100).is_err(), "a folder");
        assert_eq!(files.names("/etc").map(|names| names.len()), Ok(5));
        assert_eq!(
            files.meta("/etc/absolute").map(|meta| meta.is_some_and(|meta| !meta.is_folder)),
            Ok(true)
        );
    }
}

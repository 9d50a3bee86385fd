//! ext2, ext3 and ext4, by `ext4-view`, which checks sums and reads the journal.

use std::{error::Error, rc::Rc};

use ext4_view::{Ext4, Ext4Error, Ext4Read, FileType, Metadata, PathBuf};

use super::{
    Disk,
    partitions::Partition,
    tree::{self, Handle, Kind, Listed, Status, Tree},
};
use crate::{Files, FilesError, Meta, NAMES_MAX};

/// A file system.
pub(super) struct Ext4Files(Ext4);

/// A partition as `ext4-view` reads it.
struct Reader {
    disk: Rc<dyn Disk>,
    partition: Partition,
}

impl Ext4Read for Reader {
    fn read(&mut self, place: u64, into: &mut [u8]) -> Result<(), Box<dyn Error + Send + Sync + 'static>> {
        Ok(self.partition.read_at(self.disk.as_ref(), place, into)?)
    }
}

impl Ext4Files {
    pub(super) fn open(disk: Rc<dyn Disk>, partition: &Partition) -> Result<Self, String> {
        let reader = Reader { disk, partition: partition.clone() };
        Ext4::load(Box::new(reader)).map(Self).map_err(|error| error.to_string())
    }
}

/// What is not there is no error.
fn there<T>(path: &str, read: Result<T, Ext4Error>) -> Result<Option<T>, FilesError> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(Ext4Error::NotFound | Ext4Error::NotADirectory) => Ok(None),
        Err(error) => Err(FilesError::new(path, error.to_string())),
    }
}

impl Files for Ext4Files {
    fn read(&self, path: &str, max: usize) -> Result<Option<Vec<u8>>, FilesError> {
        let Some(metadata) = there(path, self.0.metadata(path))? else { return Ok(None) };
        if !metadata.file_type().is_regular_file() {
            return Err(FilesError::new(path, "it is no file"));
        }
        if metadata.len() > max as u64 {
            return Err(FilesError::new(path, format!("it has more than {max} bytes")));
        }
        there(path, self.0.read(path))
    }

    fn names(&self, path: &str) -> Result<Vec<String>, FilesError> {
        let Some(entries) = there(path, self.0.read_dir(path))? else { return Ok(Vec::new()) };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| FilesError::new(path, error.to_string()))?;
            let name = entry.file_name().display().to_string();
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
        let metadata = there(path, self.0.metadata(path))?;
        Ok(metadata.map(|metadata| Meta {
            is_folder: metadata.is_dir(),
            mode: Some(u32::from(metadata.mode()) & 0o7777),
            owner: Some(metadata.uid()),
        }))
    }
}

/// What a file system says of a name, without following it.
fn status(metadata: &Metadata) -> Status {
    let kind = match metadata.file_type() {
        FileType::Regular => Kind::File,
        FileType::Directory => Kind::Folder,
        FileType::Symlink => Kind::Link,
        _ => Kind::Other,
    };
    let modified = metadata.modified();
    Status {
        kind,
        size: if kind == Kind::Folder { 0 } else { metadata.len() },
        mode: Some(u32::from(metadata.mode()) & 0o7777),
        owner: Some((metadata.uid(), metadata.gid())),
        modified: Some(i128::from(modified.seconds()) * 1_000_000_000 + i128::from(modified.nanoseconds())),
    }
}

/// A handle is a path, and whether it is that of a link: finding it is what takes time, and need not be done twice.
fn handle(kind: Kind, path: &[u8]) -> Handle {
    Handle([&[u8::from(kind == Kind::Link)], path].concat())
}

fn meant(handle: &Handle) -> Result<(bool, PathBuf), String> {
    let (is_link, path) = handle.0.split_first().ok_or("it has no path")?;
    let path = PathBuf::try_from(path).map_err(|error| format!("{error:?}"))?;
    Ok((*is_link == 1, path))
}

/// Bytes of a file that are read at once.
const PIECE: usize = 1 << 16;

impl Ext4Files {
    /// Fills a buffer as far as a file goes.
    fn fill(file: &mut ext4_view::File, buffer: &mut [u8]) -> Result<usize, String> {
        let mut filled = 0;
        while filled < buffer.len() {
            match file.read_bytes(&mut buffer[filled..]).map_err(|error| error.to_string())? {
                0 => break,
                more => filled += more,
            }
        }
        Ok(filled)
    }
}

impl Tree for Ext4Files {
    fn root(&self) -> Handle {
        handle(Kind::Folder, b"/")
    }

    fn list(&self, folder: &Handle) -> Result<Vec<Listed>, String> {
        let mut listed = Vec::new();
        let (_, path) = meant(folder)?;
        for entry in self.0.read_dir(&path).map_err(|error| error.to_string())? {
            let entry = entry.map_err(|error| error.to_string())?;
            let name = entry.file_name();
            if name == "." || name == ".." {
                continue;
            }
            let status =
                entry.metadata().map(|metadata| status(&metadata)).map_err(|error| error.to_string());
            let kind = status.as_ref().map_or(Kind::Other, |status| status.kind);
            let handle = handle(kind, entry.path().as_ref());
            listed.push(Listed { name: tree::escaped(name.as_ref()), handle, status });
            tree::bounded(listed.len())?;
        }
        Ok(listed)
    }

    fn contents(&self, file: &Handle, sink: &mut dyn FnMut(&[u8]) -> bool) -> Result<(), String> {
        let (is_link, path) = meant(file)?;
        if is_link {
            let target = self.0.read_link(&path).map_err(|error| error.to_string())?;
            sink(target.as_ref());
            return Ok(());
        }
        let mut file = self.0.open(&path).map_err(|error| error.to_string())?;
        let mut buffer = vec![0; PIECE];
        loop {
            let filled = Self::fill(&mut file, &mut buffer)?;
            if filled == 0 || !sink(&buffer[..filled]) {
                return Ok(());
            }
        }
    }
}

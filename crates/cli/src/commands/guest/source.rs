//! Where a machine's files come from: a folder, hives, or a disk. A disk is told by its name or is what is left; the others by what they are.

use std::{
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
};

use palisade_guest::{
    Files, MemoryFiles, disk as guest_disk,
    registry::{HIVE_MAX, Hive, HiveError},
    windows,
};

use super::{disk, folder::Folder};
use crate::exit::Failure;

/// The files of the machine that paths mean.
pub fn open(paths: &[PathBuf]) -> Result<Box<dyn Files>, Failure> {
    match paths {
        [folder] if folder.is_dir() => of_folder(folder),
        [file] if disk::is_said(file) || !is_hive(file)? => of_disk(file),
        hives => Ok(Box::new(of_hives(hives)?)),
    }
}

/// The files of the system on a disk.
pub fn of_disk(path: &Path) -> Result<Box<dyn Files>, Failure> {
    guest_disk::open(&disk::open(path)?).map_err(|error| said(path, &error))
}

/// A folder is the root of a machine, or holds its hives.
fn of_folder(folder: &Path) -> Result<Box<dyn Files>, Failure> {
    let files = Folder::open(folder).map_err(|error| said(folder, &error))?;
    let mut hives = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| said(folder, &error))? {
        let path = entry.map_err(|error| said(folder, &error))?.path();
        let is_log =
            windows::LOG_ENDINGS.iter().any(|ending| path.to_string_lossy().to_uppercase().ends_with(ending));
        if path.is_file() && !is_log && is_hive(&path)? && name_of(&path)?.is_some() {
            hives.push(path);
        }
    }
    if !hives.is_empty() {
        return Ok(Box::new(of_hives(&hives)?));
    }
    let known = ["/etc/passwd", "/Windows/System32/config", "/WINDOWS/system32/config"];
    let is_any = known.iter().any(|path| files.meta(path).is_ok_and(|meta| meta.is_some()));
    if !is_any {
        let message =
            "it holds no system: there is neither etc/passwd nor Windows/System32/config nor a hive";
        return Err(said(folder, &message));
    }
    Ok(Box::new(files))
}

/// Hives, each with the transaction logs beside it, where Windows has them.
fn of_hives(paths: &[PathBuf]) -> Result<MemoryFiles, Failure> {
    let mut files = MemoryFiles::default();
    for path in paths {
        let Some(name) = name_of(path)? else {
            return Err(said(path, &"it is none of SAM, SYSTEM and SOFTWARE"));
        };
        files.add(&format!("{}/{name}", windows::HIVES), read(path)?);
        for ending in windows::LOG_ENDINGS {
            let mut log = path.as_os_str().to_owned();
            log.push(ending);
            let log = PathBuf::from(log);
            if log.is_file() {
                files.add(&format!("{}/{name}{ending}", windows::HIVES), read(&log)?);
            }
        }
    }
    Ok(files)
}

/// Which hive a file is.
fn name_of(path: &Path) -> Result<Option<&'static str>, Failure> {
    let hive = Hive::read(read(path)?, &[]);
    // One whose base block is torn can be read with its logs; its name tells what it is.
    let by_name = || {
        let name = path.file_name()?.to_str()?.to_uppercase();
        ["SAM", "SYSTEM", "SOFTWARE"].into_iter().find(|known| *known == name)
    };
    match hive.and_then(|hive| windows::name_of(&hive)) {
        Ok(Some(name)) => Ok(Some(name)),
        Ok(None) => Ok(None),
        Err(HiveError::NoBase) => by_name().map(Some).ok_or_else(|| said(path, &HiveError::NoBase)),
        Err(error) => Err(said(path, &error)),
    }
}

fn is_hive(path: &Path) -> Result<bool, Failure> {
    Ok(Hive::is_one(&disk::head(path)?))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| said(path, &error))?;
    file.take(HIVE_MAX as u64 + 1).read_to_end(&mut bytes).map_err(|error| said(path, &error))?;
    if bytes.len() > HIVE_MAX {
        return Err(said(path, &format!("it has more than {HIVE_MAX} bytes")));
    }
    Ok(bytes)
}

/// What is wrong with a path that was given.
pub fn said(path: &Path, error: &impl std::fmt::Display) -> Failure {
    Failure::input(format!("{}: {error}", path.display()))
}

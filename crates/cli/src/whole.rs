//! Files that are written whole or not at all.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use crate::exit::Failure;

/// Lets `fill` write a file. It is in its place when all of it is written: whoever interrupts this, and a disk that is full, leave
/// what was there before. What is no file, such as a pipe, is written as it is.
pub fn write<T>(path: &Path, fill: impl FnOnce(&mut dyn Write) -> Result<T, Failure>) -> Result<T, Failure> {
    let failed = |error| Failure::other_side(format!("{}: {error}", path.display()));
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        let mut out = BufWriter::new(File::options().write(true).open(path).map_err(failed)?);
        let filled = fill(&mut out)?;
        return out.flush().map(|()| filled).map_err(failed);
    }
    // A link leads to the file that is meant.
    let place = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let part = beside(&place);
    let filled = File::create(&part).map_err(failed).and_then(|file| {
        let mut out = BufWriter::new(file);
        let filled = fill(&mut out)?;
        let file = out.into_inner().map_err(|error| failed(error.into_error()))?;
        file.sync_all().and_then(|()| fs::rename(&part, &place)).map(|()| filled).map_err(failed)
    });
    if filled.is_err() {
        // It may not even be there.
        let _gone = fs::remove_file(&part);
    }
    filled
}

/// Where a file is until all of it is written.
fn beside(place: &Path) -> PathBuf {
    let mut name = place.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(out: &mut dyn Write, text: &str) -> Result<(), Failure> {
        Ok(out.write_all(text.as_bytes())?)
    }

    #[test]
    fn what_was_there_stays_until_all_is_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log.json");
        write(&path, |out| text(out, "old")).expect("written");
        let failed = write(&path, |out| {
            text(out, "ne")?;
            assert_eq!(fs::read_to_string(&path).expect("there"), "old");
            Err::<(), _>(Failure::input("broken off"))
        });
        assert!(failed.is_err());
        assert_eq!(fs::read_to_string(&path).expect("there"), "old");
        write(&path, |out| text(out, "new")).expect("written");
        assert_eq!(fs::read_to_string(&path).expect("there"), "new");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_device_is_written_and_not_replaced_and_a_link_is_followed() {
        write(Path::new("/dev/null"), |out| text(out, "x")).expect("written");
        assert!(!fs::metadata("/dev/null").expect("there").is_file());
        let folder = tempfile::tempdir().expect("a folder");
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "old").expect("written");
        std::os::unix::fs::symlink(&file, &link).expect("a link");
        write(&link, |out| text(out, "new")).expect("written");
        assert_eq!(fs::read_to_string(&file).expect("there"), "new");
        assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
    }
}

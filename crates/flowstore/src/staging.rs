//! Files of an import, out of view until the last one is there.
//!
//! They lie in `importing/ID` under names that nobody takes for records. Once all are there a mark is put beside them, and from then on they
//! belong to the store: they are moved to their places, by whoever imports, or by the next import or compaction if that one was killed.
//! Files without a mark belong to nobody, and a compaction removes them a day after the last was written. Invariant: of files without a
//! mark none is at its place, and a mark goes last.

use std::{collections::BTreeMap, fs};

use crate::{
    StoreError,
    partition::Partition,
    store::{ENDING, Store, random},
};

/// Where imports wait.
const FOLDER: &str = "importing";
/// Said of files that are all there.
const MARK: &str = "whole";
/// How names end behind the one that the file will have.
const WAITING: &str = ".waiting";
/// After so long without another file an import is over, in milliseconds.
pub(crate) const ABANDONED_MS: u64 = 86_400_000;

/// An import that is being written.
#[derive(Debug)]
pub(crate) struct Staging {
    store: Store,
    folder: String,
    waiting: Vec<String>,
}

impl Staging {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, folder: format!("{FOLDER}/{:016x}", random()), waiting: Vec::new() }
    }

    /// Writes a file that will be at `place`.
    pub(crate) fn put(&mut self, place: &str, bytes: Vec<u8>) -> Result<(), StoreError> {
        let path = format!("{}/{}{WAITING}", self.folder, place.replace('/', ","));
        self.store.put(&path, bytes)?;
        self.waiting.push(path);
        Ok(())
    }

    /// Brings all into view. If it fails after the mark was put, it is done by the next import or compaction.
    pub(crate) fn publish(self) -> Result<(), StoreError> {
        match self.mark() {
            Ok(()) => reveal(&self.store, &self.folder, &self.waiting),
            Err(error) => self.discard().and(Err(error)),
        }
    }

    fn mark(&self) -> Result<(), StoreError> {
        self.store.put(&format!("{}/{MARK}", self.folder), Vec::new())
    }

    /// Removes everything; the mark first, that nobody brings a part into view.
    pub(crate) fn discard(&self) -> Result<(), StoreError> {
        self.store.delete(&format!("{}/{MARK}", self.folder))?;
        remove(&self.store, &self.folder, &self.waiting)
    }
}

/// Ends what interrupted imports have left: what is whole comes into view, what is not and was last written before a moment goes.
pub(crate) fn settle(store: &Store, before_ms: u64) -> Result<(), StoreError> {
    let mut imports: BTreeMap<String, (bool, u64, Vec<String>)> = BTreeMap::new();
    for (path, written_ms) in store.list(FOLDER)? {
        let Some((folder, name)) = path.rsplit_once('/') else { continue };
        let (is_whole, last_ms, waiting) = imports.entry(folder.to_owned()).or_default();
        *last_ms = written_ms.max(*last_ms);
        match name {
            MARK => *is_whole = true,
            _ => waiting.push(path),
        }
    }
    for (folder, (is_whole, last_ms, waiting)) in imports {
        if is_whole {
            reveal(store, &folder, &waiting)?;
        } else if last_ms < before_ms {
            remove(store, &folder, &waiting)?;
        }
    }
    Ok(())
}

/// Moves files to their places, and then removes the mark.
fn reveal(store: &Store, folder: &str, waiting: &[String]) -> Result<(), StoreError> {
    for path in waiting {
        if let Some(place) = place(path) {
            store.rename(path, &place)?;
        }
    }
    store.delete(&format!("{folder}/{MARK}"))?;
    tidy(store, folder);
    Ok(())
}

fn remove(store: &Store, folder: &str, waiting: &[String]) -> Result<(), StoreError> {
    waiting.iter().try_for_each(|path| store.delete(path))?;
    tidy(store, folder);
    Ok(())
}

/// Removes folders that are empty now. Objects have none.
fn tidy(store: &Store, folder: &str) {
    for folder in [folder, FOLDER] {
        // It stays while something is in it.
        let _stays = store.folder().map(|root| fs::remove_dir(root.join(folder)));
    }
}

/// Where a waiting file belongs, if it is one of ours.
fn place(path: &str) -> Option<String> {
    let name = path.rsplit('/').next()?.strip_suffix(WAITING)?;
    let place = name.replace(',', "/");
    let file = place.strip_prefix(&Partition::parse(&place)?.to_string())?.strip_prefix('/')?;
    (file.ends_with(ENDING) && !file.contains('/')).then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Scene {
        folder: tempfile::TempDir,
        store: Store,
    }

    impl Scene {
        fn new() -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let store = Store::open(folder.path().to_str().expect("text")).expect("a store");
            Self { folder, store }
        }

        /// An import of three files that has come so far.
        fn import(&self) -> Staging {
            let mut staging = Staging::new(self.store.clone());
            for group in 0..3 {
                let place = Store::name(Partition { hour: 498_493, group }, 1);
                staging.put(&place, vec![group]).expect("it is written");
            }
            staging
        }

        fn files(&self) -> usize {
            self.store.files(|_| true).expect("a list").len()
        }

        fn is_tidy(&self) -> bool {
            !self.folder.path().join(FOLDER).exists()
        }
    }

    #[test]
    fn all_or_nothing_of_an_import_is_in_view() {
        let scene = Scene::new();
        let staging = scene.import();
        assert_eq!(scene.files(), 0);
        staging.publish().expect("it is brought into view");
        assert_eq!((scene.files(), scene.is_tidy()), (3, true));
        scene.import().discard().expect("it is removed");
        assert_eq!((scene.files(), scene.is_tidy()), (3, true));
    }

    #[test]
    fn what_is_interrupted_is_finished_once_it_is_whole_and_removed_else() {
        let scene = Scene::new();
        for revealed in 0..=3 {
            let staging = scene.import();
            staging.mark().expect("it is marked");
            for path in &staging.waiting[..revealed] {
                scene.store.rename(path, &place(path).expect("it has a place")).expect("it is moved");
            }
            settle(&scene.store, 0).expect("it is finished");
            assert_eq!((scene.files(), scene.is_tidy()), (3 * (revealed + 1), true));
        }
        scene.import();
        settle(&scene.store, 0).expect("it may go on");
        assert_eq!((scene.files(), scene.is_tidy()), (12, false));
        settle(&scene.store, u64::MAX).expect("it is removed");
        assert_eq!((scene.files(), scene.is_tidy()), (12, true));
    }

    #[test]
    fn only_names_of_ours_have_a_place() {
        let place_of = |name: &str| place(&format!("importing/1/{name}"));
        let ours = "day=2026-11-13,hour=13,group=3,000-0.parquet.waiting";
        assert_eq!(place_of(ours).as_deref(), Some("day=2026-11-13/hour=13/group=3/000-0.parquet"));
        for other in [
            "whole",
            "..,day=2026-11-13,hour=13,group=3,0.parquet.waiting",
            "day=2026-11-13,hour=13,group=3,..,0.parquet.waiting",
            "day=2026-11-13,hour=13,group=3,0.parquet",
            "day=2026-11-13,hour=13,group=3,0.txt.waiting",
            "day=2026-13-13,hour=13,group=3,0.parquet.waiting",
        ] {
            assert_eq!(place_of(other), None, "{other}");
        }
    }
}

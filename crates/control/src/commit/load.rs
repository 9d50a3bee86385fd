//! From the store into the world: everything at the start, and what other servers commit after it.
//!
//! Prefixes are read one after the other, each at a revision of its own; commits between them are told by the watch, which
//! begins at the earliest. What a commit wrote under a prefix that was read later is already there and is passed over.

use std::collections::BTreeMap;
use std::sync::Arc;

use palisade_model::{ResourceId, TagCatalog};
use palisade_store::{Commit, Entry, Revision, Store, StoreError};

use super::encode;
use super::operations::{self, Kept, Operations};
use super::sequence::{self, Sequence};
use crate::world::{Change, Document, World};

/// Where records of other modules are.
pub(crate) const RECORD_PREFIXES: &[&str] = &["alert/", "ca/", "host/", "id/", "join/", "window/"];

/// What was read.
pub(super) struct Loaded {
    pub(super) world: World,
    pub(super) sequence: Sequence,
    pub(super) kept: Kept,
    /// Operations that were under way.
    pub(super) operations: Vec<(String, Revision, Operations)>,
    pub(super) floors: Floors,
}

/// Up to which commit each prefix was read.
#[derive(Debug, Default)]
pub(super) struct Floors(Vec<(&'static str, Revision)>);

impl Floors {
    /// The earliest: the watch begins after it.
    pub(super) fn first(&self) -> Revision {
        self.0.iter().map(|(_, revision)| *revision).min().unwrap_or_default()
    }

    /// The latest: before the watch has told it, the world is of several times.
    pub(super) fn last(&self) -> Revision {
        self.0.iter().map(|(_, revision)| *revision).max().unwrap_or_default()
    }

    /// Whether what a commit wrote under a key is still to be read.
    fn is_new(&self, key: &str, commit: Revision) -> bool {
        let floor = self.0.iter().find(|(prefix, _)| key.starts_with(prefix));
        floor.is_none_or(|(_, floor)| commit > *floor)
    }
}

/// Reads everything.
pub(super) async fn load(store: &dyn Store, tags: Arc<TagCatalog>) -> Result<Loaded, StoreError> {
    let mut floors = Floors::default();
    let mut read = async |prefix: &'static str| {
        let snapshot = store.snapshot(prefix).await?;
        floors.0.push((prefix, snapshot.revision));
        Ok::<_, StoreError>(snapshot.entries)
    };
    // The sequence first: what is read after it can only be newer.
    let sequences = read("meta/").await?;
    let resources = read(encode::RESOURCES).await?;
    let children = read(encode::CHILDREN).await?;
    let mut operations = read(operations::PREFIX).await?;
    let mut records = Vec::new();
    for prefix in RECORD_PREFIXES {
        records.extend(read(prefix).await?);
    }
    let mut world = World::new(tags);
    for entry in &resources {
        let document = encode::read_resource(&entry.key, &entry.value, entry.modified)?;
        world.set(&document.id().clone(), Some(&Arc::new(document)));
    }
    for entry in &children {
        for child in encode::read_bucket(&entry.key, &entry.value, entry.modified)? {
            world.set(&child.id().clone(), Some(&Arc::new(child)));
        }
    }
    for entry in &records {
        let value = Some(Arc::new(encode::parse(&entry.key, &entry.value)?));
        world.apply(&Change::Record { key: entry.key.as_str().into(), before: None, after: value });
    }
    let mut sequence = Sequence::default();
    if let Some(Entry { value, modified, .. }) = sequences.iter().find(|entry| entry.key == sequence::KEY) {
        sequence = Sequence::read(value)?;
        world.advance(*modified);
    }
    operations.sort_by_key(|entry| entry.modified);
    let (mut kept, mut running) = (Kept::default(), Vec::new());
    for entry in &operations {
        let batch = operations::batch_of(&entry.key).unwrap_or_default();
        kept.push(batch);
        running.push((batch.to_owned(), entry.modified, Operations::read(&entry.key, &entry.value)?));
    }
    Ok(Loaded { world, sequence, kept, operations: running, floors })
}

/// What another server's commit means here.
#[derive(Debug, Default)]
pub(super) struct Foreign {
    pub(super) changes: Vec<Change>,
    pub(super) sequence: Option<Sequence>,
    /// Operations that it began, and batches whose operations it dropped.
    pub(super) begun: Vec<(String, Operations)>,
    pub(super) dropped: Vec<String>,
}

/// Reads a commit. `world` is the one before it.
pub(super) fn read(world: &World, floors: &Floors, commit: &Commit) -> Result<Foreign, StoreError> {
    let mut foreign = Foreign::default();
    // By id, so that a later part of the same commit replaces an earlier one.
    let mut documents: BTreeMap<ResourceId, Option<Arc<Document>>> = BTreeMap::new();
    for (key, value) in &commit.changes {
        let value = value.as_deref();
        if key == sequence::KEY {
            foreign.sequence = value.map(Sequence::read).transpose()?;
        } else if !floors.is_new(key, commit.revision) {
            // It was read with its prefix.
        } else if let Some(id) = encode::resource_of(key) {
            let document =
                value.map(|value| encode::read_resource(key, value, commit.revision)).transpose()?;
            documents.insert(id, document.map(Arc::new));
        } else if let Some((parent, segment, bucket)) = encode::bucket_of_key(key) {
            let in_bucket = world.children(&parent, segment).into_iter().filter(|c| encode::is_in(c, bucket));
            let mut before: BTreeMap<_, _> = in_bucket.map(|child| (child.id().clone(), child)).collect();
            for child in
                value.map_or(Ok(Vec::new()), |value| encode::read_bucket(key, value, commit.revision))?
            {
                let is_same = before.remove(child.id()).is_some_and(|before| before.says_as(&child));
                if !is_same {
                    documents.insert(child.id().clone(), Some(Arc::new(child)));
                }
            }
            documents.extend(before.into_keys().map(|id| (id, None)));
        } else if let Some(batch) = operations::batch_of(key) {
            match value {
                Some(value) => foreign.begun.push((batch.to_owned(), Operations::read(key, value)?)),
                None => foreign.dropped.push(batch.to_owned()),
            }
        } else if RECORD_PREFIXES.iter().any(|prefix| key.starts_with(prefix)) {
            let after = value.map(|value| encode::parse(key, value)).transpose()?.map(Arc::new);
            let before = world.record_shared(key);
            foreign.changes.push(Change::Record { key: key.as_str().into(), before, after });
        }
    }
    foreign.changes.extend(documents.into_iter().map(|(id, after)| {
        let before = world.document(&id).cloned();
        Change::Document { id, before, after }
    }));
    Ok(foreign)
}

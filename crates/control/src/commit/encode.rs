//! How the world lies in the store.
//!
//! A resource is one entry, `r/<id>`. Its children are spread over several entries a collection,
//! `c/<parent>#<collection>#<bucket>`, so that a thousand rules fit into one transaction and one rule is a small write. Ids in keys are in lower case.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use palisade_model::ResourceId;
use palisade_store::{Op, Revision, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::kinds;
use crate::world::{Change, Document, World};

/// Where resources are.
pub(super) const RESOURCES: &str = "r/";
/// Where children are.
pub(super) const CHILDREN: &str = "c/";
/// Entries that the children of most collections are spread over.
const BUCKETS: u32 = 32;
/// Entries that rules are spread over. They are written most, and an NSG has no other children that it would have to share
/// a transaction with.
const RULE_BUCKETS: u32 = 96;

/// A resource in the store.
#[derive(Serialize, Deserialize)]
struct Header<'a> {
    id: std::borrow::Cow<'a, str>,
    etag: std::borrow::Cow<'a, str>,
    body: std::borrow::Cow<'a, Value>,
}

/// Children in the store.
#[derive(Serialize, Deserialize)]
struct Bucket<'a> {
    parent: std::borrow::Cow<'a, str>,
    children: Vec<Child<'a>>,
}

#[derive(Serialize, Deserialize)]
struct Child<'a> {
    name: std::borrow::Cow<'a, str>,
    order: u32,
    body: std::borrow::Cow<'a, Value>,
}

/// The writes that make the store hold what `world` has of some entries.
pub(super) fn ops(world: &World, keys: &BTreeSet<Key>) -> Vec<Op> {
    let mut ops = Vec::new();
    let mut buckets: BTreeMap<(&ResourceId, &'static str), BTreeSet<u32>> = BTreeMap::new();
    for key in keys {
        match key {
            Key::Resource(id) => {
                let key = header_key(id);
                ops.push(world.document(id).map_or_else(
                    || Op::Delete(key.clone()),
                    |document| Op::Put(key.clone(), header(document)),
                ));
            }
            Key::Bucket(parent, segment, bucket) => {
                buckets.entry((parent, segment)).or_default().insert(*bucket);
            }
            Key::Record(key) => ops.push(match world.record(key) {
                Some(value) => Op::Put(key.to_string(), text(value)),
                None => Op::Delete(key.to_string()),
            }),
        }
    }
    for ((parent, segment), wanted) in buckets {
        bucket_ops(world, parent, segment, &wanted, &mut ops);
    }
    ops
}

/// An entry of the store that the world is in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Resource(ResourceId),
    Bucket(ResourceId, &'static str, u32),
    Record(Arc<str>),
}

/// The entries that some changes are in: each takes one write.
pub(super) fn keys(changes: &[Change]) -> BTreeSet<Key> {
    let key = |change: &Change| match change {
        Change::Record { key, .. } => Some(Key::Record(key.clone())),
        Change::Document { id, before, after } => {
            let document = after.as_ref().or(before.as_ref())?;
            if document.etag().is_empty() {
                Some(Key::Bucket(id.parent()?, document.kind().segment(), bucket_of(document)))
            } else {
                Some(Key::Resource(id.clone()))
            }
        }
    };
    changes.iter().filter_map(key).collect()
}

fn bucket_ops(
    world: &World,
    parent: &ResourceId,
    segment: &'static str,
    wanted: &BTreeSet<u32>,
    ops: &mut Vec<Op>,
) {
    let mut filled: BTreeMap<u32, Vec<Child<'_>>> = BTreeMap::new();
    for child in world.children(parent, segment) {
        let bucket = bucket_of(child);
        if wanted.contains(&bucket) {
            filled.entry(bucket).or_default().push(Child {
                name: child.id().name().into(),
                order: child.order(),
                body: std::borrow::Cow::Borrowed(child.body()),
            });
        }
    }
    let spelt = world.document(parent).map_or(parent, |document| document.id());
    for bucket in wanted {
        let key = format!("{CHILDREN}{}#{segment}#{bucket:02x}", parent.as_str().to_ascii_lowercase());
        ops.push(match filled.remove(bucket) {
            Some(children) => Op::Put(key, text(&Bucket { parent: spelt.as_str().into(), children })),
            None => Op::Delete(key),
        });
    }
}

fn header_key(id: &ResourceId) -> String {
    format!("{RESOURCES}{}", id.as_str().to_ascii_lowercase())
}

fn header(document: &Document) -> Bytes {
    text(&Header {
        id: document.id().as_str().into(),
        etag: document.etag().into(),
        body: std::borrow::Cow::Borrowed(document.body()),
    })
}

pub(super) fn text(value: &impl Serialize) -> Bytes {
    Bytes::from(serde_json::to_vec(value).expect("documents are JSON with text keys"))
}

/// The bucket of a child: FNV-1a of its name, which is the same for ever and everywhere.
fn bucket_of(child: &Document) -> u32 {
    let buckets = if child.kind().name == kinds::RULE { RULE_BUCKETS } else { BUCKETS };
    let hash = child
        .id()
        .name()
        .bytes()
        .map(|byte| byte.to_ascii_lowercase())
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash % buckets
}

/// The id of the resource of a key.
pub(super) fn resource_of(key: &str) -> Option<ResourceId> {
    key.strip_prefix(RESOURCES).map(ResourceId::new)
}

/// Reads a resource.
pub(super) fn read_resource(key: &str, value: &[u8], revision: Revision) -> Result<Document, StoreError> {
    let header: Header<'_> = parse(key, value)?;
    let id = ResourceId::new(&header.id);
    let kind = kinds::locate(&id).map_err(|error| damaged(key, &error))?.kind;
    let document = Document::new(id, kind, header.body.into_owned(), (*header.etag).into(), 0);
    document.committed_at(revision);
    Ok(document)
}

/// The parent, collection and bucket of a key.
pub(super) fn bucket_of_key(key: &str) -> Option<(ResourceId, &str, u32)> {
    let mut parts = key.strip_prefix(CHILDREN)?.split('#');
    let (parent, segment, bucket) = (parts.next()?, parts.next()?, parts.next()?);
    Some((ResourceId::new(parent), segment, u32::from_str_radix(bucket, 16).ok()?))
}

/// Whether a child is in a bucket.
pub(super) fn is_in(child: &Document, bucket: u32) -> bool {
    bucket_of(child) == bucket
}

/// Reads the children of a bucket.
pub(super) fn read_bucket(key: &str, value: &[u8], revision: Revision) -> Result<Vec<Document>, StoreError> {
    let (_, segment, _) =
        bucket_of_key(key).ok_or_else(|| damaged(key, &"the key is none of a collection"))?;
    let bucket: Bucket<'_> = parse(key, value)?;
    let parent = ResourceId::new(&bucket.parent);
    let children = bucket.children.into_iter().map(|child| {
        let id = parent.child(segment, &child.name);
        let kind = kinds::locate(&id).map_err(|error| damaged(key, &error))?.kind;
        let document = Document::new(id, kind, child.body.into_owned(), "".into(), child.order);
        document.committed_at(revision);
        Ok(document)
    });
    children.collect()
}

/// Reads JSON.
pub(super) fn parse<'a, T: Deserialize<'a>>(key: &str, value: &'a [u8]) -> Result<T, StoreError> {
    serde_json::from_slice(value).map_err(|error| damaged(key, &error))
}

fn damaged(key: &str, error: &impl std::fmt::Display) -> StoreError {
    StoreError::Damaged(format!("{key}: {error}"))
}

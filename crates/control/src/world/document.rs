//! One resource or child: what its owner wrote, with what the server has filled in.
//!
//! Children stand beside their parents, not inside them. A document never changes; a write makes another one. What can be
//! computed from the rest of the world (back references, ids of parts, default rules) is not in it: see `render`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use palisade_model::ResourceId;
use palisade_store::Revision;
use serde_json::Value;

use super::rulebook::Share;
use crate::kinds::{self, Field, Kind, Link, Shape};

/// A resource or a child.
#[derive(Debug)]
pub struct Document {
    id: ResourceId,
    kind: &'static Kind,
    body: Value,
    etag: Arc<str>,
    order: u32,
    references: Vec<(ResourceId, &'static Link)>,
    share: Option<Share>,
    /// Set when the commit is known; until then 0.
    revision: AtomicU64,
}

impl Document {
    /// A document; `order` is its place among its siblings.
    pub(crate) fn new(id: ResourceId, kind: &'static Kind, body: Value, etag: Arc<str>, order: u32) -> Self {
        let mut references = Vec::new();
        collect(kind.envelope, &body, &mut references);
        collect(kind.properties, &body["properties"], &mut references);
        let mut document =
            Self { id, kind, body, etag, order, references, share: None, revision: AtomicU64::new(0) };
        document.share = Share::of(&document);
        document
    }

    /// The id, names as their owner spelt them.
    pub const fn id(&self) -> &ResourceId {
        &self.id
    }

    /// The kind.
    pub const fn kind(&self) -> &'static Kind {
        self.kind
    }

    /// `location`, `tags`, `properties` and what else the owner wrote, without id, name and type.
    pub const fn body(&self) -> &Value {
        &self.body
    }

    /// `properties`.
    pub fn properties(&self) -> &Value {
        &self.body["properties"]
    }

    /// The region, if it has one.
    pub fn location(&self) -> Option<&str> {
        self.body.get("location")?.as_str()
    }

    /// The value of a tag, its name compared without case.
    pub fn tag(&self, name: &str) -> Option<&str> {
        let tags = self.body.get("tags")?.as_object()?;
        tags.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?.1.as_str()
    }

    /// The ETag, `W/"..."`; a child has that of the resource it belongs to, see [`crate::World::etag`].
    pub fn etag(&self) -> &str {
        &self.etag
    }

    /// The commit that wrote it, or a later one: after a restart that of the store's entry that holds it.
    pub fn revision(&self) -> Revision {
        Revision(self.revision.load(Ordering::Relaxed))
    }

    /// What it refers to, of the kinds that are served here or may be.
    pub fn references(&self) -> impl Iterator<Item = &ResourceId> {
        self.references.iter().map(|(id, _)| id)
    }

    pub(crate) fn links(&self) -> impl Iterator<Item = (&ResourceId, &'static Link)> {
        self.references.iter().map(|(id, link)| (id, *link))
    }

    /// What it takes of its NSG, if it is a rule.
    pub(super) const fn share(&self) -> Option<&Share> {
        self.share.as_ref()
    }

    pub(crate) const fn order(&self) -> u32 {
        self.order
    }

    pub(crate) fn committed_at(&self, revision: Revision) {
        self.revision.store(revision.0, Ordering::Relaxed);
    }

    /// Whether the world's indexes say the same of two documents. Of interfaces they tell more than references.
    pub(crate) fn is_indexed_as(&self, other: &Self) -> bool {
        self.kind.name == other.kind.name
            && self.kind.name != kinds::NIC
            && self.id.as_str() == other.id.as_str()
            && self.share == other.share
            && self.references().eq(other.references())
    }

    /// Whether two documents say the same.
    pub(crate) fn says_as(&self, other: &Self) -> bool {
        self.id.as_str() == other.id.as_str() && self.body == other.body && self.order == other.order
    }
}

/// Gathers the references that `fields` say `value` has.
fn collect(fields: &'static [Field], value: &Value, out: &mut Vec<(ResourceId, &'static Link)>) {
    let Some(members) = value.as_object() else { return };
    for field in fields {
        let Some(value) = members.get(field.name) else { continue };
        let elements = || value.as_array().into_iter().flatten();
        match field.shape {
            Shape::Object(fields) => collect(fields, value, out),
            Shape::Objects(fields) => elements().for_each(|element| collect(fields, element, out)),
            Shape::Elements(fields) => {
                elements().for_each(|element| collect(fields, &element["properties"], out));
            }
            Shape::Reference(link) => refer(&value["id"], link, out),
            Shape::References(link) => elements().for_each(|element| refer(&element["id"], link, out)),
            Shape::Id(link) => refer(value, link, out),
            Shape::Any | Shape::Text | Shape::Flag | Shape::Integer | Shape::Texts => {}
        }
    }
}

fn refer(id: &Value, link: &'static Link, out: &mut Vec<(ResourceId, &'static Link)>) {
    if let Some(id) = id.as_str().filter(|id| !id.is_empty()) {
        let id = ResourceId::new(id);
        if !out.iter().any(|(known, _)| *known == id) {
            out.push((id, link));
        }
    }
}

//! The world: every resource and record of the store in memory, with the indexes that make questions cheap.
//!
//! It changes by [`Change`]s alone, each of which can be undone, and its indexes are functions of its documents. It knows
//! what refers to what, not what may: that is `plan`. The planner has one world of its own that runs ahead; readers see
//! the other, which has only what is committed.

mod closure;
mod document;
mod index;
mod rulebook;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use palisade_model::ResourceId;
use palisade_store::Revision;
use serde_json::Value;

use crate::fleet::Bindings;
use crate::kinds;
pub use closure::Part;
pub use document::Document;
use index::Index;
use rulebook::Rulebook;

/// Every resource and record, at one revision.
#[derive(Debug, Clone, Default)]
pub struct World {
    revision: Revision,
    documents: BTreeMap<ResourceId, Arc<Document>>,
    records: BTreeMap<Arc<str>, Arc<Value>>,
    index: Index,
    bindings: Bindings,
    tags: Arc<palisade_model::TagCatalog>,
}

/// One write, with what undoes it.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Document { id: ResourceId, before: Option<Arc<Document>>, after: Option<Arc<Document>> },
    Record { key: Arc<str>, before: Option<Arc<Value>>, after: Option<Arc<Value>> },
}

impl Change {
    /// The resource or child that is changed.
    pub(crate) const fn id(&self) -> Option<&ResourceId> {
        match self {
            Self::Document { id, .. } => Some(id),
            Self::Record { .. } => None,
        }
    }

    /// The key of the record that is changed.
    pub(crate) fn key(&self) -> Option<&str> {
        match self {
            Self::Document { .. } => None,
            Self::Record { key, .. } => Some(key),
        }
    }
}

impl World {
    /// An empty world whose rules may name these tags.
    pub(crate) fn new(tags: Arc<palisade_model::TagCatalog>) -> Self {
        Self { tags, ..Self::default() }
    }

    /// The commit that it shows.
    pub const fn revision(&self) -> Revision {
        self.revision
    }

    /// A resource or child as it is stored.
    pub fn document(&self, id: &ResourceId) -> Option<&Arc<Document>> {
        self.documents.get(id)
    }

    /// All documents in the order of ids.
    pub fn documents(&self) -> impl Iterator<Item = &Arc<Document>> {
        self.documents.values()
    }

    /// The ETag of a resource; a child has that of the resource it belongs to.
    pub fn etag(&self, id: &ResourceId) -> Option<&str> {
        let mut document = self.document(id)?;
        while document.etag().is_empty() {
            document = self.document(&document.id().parent()?)?;
        }
        Some(document.etag())
    }

    /// What GET answers.
    pub fn render(&self, id: &ResourceId) -> Option<Value> {
        Some(crate::render::resource(self, self.document(id)?))
    }

    /// Ids of one kind in a subscription, a group, or under a parent, in the order of names; children in the order
    /// they were given.
    pub fn list(&self, scope: &ResourceId, kind: &str) -> Vec<ResourceId> {
        let Some(kind) = kinds::find(kind) else { return Vec::new() };
        if self.document(scope).is_some_and(|parent| parent.kind().collection(kind.segment()).is_some()) {
            return self.children(scope, kind.segment()).iter().map(|child| child.id().clone()).collect();
        }
        let inside = |id: &&ResourceId| is_inside(id, scope);
        self.index.of_kind(kind).filter(inside).cloned().collect()
    }

    /// Top-level resources of every kind in a subscription or a group, resource groups and deployments not among them.
    pub fn resources(&self, scope: &ResourceId) -> Vec<ResourceId> {
        let is_listed = |document: &&Arc<Document>| {
            let kind = document.kind();
            !document.etag().is_empty()
                && ![kinds::GROUP, kinds::DEPLOYMENT, kinds::LOCK, kinds::TUNNEL].contains(&kind.name)
        };
        self.under(scope).filter(is_listed).map(|document| document.id().clone()).collect()
    }

    /// Top-level resources whose document, or whose children, name `id`.
    pub fn referrers(&self, id: &ResourceId) -> impl Iterator<Item = &ResourceId> {
        let mut last: Option<&ResourceId> = None;
        self.naming(id).filter_map(move |document| {
            let top = self.top(document)?.id();
            (last.replace(top) != Some(top)).then_some(top)
        })
    }

    /// A record.
    pub fn record(&self, key: &str) -> Option<&Value> {
        self.records.get(key).map(|value| &**value)
    }

    /// Records whose key begins with `prefix`, in the order of keys.
    pub fn records<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.records
            .range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
            .take_while(move |(key, _)| key.starts_with(prefix))
            .map(|(key, value)| (&**key, &**value))
    }

    /// Which hosts interfaces are on.
    pub(crate) const fn bindings(&self) -> &Bindings {
        &self.bindings
    }

    /// Service tags that rules may name.
    pub fn tags(&self) -> &palisade_model::TagCatalog {
        &self.tags
    }

    /// The same, to be kept.
    pub(crate) const fn catalog(&self) -> &Arc<palisade_model::TagCatalog> {
        &self.tags
    }

    /// Children of one collection, in the order they were given.
    pub(crate) fn children(&self, parent: &ResourceId, segment: &str) -> Vec<&Arc<Document>> {
        let prefix = ResourceId::new(&format!("{parent}/{segment}"));
        let depth = depth(&prefix) + 1;
        let mut children: Vec<_> = self.under(&prefix).filter(|child| depth_of(child) == depth).collect();
        children.sort_by_key(|child| child.order());
        children
    }

    /// All documents under an id, without itself.
    pub(crate) fn under<'w>(&'w self, id: &ResourceId) -> impl Iterator<Item = &'w Arc<Document>> + use<'w> {
        // `0` is the character behind `/`, and `id/` itself is no id.
        let [first, end] = ["/\u{0}", "0"].map(|tail| ResourceId::new(&format!("{id}{tail}")));
        self.documents.range((Bound::Included(first), Bound::Excluded(end))).map(|(_, document)| document)
    }

    /// Documents that name `id`, children as such, in the order of ids.
    pub(crate) fn naming(&self, id: &ResourceId) -> impl Iterator<Item = &Arc<Document>> {
        self.index.referrers(id).filter_map(|referrer| self.document(referrer))
    }

    /// The resource that a document belongs to.
    pub(crate) fn top<'a>(&'a self, document: &'a Arc<Document>) -> Option<&'a Arc<Document>> {
        let mut top = document;
        while top.etag().is_empty() {
            top = self.document(&top.id().parent()?)?;
        }
        Some(top)
    }

    /// The rules of an NSG that has some, summed up.
    pub(crate) fn rulebook(&self, nsg: &ResourceId) -> Option<&Rulebook> {
        self.index.rulebook(nsg)
    }

    /// Which configuration has an address in a network.
    pub(crate) fn holder(&self, network: &ResourceId, address: std::net::IpAddr) -> Option<&ResourceId> {
        self.index.holder(network, address)
    }

    /// Addresses in use in a network between two, in order.
    pub(crate) fn held(
        &self,
        network: &ResourceId,
        first: std::net::IpAddr,
        last: std::net::IpAddr,
    ) -> impl Iterator<Item = std::net::IpAddr> {
        self.index.held(network, first, last)
    }

    /// The interfaces that have one of these addresses, in any network.
    pub(crate) fn holders_in(&self, addresses: &palisade_net::AddressSet) -> BTreeSet<ResourceId> {
        self.index.holders_in(addresses).cloned().collect()
    }

    /// A record that can be kept.
    pub(crate) fn record_shared(&self, key: &str) -> Option<Arc<Value>> {
        self.records.get(key).cloned()
    }

    /// How many resources of a kind there are.
    pub(crate) fn count(&self, kind: &str) -> usize {
        kinds::find(kind).map_or(0, |kind| self.index.of_kind(kind).count())
    }

    /// Every resource of a kind.
    pub(crate) fn of_kind(&self, kind: &str) -> impl Iterator<Item = &ResourceId> {
        kinds::find(kind).into_iter().flat_map(|kind| self.index.of_kind(kind))
    }

    /// Makes a change.
    pub(crate) fn apply(&mut self, change: &Change) {
        match change {
            Change::Document { id, after, .. } => self.set(id, after.as_ref()),
            Change::Record { key, after, .. } => self.set_record(key, after.clone()),
        }
    }

    /// Takes the newest change back.
    pub(crate) fn undo(&mut self, change: &Change) {
        match change {
            Change::Document { id, before, .. } => self.set(id, before.as_ref()),
            Change::Record { key, before, .. } => self.set_record(key, before.clone()),
        }
    }

    /// Says which commit it shows now.
    pub(crate) const fn advance(&mut self, revision: Revision) {
        self.revision = revision;
    }

    pub(crate) fn set(&mut self, id: &ResourceId, document: Option<&Arc<Document>>) {
        let before = match document {
            Some(document) => match self.documents.get_mut(id) {
                Some(place) if place.id().as_str() == document.id().as_str() => {
                    Some(std::mem::replace(place, document.clone()))
                }
                // The key is replaced too: its spelling is the document's.
                _ => {
                    let before = self.documents.remove(id);
                    self.documents.insert(document.id().clone(), document.clone());
                    before
                }
            },
            None => self.documents.remove(id),
        };
        if let (Some(before), Some(after)) = (&before, document)
            && before.is_indexed_as(after)
        {
            return;
        }
        if let Some(before) = &before {
            self.index.remove(before);
            self.bindings.remove(before);
        }
        if let Some(document) = document {
            self.index.insert(document);
            self.bindings.insert(document);
        }
    }

    fn set_record(&mut self, key: &Arc<str>, value: Option<Arc<Value>>) {
        self.bindings.set_record(key, value.as_deref());
        match value {
            Some(value) => self.records.insert(key.clone(), value),
            None => self.records.remove(key),
        };
    }
}

/// Whether an id is under a scope.
fn is_inside(id: &ResourceId, scope: &ResourceId) -> bool {
    starts_with(id, scope.as_str()) && id.as_str().as_bytes().get(scope.as_str().len()) == Some(&b'/')
}

fn starts_with(id: &ResourceId, prefix: &str) -> bool {
    let start = id.as_str().as_bytes().get(..prefix.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
}

fn depth(id: &ResourceId) -> usize {
    id.as_str().bytes().filter(|byte| *byte == b'/').count()
}

fn depth_of(document: &Document) -> usize {
    depth(document.id())
}

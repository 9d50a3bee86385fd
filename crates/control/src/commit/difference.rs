//! What differs between two worlds: what listeners are told when everything was read anew.

use std::sync::Arc;

use palisade_model::ResourceId;

use crate::world::Document;
use crate::{Committed, World, fleet};

/// What is another in `after`, as one commit.
pub(super) fn difference(before: &World, after: &World) -> Committed {
    let mut changed: Vec<ResourceId> = Vec::new();
    for document in after.documents() {
        let is_same = |other: &&Arc<Document>| other.says_as(document) && other.etag() == document.etag();
        if before.document(document.id()).filter(is_same).is_none() {
            changed.push(document.id().clone());
        }
    }
    changed.extend(before.documents().map(|d| d.id()).filter(|id| after.document(id).is_none()).cloned());
    let mut records: Vec<String> = Vec::new();
    records.extend(
        after
            .records("")
            .filter(|(key, value)| before.record(key) != Some(*value))
            .map(|(key, _)| key.to_owned()),
    );
    records.extend(
        before.records("").map(|(key, _)| key).filter(|key| after.record(key).is_none()).map(str::to_owned),
    );
    let hosts = fleet::concerned(before, after, &changed);
    Committed { revision: after.revision(), changed, records, hosts, callers: Vec::new() }
}

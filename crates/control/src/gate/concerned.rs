//! What a write concerns: the interfaces that it judges otherwise, and the sets whose words mean something else after it.
//!
//! An interface is found by references, as for its host. A word of an intent may also change its meaning far from the interfaces
//! that must keep to it: then all of its scope are asked, which is slower and never wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use palisade_analysis::intent::Intents;
use palisade_model::ResourceId;
use serde_json::Value;

use super::sets::Set;
use super::touched::Touched;
use super::{interfaces, is_within, names};
use crate::kinds::{self, INTENTS};
use crate::plan::Draft;
use crate::world::{Change, Document};
use crate::{World, fleet};

/// What a write concerns.
#[derive(Debug, Default)]
pub(super) struct Concerned {
    /// Interfaces that may be judged otherwise and are there after it.
    pub(super) nics: BTreeSet<ResourceId>,
    /// Everything that says something else.
    changed: Vec<Changed>,
}

/// A document before and after.
#[derive(Debug)]
pub(super) struct Changed {
    pub(super) id: ResourceId,
    pub(super) before: Option<Arc<Document>>,
    pub(super) after: Option<Arc<Document>>,
}

/// Intents of a set, and the interfaces at which they are asked.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) set: Arc<Set>,
    /// Those of its intents that the write can matter to.
    pub(super) intents: Intents,
    pub(super) about: BTreeSet<ResourceId>,
    /// Whether the write makes or changes the set itself.
    pub(super) is_new: bool,
}

impl Concerned {
    /// What a draft has done since a mark.
    pub(super) fn of(draft: &mut Draft<'_>, from: usize) -> Self {
        let changed = changed(draft, from);
        if changed.is_empty() {
            return Self::default();
        }
        let ids = || changed.iter().map(|one| &one.id);
        let mut nics = BTreeSet::new();
        let mut found = |nic: &Arc<Document>| nics.extend([nic.id().clone()]);
        fleet::judged(draft.world(), ids(), &mut found);
        draft.look_back(from, |world| fleet::judged(world, ids(), &mut found));
        nics.retain(|id| draft.world().document(id).is_some());
        Self { nics, changed }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.changed.is_empty()
    }

    /// The sets that must be asked, and at which interfaces.
    pub(super) fn asked(&self, world: &World, sets: &[Arc<Set>]) -> Vec<Asked> {
        let touched = Touched::of(world, &self.changed);
        let one = |set: &Arc<Set>| {
            let is_new = self.changed.iter().any(|changed| changed.id == set.id);
            if is_new || names::have_moved(set, &self.changed) {
                return Asked::whole(world, set.clone(), is_new);
            }
            let about = self.nics.iter().filter(|id| is_within(id, &set.scope)).cloned().collect();
            let intents = set.intents.intents.iter().filter(|intent| touched.concerns(intent));
            let intents = Intents { intents: intents.cloned().collect() };
            Asked { set: set.clone(), intents, about, is_new }
        };
        sets.iter().map(one).filter(|asked| !asked.is_empty()).collect()
    }
}

impl Asked {
    /// All of a set, at every interface of its scope.
    pub(super) fn whole(world: &World, set: Arc<Set>, is_new: bool) -> Self {
        Self { intents: set.intents.clone(), about: interfaces(world, &set.scope), set, is_new }
    }

    /// Whether there is nothing to ask.
    pub(super) fn is_empty(&self) -> bool {
        self.about.is_empty() || self.intents.intents.is_empty()
    }
}

/// Everything that says something else than at the mark. Another ETag alone says nothing.
fn changed(draft: &Draft<'_>, from: usize) -> Vec<Changed> {
    let mut first: BTreeMap<&ResourceId, &Option<Arc<Document>>> = BTreeMap::new();
    for change in &draft.changes()[from..] {
        if let Change::Document { id, before, .. } = change {
            first.entry(id).or_insert(before);
        }
    }
    let all = first.into_iter().map(|(id, before)| Changed {
        id: id.clone(),
        before: before.clone(),
        after: draft.world().document(id).cloned(),
    });
    all.filter(|one| one.kind().is_some_and(|kind| kind == INTENTS || is_of_networks(kind)))
        .filter(|one| body(&one.before) != body(&one.after))
        .collect()
}

/// What of a document could matter. Resource tags of intents do not.
fn body(document: &Option<Arc<Document>>) -> Option<&Value> {
    document.as_ref().map(|document| match document.kind().name {
        INTENTS => document.properties(),
        _ => document.body(),
    })
}

/// What can matter to packets: networks, who has doors, who is isolated, and who is locked out.
fn is_of_networks(kind: &str) -> bool {
    const GUARDED: [&str; 5] = [kinds::JIT, kinds::TUNNEL, kinds::VM, kinds::QUARANTINE, kinds::LOCKOUT];
    kind.starts_with("Microsoft.Network/") || GUARDED.contains(&kind)
}

impl Changed {
    /// The kind of the document.
    pub(super) fn kind(&self) -> Option<&'static str> {
        self.before.as_ref().or(self.after.as_ref()).map(|document| document.kind().name)
    }

    /// Whether a member of `properties` is another one.
    pub(super) fn differs_in(&self, member: &str) -> bool {
        let value = |document: &'_ Option<Arc<Document>>| {
            document.as_ref().and_then(|one| one.properties().get(member).cloned())
        };
        value(&self.before) != value(&self.after)
    }
}

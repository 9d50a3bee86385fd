//! The intents that stand in the world: one set a resource, read once for each version of it.
//!
//! Invariant: what cannot be read is an error to whoever asks, never nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use palisade_analysis::intent::{self, Intents};
use palisade_model::ResourceId;
use serde_json::Value;

use crate::kinds::INTENTS;
use crate::world::Document;
use crate::{ControlError, World};

/// Most resources with intents.
pub(crate) const SETS_MAX: usize = 100;

/// Intents of one resource.
#[derive(Debug)]
pub(super) struct Set {
    /// The resource.
    pub(super) id: ResourceId,
    /// Where it stands: the interfaces below are what it is about.
    pub(super) scope: ResourceId,
    pub(super) intents: Intents,
}

/// Sets that were read, with what each was read from.
#[derive(Debug, Default)]
pub(super) struct Sets(Mutex<HashMap<ResourceId, Read>>);

/// A document, and the set that was read from it.
type Read = (Arc<Document>, Arc<Set>);

impl Sets {
    /// Every set of a world.
    pub(super) fn of(&self, world: &World) -> Result<Vec<Arc<Set>>, ControlError> {
        // What a panic left is whole: entries are replaced at once.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|id, _| world.document(id).is_some());
        let documents = world.of_kind(INTENTS).filter_map(|id| world.document(id));
        let sets = documents.map(|document| {
            if let Some((source, set)) = known.get(document.id())
                && Arc::ptr_eq(source, document)
            {
                return Ok(set.clone());
            }
            let set = Arc::new(Set::new(document)?);
            known.insert(document.id().clone(), (document.clone(), set.clone()));
            Ok(set)
        });
        sets.collect()
    }
}

impl Set {
    fn new(document: &Document) -> Result<Self, ControlError> {
        let id = document.id().clone();
        let scope = id.as_str().rsplit_once("/providers/").map_or("", |(scope, _)| scope);
        let (scope, intents) = (ResourceId::new(scope), read(id.name(), document.properties())?);
        Ok(Self { id, scope, intents })
    }
}

/// Reads the properties of a resource as a document of intents.
///
/// # Errors
/// `InvalidIntents`, with all that is wrong.
pub(crate) fn read(name: &str, properties: &Value) -> Result<Intents, ControlError> {
    let text = serde_json::to_string(properties).expect("JSON can be written");
    intent::read(name, &text).map_err(|problems| {
        let wrong = problems.into_iter().map(|problem| {
            let target = format!("properties{}", problem.pointer.replace('/', "."));
            ControlError::bad("InvalidIntents", problem.message).about(target)
        });
        let unread = || ControlError::bad("InvalidIntents", "the intents cannot be read");
        ControlError::several(wrong.collect()).unwrap_or_else(unread)
    })
}

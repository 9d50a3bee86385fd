//! The planner's world and what was done to it since the last commit.

use std::sync::Arc;

use palisade_model::ResourceId;
use serde_json::Value;

use crate::world::{Change, Document, World};

/// A world that runs ahead of what is committed.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    world: &'a mut World,
    changes: Vec<Change>,
}

impl<'a> Draft<'a> {
    pub(crate) const fn new(world: &'a mut World) -> Self {
        Self { world, changes: Vec::new() }
    }

    pub(crate) const fn world(&self) -> &World {
        self.world
    }

    /// Changes since [`Draft::new`], oldest first.
    pub(crate) fn changes(&self) -> &[Change] {
        &self.changes
    }

    pub(crate) fn into_changes(self) -> Vec<Change> {
        self.changes
    }

    /// How much has been done.
    pub(crate) const fn mark(&self) -> usize {
        self.changes.len()
    }

    /// Takes back everything after a mark, newest first.
    pub(crate) fn roll_back(&mut self, mark: usize) {
        while self.changes.len() > mark {
            if let Some(change) = self.changes.pop() {
                self.world.undo(&change);
            }
        }
    }

    /// Looks at the world as it was at a mark.
    pub(crate) fn look_back<R>(&mut self, mark: usize, look: impl FnOnce(&World) -> R) -> R {
        self.changes[mark..].iter().rev().for_each(|change| self.world.undo(change));
        let seen = look(self.world);
        self.changes[mark..].iter().for_each(|change| self.world.apply(change));
        seen
    }

    pub(crate) fn put(&mut self, document: Document) {
        let id = document.id().clone();
        self.write(Change::Document {
            before: self.world.document(&id).cloned(),
            after: Some(Arc::new(document)),
            id,
        });
    }

    pub(crate) fn remove(&mut self, id: &ResourceId) {
        if let Some(before) = self.world.document(id).cloned() {
            self.write(Change::Document { id: before.id().clone(), before: Some(before), after: None });
        }
    }

    pub(crate) fn put_record(&mut self, key: &str, value: Option<Value>) {
        let before = self.world.record_shared(key);
        self.write(Change::Record { key: key.into(), before, after: value.map(Arc::new) });
    }

    fn write(&mut self, change: Change) {
        self.world.apply(&change);
        self.changes.push(change);
    }
}

//! Where resources and their children stand in the lists of the spec, by id.
//!
//! Files are merged: a resource that is given twice with the same content is one, a child that is given inside its parent
//! and again alone is one, and where they differ the later is what counts.

use std::collections::HashMap;
use std::fmt::Debug;

use palisade_model::ResourceId;

use super::walk::{Walk, content};

/// A list of the spec, or of one resource in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum List {
    Nsgs,
    Rules,
    Asgs,
    Networks,
    Subnets,
    Peerings,
    RouteTables,
    Routes,
    Nics,
    PublicIps,
    LoadBalancers,
    NatRules,
    AdminCollections,
    AdminRules,
    Throttles,
}

/// Indexes into lists. The number in the key is that of the parent in its list, 0 for what has none: when a parent is
/// given again with other content, the children of the earlier copy stay behind with it.
#[derive(Debug, Default)]
pub(super) struct Index(HashMap<(List, usize, ResourceId), usize>);

impl Index {
    /// The last resource of this id.
    pub(super) fn find(&self, list: List, id: &ResourceId) -> Option<usize> {
        self.0.get(&(list, 0, id.clone())).copied()
    }

    /// Adds a resource unless the last one of its id has the same content, and tells where it stands.
    pub(super) fn keep<T: Walk + Clone + Debug>(
        &mut self,
        list: List,
        specs: &mut Vec<T>,
        id: &ResourceId,
        spec: T,
    ) -> usize {
        if let Some(at) = self.find(list, id)
            && content(&specs[at]) == content(&spec)
        {
            return at;
        }
        specs.push(spec);
        let at = specs.len() - 1;
        self.0.insert((list, 0, id.clone()), at);
        at
    }

    /// Notes the children that a resource holds, in their order.
    pub(super) fn children(&mut self, list: List, parent: usize, ids: Vec<ResourceId>) {
        for (at, id) in ids.into_iter().enumerate() {
            self.0.insert((list, parent, id), at);
        }
    }

    /// Adds a child, or replaces the one of its id.
    pub(super) fn put<T>(
        &mut self,
        list: List,
        parent: usize,
        children: &mut Vec<T>,
        id: &ResourceId,
        child: T,
    ) {
        let at = *self.0.entry((list, parent, id.clone())).or_insert(children.len());
        match children.get_mut(at) {
            Some(slot) => *slot = child,
            None => children.push(child),
        }
    }
}

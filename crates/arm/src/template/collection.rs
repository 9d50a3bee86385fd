//! Arrays and objects of values, and what bounds them.
//!
//! Invariant: every value is at most [`VALUE_DEPTH_MAX`] deep and holds at most [`VALUE_NODES_MAX`] values with
//! shared parts counted each time, so walking, printing and dropping one is always affordable. The constructors
//! are the only way to make a collection, and they check.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::limits::{VALUE_DEPTH_MAX, VALUE_NODES_MAX};
use super::problem::Fault;
use super::value::Value;

/// How much a value holds, through all its levels.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Weight {
    pub(super) nodes: usize,
    pub(super) depth: usize,
}

impl Weight {
    /// What a plain value weighs.
    pub(super) const LEAF: Self = Self { nodes: 1, depth: 1 };

    fn of<'v>(children: impl Iterator<Item = &'v Value>) -> Result<Self, Fault> {
        let mut weight = Self { nodes: 1, depth: 1 };
        for child in children {
            let inner = child.data.weight();
            weight.nodes = weight.nodes.saturating_add(inner.nodes);
            weight.depth = weight.depth.max(inner.depth + 1);
        }
        if weight.nodes > VALUE_NODES_MAX {
            return Err(Fault::limit(format!("a value holds more than {VALUE_NODES_MAX} values")));
        }
        if weight.depth > VALUE_DEPTH_MAX {
            return Err(Fault::limit(format!("a value nests deeper than {VALUE_DEPTH_MAX} levels")));
        }
        Ok(weight)
    }
}

/// The elements of an array.
#[derive(Debug, Clone, Default)]
pub struct List {
    items: Vec<Value>,
    weight: Weight,
}

impl PartialEq for List {
    fn eq(&self, other: &Self) -> bool {
        self.items == other.items
    }
}

impl List {
    pub(super) fn new(items: Vec<Value>) -> Result<Arc<Self>, Fault> {
        let weight = Weight::of(items.iter())?;
        Ok(Arc::new(Self { items, weight }))
    }

    pub(super) fn weight(&self) -> Weight {
        self.weight
    }

    /// The elements.
    pub fn items(&self) -> &[Value] {
        &self.items
    }
}

/// The members of an object, in the order they were made. Keys differ in more than case.
#[derive(Debug, Clone, Default)]
pub struct Map {
    members: Vec<(Arc<str>, Value)>,
    /// Places by lower-case key, kept where searching would take long.
    index: HashMap<String, usize>,
    weight: Weight,
}

/// Objects with more members than this keep an index.
const INDEXED_FROM: usize = 16;

impl PartialEq for Map {
    /// Order does not count; the case of keys does not either.
    fn eq(&self, other: &Self) -> bool {
        self.members.len() == other.members.len()
            && self.members.iter().all(|(key, value)| other.get(key).is_some_and(|theirs| theirs == value))
    }
}

impl Map {
    /// Later members replace earlier ones of the same key, at the earlier one's place.
    pub(super) fn new(members: Vec<(Arc<str>, Value)>) -> Result<Arc<Self>, Fault> {
        let mut index = HashMap::with_capacity(members.len());
        let mut unique: Vec<(Arc<str>, Value)> = Vec::with_capacity(members.len());
        for (key, value) in members {
            match index.entry(key.to_lowercase()) {
                Entry::Occupied(place) => {
                    let place: usize = *place.get();
                    unique[place].1 = value;
                }
                Entry::Vacant(place) => {
                    place.insert(unique.len());
                    unique.push((key, value));
                }
            }
        }
        if unique.len() <= INDEXED_FROM {
            index = HashMap::new();
        }
        let weight = Weight::of(unique.iter().map(|(_, value)| value))?;
        Ok(Arc::new(Self { members: unique, index, weight }))
    }

    pub(super) fn weight(&self) -> Weight {
        self.weight
    }

    /// Keys and values, in order.
    pub fn members(&self) -> &[(Arc<str>, Value)] {
        &self.members
    }

    /// The value under this key, without regard to case.
    pub fn get(&self, key: &str) -> Option<&Value> {
        if self.index.is_empty() {
            return self.members.iter().find(|(k, _)| same_key(k, key)).map(|(_, value)| value);
        }
        self.index.get(&key.to_lowercase()).map(|&place| &self.members[place].1)
    }
}

/// Keys and names are the same when they differ in case only.
pub(super) fn same_key(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b) || (!a.is_ascii() && a.to_lowercase() == b.to_lowercase())
}

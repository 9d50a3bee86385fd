//! A block of Terraform values beside its mask and its expressions.

use palisade_model::ResourceId;

use super::body::{self, Body, Planned as Property};
use super::identity::Ids;
use super::plan::{Plan, Planned, items};
use crate::json::{Node, Position};

/// A resource's values, or a block nested in them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block<'a, 'p> {
    pub(super) plan: &'p Plan<'a>,
    pub(super) ids: &'p Ids,
    /// The resource the block is of.
    pub(super) resource: &'p Planned<'a>,
    values: &'a Node,
    unknown: Option<&'a Node>,
    expressions: Option<&'a Node>,
}

impl<'a, 'p> Block<'a, 'p> {
    pub(super) fn new(plan: &'p Plan<'a>, ids: &'p Ids, resource: &'p Planned<'a>) -> Self {
        let (values, unknown, expressions) = (resource.values, resource.unknown, resource.expressions);
        Self { plan, ids, resource, values, unknown, expressions }
    }

    /// Where it stands.
    pub(super) fn at(&self) -> Position {
        self.values.at
    }

    /// Whether the value is known only after apply.
    pub(super) fn is_unknown(&self, key: &str) -> bool {
        self.unknown.and_then(|mask| mask.get(key)?.as_bool()) == Some(true)
    }

    /// Whether the configuration sets it. A state has no configuration, and its values are all that counts.
    pub(super) fn is_configured(&self, key: &str) -> bool {
        self.expressions.is_none_or(|expressions| expressions.get(key).is_some())
    }

    /// A property as it is planned.
    pub(super) fn get(&self, key: &str) -> Option<Property> {
        if self.is_unknown(key) {
            return Some(Property::Unknown(self.at()));
        }
        let value = self.values.get(key).filter(|value| !value.is_null())?;
        Some(Property::Known(value.clone(), self.unknown.and_then(|mask| mask.get(key)).cloned()))
    }

    /// The value, if it is known.
    pub(super) fn known(&self, key: &str) -> Option<&'a Node> {
        self.values.get(key).filter(|value| !value.is_null() && !self.is_unknown(key))
    }

    /// Copies properties under their own names, which an item finds in spite of underscores.
    pub(super) fn copy(&self, body: &mut Body, keys: &[&str]) {
        for key in keys {
            body.set(key, self.get(key));
        }
    }

    /// Nested blocks. A dynamic block has fewer expressions than values; its references cannot be told.
    pub(super) fn blocks(&self, key: &str) -> Vec<Self> {
        let values = items(self.values.get(key));
        let masks = items(self.unknown.and_then(|mask| mask.get(key)));
        let expressions = items(self.expressions.and_then(|expressions| expressions.get(key)));
        let block = |(index, values): (usize, &'a Node)| Self {
            values,
            unknown: masks.get(index),
            expressions: expressions
                .get(index)
                .filter(|_| expressions.len() == items(self.values.get(key)).len()),
            ..*self
        };
        values.iter().enumerate().map(block).collect()
    }

    /// The id that a property gives or refers to.
    pub(super) fn id(&self, key: &str, kind: &str) -> Option<Result<ResourceId, ()>> {
        if let Some(id) = self.known(key).and_then(Node::as_str).filter(|id| !id.is_empty()) {
            return Some(Ok(ResourceId::new(id)));
        }
        if !self.is_unknown(key) {
            return None;
        }
        let expression = self.expressions.and_then(|expressions| expressions.get(key));
        Some(match self.plan.referred(self.resource, expression, kind)[..] {
            [one] => self.ids.of(one.address).cloned().ok_or(()),
            _ => Err(()),
        })
    }

    /// A property that holds an id, as a reference.
    pub(super) fn reference(&self, key: &str, kind: &str) -> Option<Property> {
        let at = self.known(key).map_or(self.at(), |value| value.at);
        self.id(key, kind).map(|id| match id {
            Ok(id) => reference(&id, at),
            Err(()) => Property::Unknown(at),
        })
    }

    /// A property that holds a list of ids, as references.
    pub(super) fn references(&self, key: &str, kind: &str) -> Option<Property> {
        if let Some(list) = self.known(key).and_then(Node::as_array) {
            let one = |node: &Node| {
                let mut body = Body::default();
                body.set("id", node.as_str().map(|id| body::text(id, node.at)));
                body
            };
            // Elements that are not known are null in the values and true in the mask.
            if list.iter().all(|node| node.as_str().is_some()) {
                return Some(body::list(list.iter().map(one).collect(), self.at()));
            }
        } else if !self.is_unknown(key) {
            return None;
        }
        let expression = self.expressions.and_then(|expressions| expressions.get(key));
        let referred = self.plan.referred(self.resource, expression, kind);
        let ids: Option<Vec<&ResourceId>> =
            referred.iter().map(|planned| self.ids.of(planned.address)).collect();
        Some(match ids {
            Some(ids) if !ids.is_empty() => {
                let one = |id: &&ResourceId| {
                    let mut body = Body::default();
                    body.set("id", Some(body::text(id.as_str(), self.at())));
                    body
                };
                body::list(ids.iter().map(one).collect(), self.at())
            }
            _ => Property::Unknown(self.at()),
        })
    }
}

/// `{"id": ...}`
pub(super) fn reference(id: &ResourceId, at: Position) -> Property {
    let mut body = Body::default();
    body.set("id", Some(body::text(id.as_str(), at)));
    body.planned(at)
}

//! Copy loops over properties and variables, and the counts of all loops.

use std::sync::Arc;

use super::collection::List;
use super::limits::COPY_COUNT_MAX;
use super::problem::Fault;
use super::scope::{Frame, Index};
use super::session::Evaluator;
use super::unknown::{Reason, Unknown};
use super::value::{Data, Location, Type, Value};
use crate::json::Node;

/// How often a loop runs.
pub(super) enum Count {
    Known(i64),
    Unknown(Arc<Unknown>),
}

impl<'a> Evaluator<'a> {
    /// Reads a loop's `count`.
    pub(super) fn count(&self, entry: &'a Node, frame: &Frame<'a>) -> Result<Count, Fault> {
        let Some(node) = entry.get("count") else {
            return Err(Fault::new("The template copy definition has no 'count'"));
        };
        let value = self.node(node, frame);
        // Counts come as text from parameter files that quote their numbers.
        let written = value.as_str().and_then(|text| text.trim().parse().ok());
        match (&value.data, value.as_i64().or(written)) {
            (Data::Unknown(unknown), _) => Ok(Count::Unknown(unknown.clone())),
            (_, Some(count)) if (0..=COPY_COUNT_MAX).contains(&count) => Ok(Count::Known(count)),
            (_, Some(count)) => Err(Fault::new(format!(
                "The template copy count '{count}' is not valid: it must be a non-negative integer and not more \
                 than '{COPY_COUNT_MAX}'. Please see https://aka.ms/arm-copy for usage details"
            ))),
            (_, None) => Err(Fault::new(format!(
                "The template copy count must be of type 'Integer', it is of type '{}'",
                value.type_of().name()
            ))),
        }
    }

    /// Expands `"copy": [{name, count, input}]` of an object into members.
    pub(super) fn property_copies(
        &self,
        entries: &'a [Node],
        frame: &Frame<'a>,
        members: &mut Vec<(Arc<str>, Value)>,
    ) {
        for entry in entries {
            let (name, value) = self.copied(entry, frame);
            members.push((name, value));
        }
    }

    /// One property or variable copy: its name and the array it makes.
    pub(super) fn copied(&self, entry: &'a Node, frame: &Frame<'a>) -> (Arc<str>, Value) {
        let at = Location::new(frame.scope.source, entry.at);
        let name = entry.get("name").map(|node| self.node(node, frame));
        let name = name.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
        let value = match self.iterations(entry, &name, frame, at, false) {
            Ok(value) => value,
            Err(fault) => {
                self.report_fault(&fault, frame, at);
                self.failed(&format!("copy('{name}')"), at)
            }
        };
        (name.into(), value)
    }

    /// The array a loop makes of its `input`. `default` loops answer to `copyIndex()` without a name.
    pub(super) fn iterations(
        &self,
        entry: &'a Node,
        name: &str,
        frame: &Frame<'a>,
        at: Location,
        default: bool,
    ) -> Result<Value, Fault> {
        let Some(input) = entry.get("input") else {
            return Err(Fault::new(format!("The template copy definition '{name}' has no 'input'")));
        };
        let count = match self.count(entry, frame)? {
            Count::Known(count) => count,
            Count::Unknown(unknown) => {
                let expression = format!("copy('{name}', {})", unknown.expression());
                let reasons = unknown.reasons().iter().cloned().chain([Reason::CopyCount(name.to_owned())]);
                return Ok(Value::new(
                    Data::Unknown(Unknown::because(expression, Some(Type::Array), reasons)),
                    at,
                ));
            }
        };
        let items = (0..count).map(|index| self.node(input, &frame.looped(name, Index::At(index), default)));
        Ok(Value::new(Data::Array(List::new(items.collect())?), at))
    }
}

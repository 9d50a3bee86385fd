//! Nodes and expressions to values.
//!
//! [`Evaluator::node`] never fails: what goes wrong inside a string is reported at that string, and an unknown
//! with [`Reason::Failed`] takes its place, so one bad property does not hide
//! the rest of a resource.

use std::sync::Arc;

use super::ast::Expr;
use super::collection::{List, Map};
use super::functions::{canonical, derived};
use super::problem::Fault;
use super::scope::Frame;
use super::session::Evaluator;
use super::text::Text;
use super::unknown::{Reason, Unknown};
use super::value::{Data, Location, SourceId, Type, Value};
use crate::json::{self, Node};

/// Where an expression is evaluated: what names mean there, and the place results are said to come from.
#[derive(Clone, Copy)]
pub(super) struct Cx<'f, 'a> {
    pub(super) frame: &'f Frame<'a>,
    pub(super) at: Location,
}

impl<'a> Evaluator<'a> {
    /// Evaluates a piece of template JSON: every string may be an expression, every object may hold a copy loop.
    pub(super) fn node(&self, node: &'a Node, frame: &Frame<'a>) -> Value {
        let at = Location::new(frame.scope.source, node.at);
        match self.try_node(node, frame, at) {
            Ok(value) => value,
            Err(fault) => {
                self.report_fault(&fault, frame, at);
                self.failed(node.as_str().map_or("...", inner), at)
            }
        }
    }

    fn try_node(&self, node: &'a Node, frame: &Frame<'a>, at: Location) -> Result<Value, Fault> {
        let _level = self.descend()?;
        let data = match &node.kind {
            json::Kind::String(text) => {
                return Ok(Value { at, ..self.string(node, text, frame, at)? });
            }
            json::Kind::Array(items) => {
                Data::Array(List::new(items.iter().map(|item| self.node(item, frame)).collect())?)
            }
            json::Kind::Object(object) => Data::Object(self.object(object, frame)?),
            plain => scalar(plain),
        };
        Ok(Value { data, at })
    }

    fn string(&self, node: &'a Node, text: &'a str, frame: &Frame<'a>, at: Location) -> Result<Value, Fault> {
        if !text.starts_with('[') {
            return Ok(Value::new(text, at));
        }
        let expr = self.parsed(node, text).map_err(|error| Fault::new(error.to_string()))?;
        self.expr(&expr, Cx { frame, at })
    }

    fn object(&self, object: &'a json::Object, frame: &Frame<'a>) -> Result<Arc<Map>, Fault> {
        let mut members = Vec::with_capacity(object.len());
        for member in object.members() {
            if member.key.eq_ignore_ascii_case("copy")
                && let Some(loops) = property_loops(&member.value)
            {
                self.property_copies(loops, frame, &mut members);
                continue;
            }
            members.push((self.key(member, frame)?, self.node(&member.value, frame)));
        }
        Map::new(members)
    }

    /// Keys may be expressions too: `userAssignedIdentities` has resource ids for keys.
    fn key(&self, member: &'a json::Member, frame: &Frame<'a>) -> Result<Arc<str>, Fault> {
        if !member.key.starts_with('[') {
            return Ok(member.key.as_str().into());
        }
        let at = Location::new(frame.scope.source, member.key_at);
        let expr =
            super::parser::parse_template_string(&member.key).map_err(|e| Fault::new(e.to_string()))?;
        let value = self.expr(&expr, Cx { frame, at })?;
        match value.text() {
            Some(text) => self.text(text.to_string()),
            None => Err(Fault::new(format!(
                "the property name '{}' must be a string, not of type '{}'",
                member.key,
                value.type_of().name()
            ))),
        }
    }

    /// Takes JSON as it stands: no expressions, no loops. Parameter files are read so.
    pub(super) fn literal(&self, node: &'a Node, source: SourceId) -> Result<Value, Fault> {
        let _level = self.descend()?;
        let data = match &node.kind {
            json::Kind::String(text) => Data::from(text.as_str()),
            json::Kind::Array(items) => {
                let items = items.iter().map(|item| self.literal(item, source));
                Data::Array(List::new(items.collect::<Result<_, _>>()?)?)
            }
            json::Kind::Object(object) => {
                let members = object
                    .members()
                    .iter()
                    .map(|m| Ok((m.key.as_str().into(), self.literal(&m.value, source)?)))
                    .collect::<Result<_, Fault>>()?;
                Data::Object(Map::new(members)?)
            }
            plain => scalar(plain),
        };
        Ok(Value { data, at: Location::new(source, node.at) })
    }

    /// Evaluates an expression.
    pub(super) fn expr(&self, expr: &Expr, cx: Cx<'_, 'a>) -> Result<Value, Fault> {
        let _level = self.descend()?;
        match expr {
            Expr::Text(text) => Ok(Value::new(Text::from(text.clone()), cx.at)),
            Expr::Int(value) => Ok(Value::new(Data::Int(*value), cx.at)),
            Expr::Call(call) => self.call(call, cx),
            Expr::Property(base, name) => {
                let base = self.expr(base, cx)?;
                self.property(&base, name)
            }
            Expr::Index(base, index) => {
                let base = self.expr(base, cx)?;
                let index = self.expr(index, cx)?;
                self.index(&base, &index)
            }
        }
    }

    /// `base.name`
    pub(super) fn property(&self, base: &Value, name: &str) -> Result<Value, Fault> {
        match &base.data {
            Data::Object(map) => map.get(name).cloned().ok_or_else(|| missing_property(map, name)),
            Data::Unknown(unknown) => Ok(part_of_unknown(base, unknown, name)),
            other => Err(Fault::new(format!(
                "The language expression property '{name}' can't be evaluated on a value of type '{}'",
                other.type_of().unwrap_or(Type::Null).name()
            ))),
        }
    }

    /// `base[index]`
    pub(super) fn index(&self, base: &Value, index: &Value) -> Result<Value, Fault> {
        match (&base.data, &index.data) {
            (Data::Array(list), Data::Int(at)) => element(list, *at).cloned().ok_or_else(|| {
                Fault::new(format!(
                    "The language expression property array index '{at}' is out of bounds of an array of {}",
                    list.items().len()
                ))
            }),
            (_, Data::Text(name)) if name.is_known() => self.property(base, name.known().unwrap_or_default()),
            (Data::Unknown(unknown), Data::Int(at)) => Ok(element_of_unknown(base, unknown, *at)),
            (Data::Unknown(_), _) | (_, Data::Unknown(_)) | (Data::Object(_), Data::Text(_)) => {
                let expression = format!("{}[{}]", canonical(base), canonical(index));
                Ok(derived(expression, None, [base, index], base.at))
            }
            (_, index) => Err(Fault::new(format!(
                "The language expression can't index a value of type '{}' with a value of type '{}'",
                base.type_of().name(),
                index.type_of().unwrap_or(Type::Null).name()
            ))),
        }
    }
}

/// The text between the brackets of an expression string; any other string itself.
fn inner(text: &str) -> &str {
    text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text)
}

fn scalar(kind: &json::Kind) -> Data {
    match kind {
        json::Kind::Bool(value) => Data::Bool(*value),
        json::Kind::Number(number) => number.int.map_or(Data::Float(number.float), Data::Int),
        _ => Data::Null,
    }
}

/// The entries of a property copy: `"copy": [{"name", "count", "input"}]`. Any other `copy` is a plain property.
pub(super) fn property_loops(node: &Node) -> Option<&[Node]> {
    let entries = node.as_array()?;
    let looks_right = |entry: &Node| entry.get("name").is_some() && entry.get("input").is_some();
    (!entries.is_empty() && entries.iter().all(looks_right)).then_some(entries)
}

fn element(list: &List, index: i64) -> Option<&Value> {
    list.items().get(usize::try_from(index).ok()?)
}

fn missing_property(map: &Map, name: &str) -> Fault {
    let names: Vec<&str> = map.members().iter().take(20).map(|(key, _)| key.as_ref()).collect();
    Fault::new(format!(
        "The language expression property '{name}' doesn't exist, available properties are '{}'",
        names.join(", ")
    ))
}

/// A property of an unknown: declared in its partial value, or unknown in turn.
fn part_of_unknown(base: &Value, unknown: &Arc<Unknown>, name: &str) -> Value {
    let expression = format!("{}.{name}", unknown.expression());
    let known = unknown.partial().and_then(|partial| partial.get(name));
    part(base, unknown, expression, known)
}

fn element_of_unknown(base: &Value, unknown: &Arc<Unknown>, index: i64) -> Value {
    let expression = format!("{}[{index}]", unknown.expression());
    let known = match unknown.partial().map(|partial| &partial.data) {
        Some(Data::Array(list)) => element(list, index),
        _ => None,
    };
    part(base, unknown, expression, known)
}

/// Declared scalars are what the live resource will have; declared objects may gain members there, so they stay
/// unknown around what is declared.
fn part(base: &Value, unknown: &Arc<Unknown>, expression: String, known: Option<&Value>) -> Value {
    let reason = || unknown.reasons().first().cloned().unwrap_or(Reason::Failed);
    let data = match known {
        Some(value) if !unknown.is_exact() && may_grow(value) => {
            Data::Unknown(Unknown::with_partial(expression, reason(), value.clone(), false))
        }
        Some(value) => value.data.clone(),
        None => Data::Unknown(Unknown::because(expression, None, unknown.reasons().iter().cloned())),
    };
    Value { data, at: base.at }
}

/// Whether the live resource may have more than what is declared: objects gain members, lists of scalars nothing.
fn may_grow(value: &Value) -> bool {
    match &value.data {
        Data::Object(_) => true,
        Data::Array(list) => list.items().iter().any(may_grow),
        _ => false,
    }
}

//! What expressions evaluate to: JSON with holes, and a place for every value.
//!
//! Copies are cheap: arrays and objects are shared. A place is where a reader of the template would look: the
//! expression that made the value, or the literal itself.
//!
//! Values are bounded in depth and in what they hold (see [`List`] and [`Map`]), so the recursive walks here are
//! always affordable.

use std::sync::Arc;

use super::collection::{List, Map, Weight};
use super::text::Text;
use super::unknown::Unknown;
use crate::json;

/// Which of the evaluated files a place is in; an index into [`super::Deployment::sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, PartialOrd, Ord)]
pub struct SourceId(pub u32);

/// A place in one of the evaluated files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, PartialOrd, Ord)]
pub struct Location {
    /// The file.
    pub source: SourceId,
    /// The offset in it, to find the JSON pointer by.
    pub offset: u32,
    /// Line, from 1; 0 for values that stand in no file.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
}

impl Location {
    pub(super) fn new(source: SourceId, at: json::Position) -> Self {
        Self { source, offset: at.start, line: at.line, column: at.column }
    }
}

/// A value and its place.
#[derive(Debug, Clone)]
pub struct Value {
    /// What it is.
    pub data: Data,
    /// Where it comes from.
    pub at: Location,
}

/// What a [`Value`] is. Equality compares places nowhere.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// `null`
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number. Always finite.
    Float(f64),
    /// A string that is known at least in part.
    Text(Text),
    /// A list.
    Array(Arc<List>),
    /// Keys and values.
    Object(Arc<Map>),
    /// Not known before deployment.
    Unknown(Arc<Unknown>),
}

/// The types of the template language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it all")]
pub enum Type {
    Null,
    Bool,
    Int,
    Float,
    String,
    Array,
    Object,
}

impl Type {
    /// The name Azure uses in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "Null",
            Self::Bool => "Boolean",
            Self::Int => "Integer",
            Self::Float => "Float",
            Self::String => "String",
            Self::Array => "Array",
            Self::Object => "Object",
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.data == other.data
    }
}

impl From<Data> for Value {
    fn from(data: Data) -> Self {
        Self { data, at: Location::default() }
    }
}

impl From<Text> for Data {
    /// A text that is one hole is that unknown.
    fn from(text: Text) -> Self {
        match text.sole_unknown() {
            Some(unknown) => Self::Unknown(unknown.clone()),
            None => Self::Text(text),
        }
    }
}

impl From<&str> for Data {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Data {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl Data {
    /// How much it holds: values, itself included, and pieces of strings; shared parts count each time.
    pub(super) fn size(&self) -> usize {
        self.weight().nodes
    }

    pub(super) fn weight(&self) -> Weight {
        match self {
            Self::Array(list) => list.weight(),
            Self::Object(map) => map.weight(),
            // A long string is as much work as many short ones.
            Self::Text(text) => Weight { nodes: 1 + text.len() / 64, depth: 1 },
            Self::Unknown(unknown) => unknown.partial().map_or(Weight::LEAF, |value| value.data.weight()),
            _ => Weight::LEAF,
        }
    }

    /// The type, or what is known of it.
    pub fn type_of(&self) -> Option<Type> {
        Some(match self {
            Self::Null => Type::Null,
            Self::Bool(_) => Type::Bool,
            Self::Int(_) => Type::Int,
            Self::Float(_) => Type::Float,
            Self::Text(_) => Type::String,
            Self::Array(_) => Type::Array,
            Self::Object(_) => Type::Object,
            Self::Unknown(unknown) => return unknown.kind(),
        })
    }
}

impl Value {
    /// A value at a place.
    pub fn new(data: impl Into<Data>, at: Location) -> Self {
        Self { data: data.into(), at }
    }

    /// The type; [`Type::Null`] when it is unknown and so is its type.
    pub fn type_of(&self) -> Type {
        self.data.type_of().unwrap_or(Type::Null)
    }

    /// The string, when it is one and all of it is known.
    pub fn as_str(&self) -> Option<&str> {
        match &self.data {
            Data::Text(text) => text.known(),
            _ => None,
        }
    }

    /// The string, holes and all. An unknown of unknown type counts as a string.
    pub fn text(&self) -> Option<Text> {
        match &self.data {
            Data::Text(text) => Some(text.clone()),
            Data::Unknown(unknown) => match unknown.kind() {
                None | Some(Type::String) => Some(unknown.clone().into()),
                Some(_) => None,
            },
            _ => None,
        }
    }

    /// The whole number.
    pub fn as_i64(&self) -> Option<i64> {
        match self.data {
            Data::Int(value) => Some(value),
            _ => None,
        }
    }

    /// The truth.
    pub fn as_bool(&self) -> Option<bool> {
        match self.data {
            Data::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The elements.
    pub fn as_array(&self) -> Option<&[Self]> {
        match &self.data {
            Data::Array(list) => Some(list.items()),
            _ => None,
        }
    }

    /// The members.
    pub fn as_object(&self) -> Option<&Map> {
        match &self.data {
            Data::Object(map) => Some(map),
            _ => None,
        }
    }

    /// The unknown, when the whole value is one.
    pub fn as_unknown(&self) -> Option<&Arc<Unknown>> {
        match &self.data {
            Data::Unknown(unknown) => Some(unknown),
            _ => None,
        }
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self.data, Data::Null)
    }

    /// The value under `key`, when it is an object that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_object()?.get(key)
    }

    /// Follows keys and indexes, as `/properties/securityRules/0`.
    pub fn at_pointer(&self, pointer: &str) -> Option<&Self> {
        pointer.split('/').skip(1).try_fold(self, |value, step| match &value.data {
            Data::Object(map) => map.get(&step.replace("~1", "/").replace("~0", "~")),
            Data::Array(list) => list.items().get(step.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// Every unknown in it, at any depth, with the place of the value that holds it.
    pub fn unknowns(&self) -> Vec<(Arc<Unknown>, Location)> {
        let mut found = Vec::new();
        self.collect_unknowns(&mut found);
        found
    }

    fn collect_unknowns(&self, found: &mut Vec<(Arc<Unknown>, Location)>) {
        match &self.data {
            Data::Unknown(unknown) => found.push((unknown.clone(), self.at)),
            Data::Text(text) => found.extend(text.unknowns().map(|unknown| (unknown.clone(), self.at))),
            Data::Array(list) => list.items().iter().for_each(|item| item.collect_unknowns(found)),
            Data::Object(map) => map.members().iter().for_each(|(_, value)| value.collect_unknowns(found)),
            _ => {}
        }
    }

    /// Whether nothing in it is unknown.
    pub fn is_known(&self) -> bool {
        match &self.data {
            Data::Unknown(_) => false,
            Data::Text(text) => text.is_known(),
            Data::Array(list) => list.items().iter().all(Self::is_known),
            Data::Object(map) => map.members().iter().all(|(_, value)| value.is_known()),
            _ => true,
        }
    }

    /// Plain JSON; unknowns become strings that show their expression in braces.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.data {
            Data::Null => Json::Null,
            Data::Bool(value) => Json::Bool(*value),
            Data::Int(value) => Json::from(*value),
            Data::Float(value) => Json::from(*value),
            Data::Text(text) => Json::String(text.to_string()),
            Data::Array(list) => Json::Array(list.items().iter().map(Self::to_json).collect()),
            Data::Object(map) => Json::Object(
                map.members().iter().map(|(key, value)| (key.to_string(), value.to_json())).collect(),
            ),
            Data::Unknown(unknown) => Json::String(unknown.to_string()),
        }
    }
}

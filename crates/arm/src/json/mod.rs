//! A JSON tree that remembers where everything stood in the file.
//!
//! ARM templates, parameter files and `az` dumps are all read into [`Node`], so that a later stage can say
//! "line 84, column 31" about a prefix that makes no sense. The tree knows nothing of templates or of
//! resources. Keys are searched without regard to case, as Azure does, and keep the order and the spelling of
//! the file.
//!
//! Invariant: a tree is at most [`JSON_DEPTH_MAX`] deep, so walking it recursively is safe.

mod convert;
mod parse;
mod position;
#[cfg(test)]
mod tests;

pub use parse::{JSON_BYTES_MAX, JSON_DEPTH_MAX, JsonError, parse, parse_str};
pub use position::Position;

/// A parsed file: its name as the caller gave it, its tree, and what Azure would refuse about it.
#[derive(Debug, Clone)]
pub struct Document {
    /// The name used in messages; usually a path.
    pub name: String,
    /// The one value the file holds.
    pub root: Node,
    /// Keys that occur twice in one object with different values, in the order of the file.
    pub duplicates: Vec<DuplicateKey>,
}

/// A key written twice in one object, with two values. Azure compares keys without case and refuses the file. The same value
/// twice is no contradiction, and published templates have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuplicateKey {
    /// The key, spelt as at its second place.
    pub key: String,
    /// Where it stood first.
    pub first: Position,
    /// Where it stood again.
    pub second: Position,
}

/// One JSON value and its place in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Where it is.
    pub at: Position,
}

/// What a [`Node`] is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, with its text.
    Number(Number),
    /// A string, escapes resolved.
    String(String),
    /// An ordered list.
    Array(Vec<Node>),
    /// Keys and values in the order of the file.
    Object(Object),
}

/// A number: the value, and the text that wrote it.
#[derive(Debug, Clone, PartialEq)]
pub struct Number {
    /// The characters in the file.
    pub raw: String,
    /// The value when it is a whole number within 64 bits.
    pub int: Option<i64>,
    /// The nearest double; always finite.
    pub float: f64,
}

/// The members of an object, in the order of the file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Object {
    members: Vec<Member>,
}

/// One key with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// The key as written.
    pub key: String,
    /// Where the key stands.
    pub key_at: Position,
    /// The value.
    pub value: Node,
}

impl Object {
    /// An object of these members, in this order.
    pub fn new(members: Vec<Member>) -> Self {
        Self { members }
    }

    /// The members in the order of the file.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The first member with this key, without regard to ASCII case.
    pub fn member(&self, key: &str) -> Option<&Member> {
        self.members.iter().find(|m| m.key.eq_ignore_ascii_case(key))
    }

    /// The value under this key, without regard to ASCII case.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.member(key).map(|m| &m.value)
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

impl Node {
    /// The members, when this is an object.
    pub fn as_object(&self) -> Option<&Object> {
        match &self.kind {
            Kind::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The elements, when this is an array.
    pub fn as_array(&self) -> Option<&[Node]> {
        match &self.kind {
            Kind::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The text, when this is a string.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::String(text) => Some(text),
            _ => None,
        }
    }

    /// The truth, when this is a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self.kind {
            Kind::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The whole number, when this is one.
    pub fn as_i64(&self) -> Option<i64> {
        match &self.kind {
            Kind::Number(number) => number.int,
            _ => None,
        }
    }

    /// Whether this is `null`.
    pub fn is_null(&self) -> bool {
        self.kind == Kind::Null
    }

    /// The value under `key` when this is an object that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_object()?.get(key)
    }

    /// What this is, in Azure's words.
    pub fn type_name(&self) -> &'static str {
        match &self.kind {
            Kind::Null => "Null",
            Kind::Bool(_) => "Boolean",
            Kind::Number(n) if n.int.is_some() => "Integer",
            Kind::Number(_) => "Float",
            Kind::String(_) => "String",
            Kind::Array(_) => "Array",
            Kind::Object(_) => "Object",
        }
    }
}

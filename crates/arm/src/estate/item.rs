//! One look at a JSON value, wherever it comes from: a dump, an evaluated template or a Terraform plan.
//!
//! The mapping to the model is written once, over [`Item`]; the three sources differ only here. Keys are found without
//! regard to case or underscores, so that Azure's `sourceAddressPrefix` and Terraform's `source_address_prefix` are one.
//! `null` is absent, and what lies inside an unknown is unknown too. An item knows nothing of resources.

use std::sync::Arc;

use palisade_model::{Place, ResourceId};

use super::terraform::AFTER_APPLY;
use crate::json::{self, Kind, Node};
use crate::template::{Data, Piece, Reason, Text, Value};

/// A file that items point into.
#[derive(Debug, Clone)]
pub(super) struct Source<'a> {
    name: Arc<str>,
    document: Option<&'a json::Document>,
    /// What tells the holes of this evaluation from those of others, where there are others: a parameter of one template
    /// is not that of another.
    scope: Option<Arc<str>>,
}

impl<'a> Source<'a> {
    pub(super) fn new(document: &'a json::Document) -> Self {
        Self { name: document.name.as_str().into(), document: Some(document), scope: None }
    }

    /// A file of which only the name is known.
    pub(super) fn named(name: &str) -> Self {
        Self { name: name.into(), document: None, scope: None }
    }

    /// The same file, its holes told from those of other evaluations.
    pub(super) fn scoped(self, scope: &str) -> Self {
        Self { scope: Some(scope.into()), ..self }
    }

    fn scope(&self) -> Option<&str> {
        self.scope.as_deref()
    }

    /// The place of a line and an offset.
    pub(super) fn place(&self, line: u32, offset: u32) -> Place {
        let pointer = self.document.map(|document| document.pointer_at(offset)).unwrap_or_default();
        Place { file: self.name.clone(), line, pointer }
    }
}

/// A value inside one of a few files.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item<'a> {
    value: Variant<'a>,
    sources: &'a [Source<'a>],
}

#[derive(Debug, Clone, Copy)]
enum Variant<'a> {
    /// Of a dump, or any file read as it is. The file is the first of the sources.
    Json(&'a Node),
    /// Of an evaluated template.
    Value(&'a Value),
    /// Of a Terraform plan: what is planned, beside a mask that is `true` where only applying the plan will tell.
    Plan { value: &'a Node, unknown: Option<&'a Node> },
    /// Wholly unknown until the plan is applied; the node is the mask, or what stands nearest.
    PlanUnknown(&'a Node),
    /// Of a resource that was checked and stored: keys are spelt as Azure spells them, and nothing is unknown.
    Stored(&'a serde_json::Value),
}

/// What an item is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Look {
    Null,
    Bool(bool),
    /// A number, as written.
    Number(String),
    Text(String),
    /// A text with holes: a text that stands for it and is equal wherever the same expression is, and why.
    Symbol(String, String),
    List,
    Object,
    Unknown(String),
}

impl Look {
    /// What the item is, for a message.
    pub(super) const fn describe(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) | Self::Symbol(..) => "a string",
            Self::List => "an array",
            Self::Object => "an object",
            Self::Unknown(_) => "unknown",
        }
    }
}

impl<'a> Item<'a> {
    /// A value of a file that is read as it is.
    pub(super) fn json(node: &'a Node, source: &'a Source<'a>) -> Self {
        Self { value: Variant::Json(node), sources: std::slice::from_ref(source) }
    }

    /// A value of an evaluated template; its locations are indexes into `sources`.
    pub(super) fn value(value: &'a Value, sources: &'a [Source<'a>]) -> Self {
        Self { value: Variant::Value(value), sources }
    }

    /// A value of a Terraform plan and the mask of what is not known.
    pub(super) fn plan(value: &'a Node, unknown: Option<&'a Node>, source: &'a Source<'a>) -> Self {
        Self { value: Variant::Plan { value, unknown }, sources: std::slice::from_ref(source) }
    }

    /// A value of a resource that is stored.
    pub(super) fn stored(value: &'a serde_json::Value) -> Self {
        Self { value: Variant::Stored(value), sources: &[] }
    }

    /// What tells the holes of its evaluation from others.
    fn scope(&self) -> Option<&'a str> {
        self.sources.first().and_then(Source::scope)
    }

    fn with(self, value: Variant<'a>) -> Self {
        Self { value, ..self }
    }

    /// What it is.
    pub(super) fn look(self) -> Look {
        match self.value {
            Variant::Json(node) | Variant::Plan { value: node, .. } => match &node.kind {
                Kind::Null => Look::Null,
                Kind::Bool(value) => Look::Bool(*value),
                Kind::Number(number) => Look::Number(number.raw.clone()),
                Kind::String(text) => Look::Text(text.clone()),
                Kind::Array(_) => Look::List,
                Kind::Object(_) => Look::Object,
            },
            Variant::Value(value) => look_at(&value.data, self.scope()),
            Variant::PlanUnknown(_) => Look::Unknown(AFTER_APPLY.to_owned()),
            Variant::Stored(value) => look_at_stored(value),
        }
    }

    /// A text with holes, or one that is all hole: the text that stands for it, and why it is not known.
    pub(super) fn symbol(self) -> Option<(String, String)> {
        match self.value {
            Variant::Value(value) => value
                .text()
                .filter(|text| !text.is_known())
                .map(|text| (symbol(&text, self.scope()), phrase(&text.reasons()))),
            // The place tells two of them apart.
            Variant::PlanUnknown(node) => {
                Some((format!("{{after apply {}}}", node.at.start), AFTER_APPLY.to_owned()))
            }
            Variant::Json(_) | Variant::Plan { .. } | Variant::Stored(_) => None,
        }
    }

    /// Whether it is `null`.
    pub(super) fn is_null(self) -> bool {
        match self.value {
            Variant::Json(node) | Variant::Plan { value: node, .. } => node.is_null(),
            Variant::Value(value) => value.is_null(),
            Variant::PlanUnknown(_) => false,
            Variant::Stored(value) => value.is_null(),
        }
    }

    /// Why it is not known, if it is not.
    pub(super) fn unknown_reason(self) -> Option<String> {
        match self.look() {
            Look::Symbol(_, reason) | Look::Unknown(reason) => Some(reason),
            _ => None,
        }
    }

    /// The text, if it is one and wholly known.
    pub(super) fn text(self) -> Option<&'a str> {
        match self.value {
            Variant::Json(node) | Variant::Plan { value: node, .. } => node.as_str(),
            Variant::Value(value) => value.as_str(),
            Variant::PlanUnknown(_) => None,
            Variant::Stored(value) => value.as_str(),
        }
    }

    /// The member under `key`; absent if it is `null`. Every member of an unknown is that unknown.
    pub(super) fn get(self, key: &str) -> Option<Self> {
        let found = match self.value {
            Variant::Json(node) => Variant::Json(member(node, key)?),
            Variant::Value(value) => match &value.data {
                Data::Object(map) => Variant::Value(map.get(key)?),
                Data::Unknown(unknown) => {
                    Variant::Value(unknown.partial().and_then(|partial| partial.get(key)).unwrap_or(value))
                }
                _ => return None,
            },
            Variant::Plan { value, unknown } => {
                planned(member(value, key), unknown.and_then(|mask| member(mask, key)))?
            }
            Variant::PlanUnknown(_) => self.value,
            Variant::Stored(value) => Variant::Stored(value.get(key)?),
        };
        Some(self.with(found)).filter(|item| !item.is_null())
    }

    /// The elements of an array.
    pub(super) fn items(self) -> Option<Vec<Self>> {
        let variants: Vec<Variant<'a>> = match self.value {
            Variant::Json(node) => node.as_array()?.iter().map(Variant::Json).collect(),
            Variant::Value(value) => value.as_array()?.iter().map(Variant::Value).collect(),
            Variant::Plan { value, unknown } => {
                let masks = unknown.and_then(Node::as_array).unwrap_or_default();
                let planned = |(index, value)| planned(Some(value), masks.get(index));
                value.as_array()?.iter().enumerate().filter_map(planned).collect()
            }
            Variant::PlanUnknown(_) => return None,
            Variant::Stored(value) => value.as_array()?.iter().map(Variant::Stored).collect(),
        };
        Some(variants.into_iter().map(|variant| self.with(variant)).collect())
    }

    /// Keys and values of an object.
    pub(super) fn members(self) -> Option<Vec<(&'a str, Self)>> {
        let json = |node: &'a Node| -> Option<Vec<(&'a str, Variant<'a>)>> {
            let members = node.as_object()?.members();
            Some(members.iter().map(|member| (member.key.as_str(), Variant::Json(&member.value))).collect())
        };
        let members = match self.value {
            Variant::Json(node) | Variant::Plan { value: node, .. } => json(node)?,
            Variant::Value(value) => {
                let members = value.as_object()?.members();
                members.iter().map(|(key, value)| (key.as_ref(), Variant::Value(value))).collect()
            }
            Variant::PlanUnknown(_) => return None,
            Variant::Stored(value) => {
                value.as_object()?.iter().map(|(key, value)| (key.as_str(), Variant::Stored(value))).collect()
            }
        };
        Some(members.into_iter().map(|(key, value)| (key, self.with(value))).collect())
    }

    /// A property: Azure nests them in `properties`, `az` and Terraform do not.
    pub(super) fn property(self, key: &str) -> Option<Self> {
        self.get("properties").and_then(|properties| properties.get(key)).or_else(|| self.get(key))
    }

    /// Follows properties by names.
    pub(super) fn path(self, keys: &[&str]) -> Option<Self> {
        keys.iter().try_fold(self, |item, key| item.property(key))
    }

    /// Where it stands.
    pub(super) fn place(self) -> Place {
        let (source, line, offset) = match self.value {
            Variant::Json(node) | Variant::Plan { value: node, .. } | Variant::PlanUnknown(node) => {
                (0, node.at.line, node.at.start)
            }
            Variant::Value(value) => (value.at.source.0 as usize, value.at.line, value.at.offset),
            Variant::Stored(_) => return Place::default(),
        };
        self.sources.get(source).map(|source| source.place(line, offset)).unwrap_or_default()
    }
}

/// What a stored value is.
fn look_at_stored(value: &serde_json::Value) -> Look {
    match value {
        serde_json::Value::Null => Look::Null,
        serde_json::Value::Bool(value) => Look::Bool(*value),
        serde_json::Value::Number(number) => Look::Number(number.to_string()),
        serde_json::Value::String(text) => Look::Text(text.clone()),
        serde_json::Value::Array(_) => Look::List,
        serde_json::Value::Object(_) => Look::Object,
    }
}

/// A member of a plan: unknown where the mask says so, else its value.
fn planned<'a>(value: Option<&'a Node>, unknown: Option<&'a Node>) -> Option<Variant<'a>> {
    match (value, unknown) {
        (_, Some(mask)) if mask.as_bool() == Some(true) => Some(Variant::PlanUnknown(mask)),
        (Some(value), unknown) => Some(Variant::Plan { value, unknown }),
        (None, _) => None,
    }
}

/// The member of `node` whose key is `key` but for case and underscores.
fn member<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    let object = node.as_object()?;
    let found = object.members().iter().find(|member| same_key(&member.key, key))?;
    Some(&found.value)
}

fn same_key(a: &str, b: &str) -> bool {
    let fold = |text: &str| -> Vec<u8> {
        text.bytes().filter(|byte| *byte != b'_').map(|byte| byte.to_ascii_lowercase()).collect()
    };
    a.eq_ignore_ascii_case(b) || (a.contains('_') && fold(a) == fold(b))
}

fn look_at(data: &Data, scope: Option<&str>) -> Look {
    match data {
        Data::Null => Look::Null,
        Data::Bool(value) => Look::Bool(*value),
        Data::Int(value) => Look::Number(value.to_string()),
        Data::Float(value) => Look::Number(value.to_string()),
        Data::Text(text) => match text.known() {
            Some(text) => Look::Text(text.to_owned()),
            None => Look::Symbol(symbol(text, scope), phrase(&text.reasons())),
        },
        Data::Array(_) => Look::List,
        Data::Object(_) => Look::Object,
        Data::Unknown(unknown) => Look::Unknown(phrase(unknown.reasons())),
    }
}

/// A text with holes as a text: each hole is its expression in braces, with the file if there are several evaluations.
fn symbol(text: &Text, scope: Option<&str>) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Known(text) => text.to_string(),
        Piece::Unknown(unknown) => hole(unknown.expression(), scope),
    };
    text.pieces().iter().map(piece).collect()
}

/// A hole of a name or an id. `/` separates the parts of an id, so a hole has none.
pub(super) fn hole(expression: &str, scope: Option<&str>) -> String {
    let hole = match scope {
        Some(scope) => format!("{{{expression} in {scope}}}"),
        None => format!("{{{expression}}}"),
    };
    hole.replace('/', "|")
}

/// An id with holes, and why it has them.
pub(super) fn symbolic_id(text: &Text, sources: &[Source<'_>]) -> (ResourceId, Option<String>) {
    let reason = (!text.is_known()).then(|| phrase(&text.reasons()));
    (ResourceId::new(&symbol(text, sources.first().and_then(Source::scope))), reason)
}

/// Reasons as one phrase.
pub(super) fn phrase(reasons: &[Reason]) -> String {
    let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
    reasons.join("; ")
}

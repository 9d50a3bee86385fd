//! Reads objects, texts and lists of a document, and notes everything that is wrong with its place.
//!
//! It must not know what intents are. Nothing stops at a problem: what cannot be read is `None`, and the rest goes on.

use palisade_arm::json::{Document, Node, Position};

use super::IntentProblem;

/// Most problems that are told of one file.
const PROBLEMS_MAX: usize = 1_000;

/// A document, and what is wrong with it so far.
pub(super) struct Reader<'d> {
    document: &'d Document,
    pub(super) problems: Vec<IntentProblem>,
}

impl<'d> Reader<'d> {
    /// A reader; a key that is written twice is the first problem.
    pub(super) fn new(document: &'d Document) -> Self {
        let mut reader = Self { document, problems: Vec::new() };
        for duplicate in &document.duplicates {
            let first = duplicate.first.line;
            reader.problem(
                duplicate.second,
                format!("\"{}\" is given twice, first in line {first} (keep one)", duplicate.key),
            );
        }
        reader
    }

    pub(super) fn problem(&mut self, at: Position, message: impl Into<String>) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(IntentProblem {
                file: self.document.name.clone(),
                line: at.line,
                column: at.column,
                pointer: self.document.pointer_at(at.start),
                message: message.into(),
            });
        }
    }

    /// Whether a node is an object that has no keys but these.
    pub(super) fn is_object(&mut self, node: &Node, known: &[&str]) -> bool {
        let Some(object) = node.as_object() else {
            self.problem(node.at, format!("this is a {}, not an object (write {{ ... }})", kind_of(node)));
            return false;
        };
        for member in object.members() {
            if !known.iter().any(|key| member.key.eq_ignore_ascii_case(key)) {
                let message =
                    format!("\"{}\" is not known here (known are {})", member.key, known.join(", "));
                self.problem(member.key_at, message);
            }
        }
        true
    }

    /// A text.
    pub(super) fn text<'n>(&mut self, node: &'n Node) -> Option<&'n str> {
        if node.as_str().is_none() {
            self.problem(node.at, format!("this is a {}, not a text (write \"...\")", kind_of(node)));
        }
        node.as_str()
    }

    /// One of some words, compared without case.
    pub(super) fn word<T: Copy>(&mut self, node: &Node, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(node)?;
        let found = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
        if found.is_none() {
            let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.problem(node.at, format!("\"{text}\" is not one of {}", words.join(", ")));
        }
        found.map(|(_, value)| *value)
    }

    /// The elements of a list, or the one value that stands in its place; none beyond the limit.
    pub(super) fn items<'n>(&mut self, node: &'n Node, max: usize) -> &'n [Node] {
        let items = node.as_array().unwrap_or(std::slice::from_ref(node));
        if items.len() > max {
            let count = items.len();
            self.problem(
                node.at,
                format!("the list has {count} elements, more than {max} (make two intents)"),
            );
        }
        &items[..items.len().min(max)]
    }
}

/// What a value is, in the words of JSON.
fn kind_of(node: &Node) -> &'static str {
    match node.type_name() {
        "Null" => "null",
        "Boolean" => "truth value",
        "Integer" | "Float" => "number",
        "String" => "text",
        "Array" => "list",
        _ => "object",
    }
}

//! Places in a file: byte spans, lines, columns and JSON pointers.
//!
//! Lines and columns count from one; a column counts characters, as editors do. A pointer (RFC 6901) is found
//! by walking down to a byte offset, so nodes need not carry one.

use super::{Document, Kind, Node};

/// The span of a value in its file. Synthetic values have the default, line 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, PartialOrd, Ord)]
pub struct Position {
    /// The first byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
    /// Line of the first byte, from 1.
    pub line: u32,
    /// Column of the first byte in characters, from 1.
    pub column: u32,
}

/// Turns ascending byte offsets into lines and columns in one pass over the text.
///
/// A cursor, not an index: a hostile file of one line with a million values would make an index that counts
/// columns from the start of the line quadratic.
pub(super) struct Cursor<'a> {
    text: &'a str,
    offset: usize,
    line: u32,
    column: u32,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, offset: 0, line: 1, column: 1 }
    }

    /// The position of `start..end`. Offsets before the last one asked for start again from the top.
    pub(super) fn locate(&mut self, start: usize, end: usize) -> Position {
        let start = floor_boundary(self.text, start);
        if start < self.offset {
            *self = Self::new(self.text);
        }
        for c in self.text[self.offset..start].chars() {
            if c == '\n' {
                self.line += 1;
                self.column = 1;
            } else {
                self.column += 1;
            }
        }
        self.offset = start;
        Position { start: narrow(start), end: narrow(end), line: self.line, column: self.column }
    }
}

/// The last character boundary at or before `offset`.
fn floor_boundary(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// File sizes are limited far below 4 GiB; a larger offset would be a bug and is pinned to the end.
fn narrow(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

impl Document {
    /// The JSON pointer of the innermost value that covers the byte `offset`; empty for the whole document.
    pub fn pointer_at(&self, offset: u32) -> String {
        let mut pointer = String::new();
        let mut node = &self.root;
        while let Some((step, child)) = child_at(node, offset) {
            pointer.push('/');
            pointer.push_str(&step.replace('~', "~0").replace('/', "~1"));
            node = child;
        }
        pointer
    }

    /// The value a JSON pointer leads to. Keys are matched without case.
    pub fn at_pointer(&self, pointer: &str) -> Option<&Node> {
        let mut node = &self.root;
        for step in pointer.split('/').skip(1) {
            let step = step.replace("~1", "/").replace("~0", "~");
            node = match &node.kind {
                Kind::Object(object) => object.get(&step)?,
                Kind::Array(items) => items.get(step.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        Some(node)
    }
}

/// The member or element of `node` that covers `offset`, and the pointer step that leads to it.
///
/// Children stand in the order of the file, so the last one that begins at or before `offset` is the only candidate; a
/// linear search would make places of a hostile list quadratic.
fn child_at(node: &Node, offset: u32) -> Option<(String, &Node)> {
    match &node.kind {
        Kind::Object(object) => {
            let members = object.members();
            let index = members.partition_point(|m| m.key_at.start <= offset).checked_sub(1)?;
            let member = members.get(index).filter(|m| offset < m.value.at.end)?;
            Some((member.key.clone(), &member.value))
        }
        Kind::Array(items) => {
            let index = items.partition_point(|item| item.at.start <= offset).checked_sub(1)?;
            let item = items.get(index).filter(|item| offset < item.at.end)?;
            Some((index.to_string(), item))
        }
        _ => None,
    }
}

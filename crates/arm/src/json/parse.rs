//! Bytes to [`Document`], with limits checked before anything recursive runs.
//!
//! What Azure's reader tolerates is tolerated: a byte order mark, comments, trailing commas, line breaks inside
//! strings. Missing commas, bare words and hexadecimal numbers are not. No input makes this panic: the fuzz
//! target and the property tests hold it to that.

use jsonc_parser::ast;
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use std::collections::HashMap;

use super::position::Cursor;
use super::{Document, DuplicateKey, Kind, Member, Node, Number, Object, Position};

/// The largest file that is read, in bytes. Azure takes 4 MiB templates; dumps of an estate are larger.
pub const JSON_BYTES_MAX: usize = 64 << 20;

/// The deepest nesting of arrays and objects. Azure's reader stops at the same depth.
pub const JSON_DEPTH_MAX: usize = 128;

/// Why a file is not JSON that can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The file passes [`JSON_BYTES_MAX`].
    #[error("the file has {bytes} bytes, more than the {JSON_BYTES_MAX} that are read (split it)")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// A byte order mark says UTF-16.
    #[error("the file is UTF-16 (save it as UTF-8)")]
    Utf16,
    /// A byte sequence is not UTF-8.
    #[error("byte {offset} is not valid UTF-8 (save the file as UTF-8)")]
    NotUtf8 {
        /// Offset of the first bad byte.
        offset: usize,
    },
    /// Arrays and objects nest deeper than [`JSON_DEPTH_MAX`].
    #[error(
        "line {line}, column {column}: nesting is deeper than {JSON_DEPTH_MAX} levels (flatten the file)"
    )]
    TooDeep {
        /// Line of the bracket that opens one level too many.
        line: u32,
        /// Its column.
        column: u32,
    },
    /// There is no value in the file.
    #[error("the file holds no JSON value (an empty object is `{{}}`)")]
    Empty,
    /// The text is not JSON.
    #[error("line {line}, column {column}: {detail}")]
    Syntax {
        /// Line of the fault.
        line: u32,
        /// Column of the fault.
        column: u32,
        /// What is wrong, from the reader.
        detail: String,
    },
}

/// Reads a file's bytes.
pub fn parse(name: &str, bytes: &[u8]) -> Result<Document, JsonError> {
    if bytes.len() > JSON_BYTES_MAX {
        return Err(JsonError::TooLarge { bytes: bytes.len() });
    }
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err(JsonError::Utf16);
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|e| JsonError::NotUtf8 { offset: e.valid_up_to() })?;
    parse_text(name, text)
}

/// Reads a text that is already known to be UTF-8.
pub fn parse_str(name: &str, text: &str) -> Result<Document, JsonError> {
    parse(name, text.as_bytes())
}

fn parse_text(name: &str, text: &str) -> Result<Document, JsonError> {
    if let Some(offset) = too_deep_at(text.as_bytes()) {
        let at = Cursor::new(text).locate(offset, offset);
        return Err(JsonError::TooDeep { line: at.line, column: at.column });
    }
    let parsed = parse_to_ast(text, &CollectOptions::default(), &options()).map_err(|error| {
        let at = Cursor::new(text).locate(error.range().start, error.range().end);
        syntax(at, error.kind().to_string())
    })?;
    let mut builder = Builder { cursor: Cursor::new(text), duplicates: Vec::new() };
    let root = builder.node(&parsed.value.ok_or(JsonError::Empty)?)?;
    Ok(Document { name: name.to_owned(), root, duplicates: builder.duplicates })
}

fn options() -> ParseOptions {
    ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    }
}

fn syntax(at: Position, detail: String) -> JsonError {
    JsonError::Syntax { line: at.line, column: at.column, detail }
}

/// The offset of the first bracket that opens more than [`JSON_DEPTH_MAX`] levels.
///
/// Runs before the recursive parser, and only has to agree with it on where strings and comments end.
fn too_deep_at(bytes: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    let mut i = 0;
    while let Some(&byte) = bytes.get(i) {
        match byte {
            b'"' => i = skip_string(bytes, i),
            b'/' if bytes.get(i + 1) == Some(&b'/') => i = skip_until(bytes, i, b"\n"),
            b'/' if bytes.get(i + 1) == Some(&b'*') => i = skip_until(bytes, i + 2, b"*/"),
            b'{' | b'[' => {
                depth += 1;
                if depth > JSON_DEPTH_MAX {
                    return Some(i);
                }
                i += 1;
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                i += 1;
            }
            _ => i += 1,
        }
    }
    None
}

/// The offset just past the string that opens at `start`.
fn skip_string(bytes: &[u8], start: usize) -> usize {
    let mut i = start + 1;
    while let Some(&byte) = bytes.get(i) {
        match byte {
            b'"' => return i + 1,
            b'\\' => i += 2,
            _ => i += 1,
        }
    }
    bytes.len()
}

/// The offset just past the next `end`, or the end of the file.
fn skip_until(bytes: &[u8], start: usize, end: &[u8]) -> usize {
    let rest = bytes.get(start..).unwrap_or_default();
    rest.windows(end.len()).position(|w| w == end).map_or(bytes.len(), |found| start + found + end.len())
}

/// Walks the parser's tree in the order of the file and builds ours.
struct Builder<'a> {
    cursor: Cursor<'a>,
    duplicates: Vec<DuplicateKey>,
}

impl Builder<'_> {
    fn node(&mut self, value: &ast::Value<'_>) -> Result<Node, JsonError> {
        let range = value.range();
        let at = self.cursor.locate(range.start, range.end);
        let kind = match value {
            ast::Value::NullKeyword(_) => Kind::Null,
            ast::Value::BooleanLit(b) => Kind::Bool(b.value),
            ast::Value::NumberLit(n) => Kind::Number(number(n.value, at)?),
            ast::Value::StringLit(s) => Kind::String(s.value.to_string()),
            ast::Value::Array(array) => {
                Kind::Array(array.elements.iter().map(|item| self.node(item)).collect::<Result<_, _>>()?)
            }
            ast::Value::Object(object) => Kind::Object(self.object(object)?),
        };
        Ok(Node { kind, at })
    }

    fn object(&mut self, object: &ast::Object<'_>) -> Result<Object, JsonError> {
        let mut members: Vec<Member> = Vec::with_capacity(object.properties.len());
        let mut seen: HashMap<String, usize> = HashMap::with_capacity(object.properties.len());
        for property in &object.properties {
            let range = property.name.range();
            let key_at = self.cursor.locate(range.start, range.end);
            let key = property.name.as_str().to_owned();
            let value = self.node(&property.value)?;
            let first = *seen.entry(key.to_ascii_lowercase()).or_insert(members.len());
            if let Some(first) = members.get(first)
                && serde_json::Value::from(&first.value) != serde_json::Value::from(&value)
            {
                self.duplicates.push(DuplicateKey { key: key.clone(), first: first.key_at, second: key_at });
            }
            members.push(Member { key, key_at, value });
        }
        Ok(Object::new(members))
    }
}

fn number(raw: &str, at: Position) -> Result<Number, JsonError> {
    match raw.parse::<f64>() {
        Ok(float) if float.is_finite() => Ok(Number { raw: raw.to_owned(), int: raw.parse().ok(), float }),
        _ => Err(syntax(at, format!("the number {raw} is out of range"))),
    }
}

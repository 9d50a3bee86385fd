//! The path of a request, taken apart by hand.
//!
//! Azure's paths have no case and its names may hold percent-encoded characters, which routers do not forgive; so one
//! parser decides for every route what a segment is. It refuses what two readers could read differently: empty
//! segments, `.` and `..`, encoded slashes, control characters, bad escapes. It knows nothing of what the segments mean.

use std::fmt;

use crate::error::ApiError;

/// Longest path that is read, in bytes.
pub const PATH_LENGTH_MAX: usize = 2_048;
/// Most segments of a path.
pub const PATH_SEGMENTS_MAX: usize = 32;
/// Longest segment, in bytes after decoding.
pub const SEGMENT_LENGTH_MAX: usize = 260;

/// Segments of a path, percent-decoded, in the case they were written in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    segments: Vec<String>,
}

/// Why a path is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Too long, in whole or in part.
    #[error("the path has {actual} {unit}, more than {limit}")]
    TooLong {
        /// What was counted.
        unit: &'static str,
        /// How many there are.
        actual: usize,
        /// How many there may be.
        limit: usize,
    },
    /// A segment that nothing can be called.
    #[error("the path has an empty segment, or one of dots only")]
    Empty,
    /// A percent sign without two hexadecimal digits, or bytes that are not UTF-8.
    #[error("the path segment \"{0}\" is not percent-encoded UTF-8")]
    Encoding(String),
    /// A character that no name may hold.
    #[error("the path segment \"{0}\" holds a character that no name may hold")]
    Character(String),
}

impl Path {
    /// Takes a path apart. One slash at the end is forgiven.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        check("bytes", text.len(), PATH_LENGTH_MAX)?;
        let text = text.strip_prefix('/').ok_or(PathError::Empty)?;
        let text = text.strip_suffix('/').unwrap_or(text);
        if text.is_empty() {
            return Ok(Self { segments: Vec::new() });
        }
        check("segments", text.split('/').count(), PATH_SEGMENTS_MAX)?;
        let raw: Vec<_> = text.split('/').collect();
        let is_gap = |at: usize| {
            // `az resource create` writes two slashes behind a provider, where the path of a parent would stand.
            at >= 2 && raw[at].is_empty() && raw[at - 2].eq_ignore_ascii_case("providers")
        };
        let kept = (0..raw.len()).filter(|at| !is_gap(*at));
        let segments = kept.map(|at| segment(raw[at])).collect::<Result<_, _>>()?;
        Ok(Self { segments })
    }

    /// The segments.
    pub fn segments(&self) -> &[String] {
        &self.segments
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.segments.iter().try_for_each(|segment| write!(f, "/{segment}"))
    }
}

impl From<PathError> for ApiError {
    fn from(error: PathError) -> Self {
        Self::bad("InvalidRequestUri", format!("The path of the request cannot be served: {error}."))
    }
}

fn check(unit: &'static str, actual: usize, limit: usize) -> Result<(), PathError> {
    if actual > limit { Err(PathError::TooLong { unit, actual, limit }) } else { Ok(()) }
}

fn segment(text: &str) -> Result<String, PathError> {
    let decoded = decode(text).ok_or_else(|| PathError::Encoding(text.to_owned()))?;
    check("bytes in a segment", decoded.len(), SEGMENT_LENGTH_MAX)?;
    if decoded.chars().all(|c| c == '.') {
        return Err(PathError::Empty);
    }
    // A slash would move the boundary of the segment for whoever reads the id next; the others have no place in a name.
    let foreign = |c: char| c.is_control() || matches!(c, '/' | '\\' | '#' | '?' | '%');
    if decoded.contains(foreign) {
        return Err(PathError::Character(text.to_owned()));
    }
    Ok(decoded)
}

/// Percent-decodes; nothing if an escape is broken or the bytes are not UTF-8.
pub(crate) fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = char::from(rest.next()?).to_digit(16)?;
            let low = char::from(rest.next()?).to_digit(16)?;
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Result<&[&str], PathError>) {
        let found = Path::parse(text).map(|path| path.segments);
        assert_eq!(found, expect.map(|parts| parts.iter().map(ToString::to_string).collect()), "{text}");
    }

    #[test]
    fn paths() {
        check("/", Ok(&[]));
        check("/subscriptions", Ok(&["subscriptions"]));
        check("/subscriptions/", Ok(&["subscriptions"]));
        check("/a/B%20c", Ok(&["a", "B c"]));
        check("", Err(PathError::Empty));
        check("a", Err(PathError::Empty));
        check("//a", Err(PathError::Empty));
        check("/a//b", Err(PathError::Empty));
        check("/providers/A.B//c/d", Ok(&["providers", "A.B", "c", "d"]));
        check("/providers/A.B///c/d", Err(PathError::Empty));
        check("/a/../b", Err(PathError::Empty));
        check("/a/%2e%2E/b", Err(PathError::Empty));
        check("/a/b%2fc", Err(PathError::Character("b%2fc".into())));
        check("/a/b%00", Err(PathError::Character("b%00".into())));
        check("/a/%2525", Err(PathError::Character("%2525".into())));
        check("/a/%zz", Err(PathError::Encoding("%zz".into())));
        check("/a/%f", Err(PathError::Encoding("%f".into())));
        check("/a/%ff", Err(PathError::Encoding("%ff".into())));
    }

    #[test]
    fn lengths() {
        let at = |bytes: usize| format!("/{}", "a".repeat(bytes));
        assert!(Path::parse(&at(SEGMENT_LENGTH_MAX)).is_ok());
        assert!(matches!(Path::parse(&at(SEGMENT_LENGTH_MAX + 1)), Err(PathError::TooLong { .. })));
        assert!(Path::parse(&"/a".repeat(PATH_SEGMENTS_MAX)).is_ok());
        assert!(matches!(Path::parse(&"/a".repeat(PATH_SEGMENTS_MAX + 1)), Err(PathError::TooLong { .. })));
        assert!(matches!(
            Path::parse(&at(PATH_LENGTH_MAX)),
            Err(PathError::TooLong { limit: PATH_LENGTH_MAX, .. })
        ));
    }
}

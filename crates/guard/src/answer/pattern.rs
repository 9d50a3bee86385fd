//! Names of alerts with `*` for any text: `RDP_*`, `*_BF_Success`.

use std::fmt;

use super::PolicyError;

/// Longest pattern, in characters.
const LENGTH_MAX: usize = 80;

/// A pattern that names alerts. Case does not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// It is empty, too long, or has characters that no name has.
    pub fn new(text: &str) -> Result<Self, PolicyError> {
        let is_known = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '*';
        if text.is_empty() || text.len() > LENGTH_MAX || !text.chars().all(is_known) {
            return Err(PolicyError::Pattern(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether it is about alerts of this name.
    pub fn matches(&self, name: &str) -> bool {
        let (pattern, mut rest) = (self.0.to_ascii_lowercase(), name.to_ascii_lowercase());
        let mut parts = pattern.split('*').peekable();
        let first = parts.next().unwrap_or_default();
        let Some(tail) = rest.strip_prefix(first).map(str::to_owned) else { return false };
        if parts.peek().is_none() {
            return tail.is_empty();
        }
        rest = tail;
        // Between stars the first place is as good as any; the last part must end the name.
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                return rest.ends_with(part);
            }
            let Some(at) = rest.find(part) else { return false };
            rest.drain(..at + part.len());
        }
        true
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

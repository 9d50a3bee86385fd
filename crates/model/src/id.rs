//! ARM resource ids and names.
//!
//! An id's case carries no meaning in Azure, so ids compare without case; the text is kept as written.

use std::{fmt, hash, sync::Arc};

/// The id of a resource: `/subscriptions/.../resourceGroups/.../providers/Microsoft.Network/.../name`.
///
/// Compares, orders and hashes without case. It need not name a resource that exists.
#[derive(Debug, Clone)]
pub struct ResourceId {
    text: Arc<str>,
    folded: Arc<str>,
}

impl ResourceId {
    /// An id from its text.
    pub fn new(text: &str) -> Self {
        let text = text.trim_end_matches('/');
        Self { text: text.into(), folded: text.to_ascii_lowercase().into() }
    }

    /// The id of a child: `self/kind/name`.
    #[must_use]
    pub fn child(&self, kind: &str, name: &str) -> Self {
        Self::new(&format!("{}/{kind}/{name}", self.text))
    }

    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Last segment: the resource's own name.
    pub fn name(&self) -> &str {
        self.text.rsplit('/').next().unwrap_or_default()
    }

    /// The id without its last two segments: the parent of a child resource.
    pub fn parent(&self) -> Option<Self> {
        let (rest, _name) = self.text.rsplit_once('/')?;
        let (parent, _kind) = rest.rsplit_once('/')?;
        (!parent.is_empty()).then(|| Self::new(parent))
    }

    /// The value that follows `segment`, such as `resourceGroups`, compared without case.
    pub fn segment(&self, segment: &str) -> Option<&str> {
        let mut parts = self.text.split('/');
        parts.find(|part| part.eq_ignore_ascii_case(segment))?;
        parts.next()
    }
}

impl PartialEq for ResourceId {
    fn eq(&self, other: &Self) -> bool {
        self.folded == other.folded
    }
}

impl Eq for ResourceId {}

impl PartialOrd for ResourceId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ResourceId {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.folded.cmp(&other.folded)
    }
}

impl hash::Hash for ResourceId {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.folded.hash(state);
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Longest resource name; beyond it Azure answers `InvalidResourceName`.
pub const NAME_LENGTH_MAX: usize = 80;

/// Whether `name` is one that Azure accepts for an NSG or a rule: at most 80 characters, begins with a word character,
/// ends with one (a word character is a letter, a digit or `_`), and has only these, `.` and `-` in between.
pub fn is_valid_name(name: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let count = name.chars().count();
    (1..=NAME_LENGTH_MAX).contains(&count)
        && name.chars().next().is_some_and(word)
        && name.chars().next_back().is_some_and(word)
        && name.chars().all(|c| word(c) || c == '.' || c == '-')
}

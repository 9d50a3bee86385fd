//! Where a role holds: a subscription, a group, a resource, or everything.
//!
//! A scope contains what stands below it, by whole segments and whatever their case. `/` contains all. Invariant: a
//! [`Scope`] is in lower case, has no empty segment, and does not end with a slash unless it is `/`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest scope, in bytes.
const LENGTH_MAX: usize = 2_048;

/// A place in the tree of resources.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scope(String);

/// A text that is no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a scope: write /, or an id such as /subscriptions/<id>/resourceGroups/<name>")]
pub struct ScopeError(String);

impl Scope {
    /// Reads a scope or an id. The empty text is the root, as an id of nothing is.
    ///
    /// # Errors
    /// The text does not begin with a slash, has an empty segment, a control character, or is too long.
    pub fn new(text: &str) -> Result<Self, ScopeError> {
        let trimmed = text.strip_suffix('/').unwrap_or(text);
        if trimmed.is_empty() {
            return Ok(Self::root());
        }
        let fit = |segment: &str| !segment.is_empty() && !matches!(segment, "." | "..");
        let sound = trimmed.len() <= LENGTH_MAX && !trimmed.chars().any(char::is_control);
        match trimmed.strip_prefix('/') {
            Some(path) if sound && path.split('/').all(fit) => Ok(Self(trimmed.to_ascii_lowercase())),
            _ => Err(ScopeError(text.chars().take(100).collect())),
        }
    }

    /// The scope that contains everything.
    #[must_use]
    pub fn root() -> Self {
        Self("/".to_owned())
    }

    /// Whether this is [`Scope::root`].
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0 == "/"
    }

    /// Whether `other` is this scope or stands below it.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        if self.is_root() {
            return true;
        }
        other.0.strip_prefix(&self.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The scope in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Scope {
    type Error = ScopeError;

    fn try_from(text: String) -> Result<Self, ScopeError> {
        Self::new(&text)
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Scope;

    #[test]
    fn containment_goes_by_whole_segments() {
        let check = |outer: &str, inner: &str, expect: bool| {
            assert_eq!(
                Scope::new(outer).unwrap().contains(&Scope::new(inner).unwrap()),
                expect,
                "{outer} {inner}"
            );
        };
        check("/", "/subscriptions/s", true);
        check("", "/", true);
        check("/subscriptions/S", "/subscriptions/s/resourcegroups/RG", true);
        check("/subscriptions/s/resourceGroups/rg", "/subscriptions/s/resourceGroups/rg2", false);
        check("/subscriptions/s/resourceGroups/rg/", "/subscriptions/s/resourceGroups/rg", true);
        check("/subscriptions/s/resourceGroups/rg", "/subscriptions/s", false);
        check("/subscriptions/s", "/", false);
    }

    #[test]
    fn what_is_no_scope() {
        for text in [
            "subscriptions/s",
            "//",
            "/a//b",
            "/a/../b",
            "/a/./b",
            "/a\n",
            &format!("/{}", "a".repeat(2_048)),
        ] {
            assert!(Scope::new(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn containment_is_a_prefix_of_segments(outer in "(/[aAb]{1,2}){0,4}", inner in "(/[aAb]{1,2}){0,4}") {
            let fold = |text: &str| text.to_lowercase().split('/').skip(1).map(str::to_owned).collect::<Vec<_>>();
            let expect = fold(&inner).starts_with(&fold(&outer));
            prop_assert_eq!(Scope::new(&outer).unwrap().contains(&Scope::new(&inner).unwrap()), expect);
        }

        #[test]
        fn reading_again_changes_nothing(text in "(/[a-zA-Z0-9.]{1,5}){0,5}") {
            if let Ok(scope) = Scope::new(&text) {
                prop_assert_eq!(Scope::new(scope.as_str()).unwrap(), scope);
            }
        }
    }
}

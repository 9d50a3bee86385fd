//! The time in which a rule is in force.
//!
//! Times are whole seconds since 1970 in UTC, as the kernel compares them. The model reads no clock: `now` is an argument.
//! Invariant: a window holds at least one second.

/// From when to when a rule is in force; half open, so that one rule can end in the second in which another begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Window {
    not_before: Option<u32>,
    expires_at: Option<u32>,
}

impl Window {
    /// No beginning and no end.
    pub const ALWAYS: Self = Self { not_before: None, expires_at: None };

    /// The seconds from `not_before` up to, and without, `expires_at`; `None` if there are none.
    pub fn new(not_before: Option<u32>, expires_at: Option<u32>) -> Option<Self> {
        let first = not_before.unwrap_or(0);
        let is_empty = expires_at.is_some_and(|end| end <= first);
        (!is_empty).then_some(Self { not_before, expires_at })
    }

    /// The first second in which the rule is in force.
    pub const fn not_before(self) -> Option<u32> {
        self.not_before
    }

    /// The first second in which it is in force no more.
    pub const fn expires_at(self) -> Option<u32> {
        self.expires_at
    }

    /// Whether the rule is in force at `now`.
    pub fn contains(self, now: u32) -> bool {
        self.not_before.is_none_or(|first| first <= now) && self.expires_at.is_none_or(|end| now < end)
    }

    /// Whether it has neither a beginning nor an end.
    pub fn is_always(self) -> bool {
        self == Self::ALWAYS
    }
}

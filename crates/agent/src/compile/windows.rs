//! What becomes of rules with a window while nobody knows what time it is.
//!
//! The kernel compares a window with its clock, so a clock that was never set would open what is over, or open early.
//! Until the clock is known, a rule with a window counts for what is closed: one that allows is left out, one that denies
//! holds without end.

use palisade_model::{Access, EffectiveLayer, EffectivePolicy, EffectiveRule, Maybe, Window};

/// How the windows of rules are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Windows {
    /// The kernel judges them by its clock.
    #[default]
    Judged,
    /// The time is not known.
    Closed,
}

impl Windows {
    /// Changes a policy accordingly; true if that made a difference.
    pub(super) fn apply(self, policy: &mut EffectivePolicy) -> bool {
        let layers = policy.inbound.iter_mut().chain(&mut policy.outbound);
        self == Self::Closed && layers.map(close).fold(false, |any, closed| any | closed)
    }
}

fn close(layer: &mut EffectiveLayer) -> bool {
    let has_windows = layer.rules.iter().any(|rule| !rule.window.is_always());
    layer.rules.retain(|rule| rule.window.is_always() || !allows(rule));
    layer.rules.iter_mut().for_each(|rule| rule.window = Window::ALWAYS);
    has_windows
}

/// A rule of which that is not known stays, so that it is refused as it would be with a window.
fn allows(rule: &EffectiveRule) -> bool {
    matches!(rule.access, Maybe::Known(Access::Allow | Access::AlwaysAllow))
}

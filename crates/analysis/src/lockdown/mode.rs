//! Rules that are counted and not enforced.

use palisade_model::{Mode, spec::Text};

use super::LockedGroup;

/// Puts every rule into audit. Exceptions too: enforced ones might decide what a later rule of the user's decides today.
pub(super) fn to_audit(groups: &mut [LockedGroup]) {
    for rule in groups.iter_mut().flat_map(|group| &mut group.rules) {
        rule.mode = Some(Text::known(Mode::Audit.to_string()));
    }
}

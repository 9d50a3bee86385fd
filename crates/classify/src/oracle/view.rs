//! What is asked: that which is in force, or also that which is only in audit.
//!
//! In force, a rule or layer in audit is as if it were not there. With audit, everything is asked, and a public address is
//! not closed that one of the NSGs in audit would open.

use palisade_model::{EffectiveLayer, EffectiveRule, Layer, Mode};

/// Which of the two is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// What decides.
    InForce,
    /// What would decide if nothing were in audit.
    WithAudit,
}

/// Whether a layer is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// It is.
    Yes,
    /// It is not.
    No,
    /// That depends on something that the estate does not tell.
    Perhaps,
}

impl View {
    /// Whether `rule` is asked.
    pub(crate) fn asks_rule(self, rule: &EffectiveRule) -> bool {
        self == Self::WithAudit || rule.mode == Mode::Enforce
    }

    /// Whether layer `index` is asked.
    pub(crate) fn asks(self, layers: &[EffectiveLayer], index: usize) -> Asked {
        let layer = &layers[index];
        let opens = |layer: &&EffectiveLayer| {
            layer.mode == Mode::Audit && matches!(layer.layer, Layer::Subnet | Layer::NetworkInterface)
        };
        match (self, layer.layer) {
            (Self::InForce, _) if layer.mode == Mode::Audit => Asked::No,
            (Self::WithAudit, Layer::PublicAddress) => {
                let mut opening = layers.iter().filter(opens);
                match opening.clone().next() {
                    None => Asked::Yes,
                    Some(_) if opening.any(|layer| layer.certain) => Asked::No,
                    Some(_) => Asked::Perhaps,
                }
            }
            _ => Asked::Yes,
        }
    }
}

/// Whether anything is in audit.
pub(crate) fn has_audit(layers: &[EffectiveLayer]) -> bool {
    layers
        .iter()
        .any(|layer| layer.mode == Mode::Audit || layer.rules.iter().any(|rule| rule.mode == Mode::Audit))
}

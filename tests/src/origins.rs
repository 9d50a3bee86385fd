//! From the rows of blobs back to the rules that they come from, so that a row which the kernel program names can be compared
//! with the rule that the oracle names.

use palisade_abi::verdict::LAYERS;
use palisade_classify::{Hit, lower};
use palisade_model::{Access, EffectivePolicy, Layer, Maybe, Mode};
use palisade_net::Direction;

use crate::judge::{Walk, earlier, place_of, places};

/// The rows of each list of a policy, and the rules they come from.
#[derive(Debug)]
pub struct Origins<'p> {
    policy: &'p EffectivePolicy,
    inbound: [Vec<Origin>; LAYERS],
    outbound: [Vec<Origin>; LAYERS],
}

/// Where one row comes from.
#[derive(Debug, Clone, Copy)]
struct Origin {
    /// Index in [`EffectivePolicy::layers`].
    layer: usize,
    /// Index of the rule there; `None` for what lets the platform's traffic pass.
    rule: Option<usize>,
}

impl<'p> Origins<'p> {
    /// The rows of `policy`.
    pub fn of(policy: &'p EffectivePolicy) -> Self {
        let [inbound, outbound] = Direction::ALL.map(|direction| lists(policy, direction));
        Self { policy, inbound, outbound }
    }

    /// Whether `hit`, which the oracle names, is where `walk` ended. A row that lets the platform's traffic pass stands for no
    /// rule; the oracle names one if it would have let the flow pass too. What is in audit decides nothing, and an address
    /// that is not closed is not named either.
    pub fn agree(&self, hit: Hit, walk: &Walk, direction: Direction) -> bool {
        let layers = self.policy.layers(direction);
        let decides = |origin: &Origin| {
            let layer = &layers[origin.layer];
            layer.mode == Mode::Enforce && (layer.layer != Layer::PublicAddress || walk.reason.is_drop())
        };
        let last = self.named(walk, direction).filter(decides).last();
        match last {
            None => hit == Hit::Nothing,
            Some(Origin { layer, rule: Some(rule) }) => hit == Hit::Rule { layer, rule },
            Some(Origin { layer, rule: None }) => {
                matches!(hit, Hit::Exempt { layer: l } | Hit::Rule { layer: l, .. } if l == layer)
            }
        }
    }

    /// The second in which a rule that allowed the flow of `walk` ends.
    pub fn until(&self, walk: &Walk, direction: Direction) -> Option<u32> {
        let rules = self.named(walk, direction).filter_map(|Origin { layer, rule }| {
            let rule = &self.policy.layers(direction)[layer].rules[rule?];
            (rule.access != Maybe::Known(Access::Deny)).then_some(rule.window.expires_at())
        });
        rules.fold(None, earlier)
    }

    /// Where the rows that `walk` met come from, in the order in which they were met.
    fn named(&self, walk: &Walk, direction: Direction) -> impl Iterator<Item = Origin> {
        let lists = match direction {
            Direction::Inbound => &self.inbound,
            Direction::Outbound => &self.outbound,
        };
        let rows = lists.iter().zip(walk.rows);
        rows.filter_map(|(list, row)| row.map(|row| list[usize::from(row)]))
    }
}

/// The rows of each place; where two layers stand at one, those of the first one come first.
fn lists(policy: &EffectivePolicy, direction: Direction) -> [Vec<Origin>; LAYERS] {
    let lowered = lower::layers(policy, direction);
    places(direction).map(|place| {
        let here = lowered.iter().enumerate().filter(|(_, layer)| place_of(layer.layer) == place);
        here.flat_map(|(layer, lowered)| {
            lowered.origins.iter().map(move |rule| Origin { layer, rule: *rule })
        })
        .collect()
    })
}

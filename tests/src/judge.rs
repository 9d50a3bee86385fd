//! What the kernel program should answer, predicted from the blobs that it is given.
//!
//! [`Model::walk`] asks [`BlobView`]s in the order in which the program asks its blobs; [`reason`] and [`Origins::agree`] say
//! what the oracle's answer means in those terms. Tests compare the two; neither uses the other.

use palisade_abi::{
    flow::RULE_NONE,
    verdict::{Action, LAYERS, Layer as Place, Reason},
};
use palisade_classify::{
    Decision, Hit, Reason as Why, Verdict,
    blob::BlobView,
    enforce::{DirectionBlobs, LayerBlob, PolicyBlobs},
    lower,
};
use palisade_datapath::{LAYERS_INBOUND, LAYERS_OUTBOUND};
use palisade_model::{EffectivePolicy, Layer};
use palisade_net::{Direction, Flow};

/// Checked blobs of one interface.
#[derive(Debug)]
pub struct Model<'a> {
    inbound: [Option<BlobView<'a>>; LAYERS],
    outbound: [Option<BlobView<'a>>; LAYERS],
}

/// What the layers say of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walk {
    /// What the program counts.
    pub reason: Reason,
    /// The row of each layer that matched, or [`RULE_NONE`].
    pub rows: [u16; LAYERS],
    /// Layers asked before the verdict was final.
    pub asked: u32,
}

impl<'a> Model<'a> {
    /// Checks the blobs.
    ///
    /// # Panics
    /// If one contradicts itself.
    pub fn of(blobs: &'a PolicyBlobs) -> Self {
        let view = |layer: &'a LayerBlob| BlobView::parse(&layer.blob).expect("compiled blobs are sound");
        let views = |blobs: &'a DirectionBlobs| blobs.each_ref().map(|layer| layer.as_ref().map(view));
        Self { inbound: views(&blobs.inbound), outbound: views(&blobs.outbound) }
    }

    /// Asks layer by layer, as `bpf/policy.h` does.
    pub fn walk(&self, flow: &Flow) -> Walk {
        let views = match flow.direction() {
            Direction::Inbound => &self.inbound,
            Direction::Outbound => &self.outbound,
        };
        let places = places(flow.direction());
        let mut walk = Walk { reason: Reason::Allowed, rows: [RULE_NONE; LAYERS], asked: 0 };
        for (index, view) in views.iter().enumerate() {
            let Some(view) = view else { continue };
            walk.asked = index as u32 + 1;
            let Some((row, action)) = view.lookup(flow, 0).rule else {
                if places[index] == Place::Admin {
                    continue;
                }
                return Walk { reason: deny(places[index]), ..walk };
            };
            walk.rows[index] = u16::try_from(row).expect("a blob has at most 1,024 rules");
            match action {
                Action::Allow => {}
                Action::AlwaysAllow => return walk,
                Action::Closed => return Walk { reason: Reason::PublicAddressClosed, ..walk },
                Action::Deny => return Walk { reason: deny(places[index]), ..walk },
            }
        }
        walk
    }
}

/// Where the lists of a direction stand, in the order in which they are asked.
fn places(direction: Direction) -> [Place; LAYERS] {
    match direction {
        Direction::Inbound => LAYERS_INBOUND,
        Direction::Outbound => LAYERS_OUTBOUND,
    }
}

const fn deny(place: Place) -> Reason {
    match place {
        Place::Admin => Reason::AdminDeny,
        Place::Subnet => Reason::SubnetDeny,
        Place::NetworkInterface => Reason::NetworkInterfaceDeny,
    }
}

const fn place_of(layer: Layer) -> Place {
    match layer {
        Layer::Admin => Place::Admin,
        Layer::Subnet => Place::Subnet,
        Layer::NetworkInterface | Layer::PublicAddress => Place::NetworkInterface,
    }
}

/// What the program counts for a flow of which the oracle says `decision`.
///
/// # Panics
/// For an unknown verdict: no such policy is enforced.
pub fn reason(decision: &Decision, policy: &EffectivePolicy, direction: Direction) -> Reason {
    match (decision.verdict, decision.reason, decision.hit) {
        (Verdict::Unknown, ..) => panic!("a policy that is not fully known is never enforced"),
        (_, Why::LinkControl, _) => Reason::LinkControl,
        (Verdict::Allow, ..) => Reason::Allowed,
        (_, Why::PublicAddressClosed, _) => Reason::PublicAddressClosed,
        (Verdict::Deny, _, Hit::Rule { layer, .. } | Hit::Exempt { layer }) => {
            deny(place_of(policy.layers(direction)[layer].layer))
        }
        (Verdict::Deny, _, Hit::Nothing) => panic!("every list ends with a rule that matches everything"),
    }
}

/// The rows of each layer of a policy, and the rules they come from.
#[derive(Debug)]
pub struct Origins {
    inbound: Vec<lower::LoweredLayer>,
    outbound: Vec<lower::LoweredLayer>,
}

impl Origins {
    /// The rows of `policy`.
    pub fn of(policy: &EffectivePolicy) -> Self {
        Self {
            inbound: lower::layers(policy, Direction::Inbound),
            outbound: lower::layers(policy, Direction::Outbound),
        }
    }

    /// The rows of one direction.
    pub fn layers(&self, direction: Direction) -> &[lower::LoweredLayer] {
        match direction {
            Direction::Inbound => &self.inbound,
            Direction::Outbound => &self.outbound,
        }
    }

    /// Whether `hit`, which the oracle names, is where `walk` ended. A row that lets the platform's traffic pass stands for no
    /// rule; the oracle names one if it would have let the flow pass too. An address that is not closed names none either.
    pub fn agree(&self, hit: Hit, walk: &Walk, direction: Direction) -> bool {
        let layers = self.layers(direction);
        let places = places(direction);
        for index in (0..LAYERS).rev().filter(|index| walk.rows[*index] != RULE_NONE) {
            let Some(layer) = layers.iter().position(|layer| place_of(layer.layer) == places[index]) else {
                return false;
            };
            if layers[layer].layer == Layer::PublicAddress && walk.reason == Reason::Allowed {
                continue;
            }
            return match layers[layer].origins[usize::from(walk.rows[index])] {
                Some(rule) => hit == Hit::Rule { layer, rule },
                None => matches!(hit, Hit::Exempt { layer: l } | Hit::Rule { layer: l, .. } if l == layer),
            };
        }
        hit == Hit::Nothing
    }
}

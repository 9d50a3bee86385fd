//! What the kernel program should answer, predicted from the blobs that it is given.
//!
//! [`Model::walk`] asks [`BlobView`]s in the order in which the program asks its blobs; [`reason`] and [`Origins::agree`] say
//! what the oracle's answer means in those terms. Tests compare the two; neither uses the other.

use palisade_abi::{
    flow::RULE_NONE,
    verdict::{Action, LAYERS, Layer as Place, Reason},
};
use palisade_classify::{
    Decision, Hit, Reason as Why, Shadow, Verdict,
    blob::{BlobView, Fragment},
    enforce::{DirectionBlobs, LayerBlob, PolicyBlobs},
    lower,
};
use palisade_datapath::{LAYERS_INBOUND, LAYERS_OUTBOUND};
use palisade_model::{EffectivePolicy, Layer};
use palisade_net::{Direction, Flow, packet::Ip};

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

    fn views(&self, direction: Direction) -> &[Option<BlobView<'a>>; LAYERS] {
        match direction {
            Direction::Inbound => &self.inbound,
            Direction::Outbound => &self.outbound,
        }
    }

    /// What becomes of a later fragment: it passes if some ports exist with which rules would allow it, or its answer.
    pub fn fragment(&self, ip: &Ip, direction: Direction) -> Reason {
        let permits = |direction, source, destination| {
            let asked = self.views(direction).iter().zip(places(direction));
            for (view, place) in asked.filter_map(|(view, place)| Some((view.as_ref()?, place))) {
                match view.fragment(source, destination, ip.protocol(), 0) {
                    Fragment::AlwaysAllow => return true,
                    Fragment::Allow => {}
                    Fragment::Miss if place == Place::Admin => {}
                    Fragment::Miss | Fragment::Deny => return false,
                }
            }
            true
        };
        let back = match direction {
            Direction::Inbound => Direction::Outbound,
            Direction::Outbound => Direction::Inbound,
        };
        if permits(direction, ip.source, ip.destination) || permits(back, ip.destination, ip.source) {
            Reason::LaterFragment
        } else {
            Reason::Fragment
        }
    }

    /// Asks layer by layer, as `bpf/policy.h` does.
    pub fn walk(&self, flow: &Flow) -> Walk {
        let views = self.views(flow.direction());
        let places = places(flow.direction());
        let mut walk = Walk { reason: Reason::Allowed, rows: [RULE_NONE; LAYERS] };
        for (index, view) in views.iter().enumerate() {
            let Some(view) = view else { continue };
            let found = view.lookup(flow, 0);
            // What would have dropped it, were it not in audit.
            if matches!(found.shadow, Some((_, Action::Deny | Action::Closed))) {
                walk.reason = Reason::Audited;
            }
            let Some((row, action)) = found.rule else {
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
        (Verdict::Allow, ..) => match decision.shadow {
            Some(Shadow { verdict: Verdict::Deny, .. }) => Reason::Audited,
            _ => Reason::Allowed,
        },
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
            if layers[layer].layer == Layer::PublicAddress && !walk.reason.is_drop() {
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

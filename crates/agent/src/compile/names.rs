//! What the rules in a NIC's blobs are called, so that the kernel's numbers can be told as names.
//!
//! The kernel knows a rule by its layer's place and its row. It must not know what a name means, and this not what a row does.

use palisade_abi::flow::Direction;
use palisade_abi::verdict::{LAYERS, Layer as Place};
use palisade_classify::lower;
use palisade_datapath::{LAYERS_INBOUND, LAYERS_OUTBOUND};
use palisade_model::{EffectiveLayer, EffectivePolicy, Layer};
use palisade_net::Direction as Side;

/// The name of rows that no rule of the user's stands behind.
const PLATFORM: &str = "the platform's traffic";

/// The lists of one NIC by direction and place in the evaluation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleNames {
    inbound: [Option<ListNames>; LAYERS],
    outbound: [Option<ListNames>; LAYERS],
}

/// One list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListNames {
    /// Where it stands.
    pub layer: Place,
    /// The NSG or collection; `None` for a place without one.
    pub list: Option<String>,
    /// The rule behind each row.
    pub rows: Vec<String>,
}

impl RuleNames {
    /// The names of a policy as it is compiled.
    pub(super) fn of(policy: &EffectivePolicy) -> Self {
        let direction = |side, order| {
            let mut lists = [const { None }; LAYERS];
            for (lowered, layer) in lower::layers(policy, side).into_iter().zip(policy.layers(side)) {
                let rows = lowered.origins.into_iter().map(|origin| row(layer, origin)).collect();
                let (at, list) = (place(layer.layer), layer.name.clone());
                lists[position(&order, at)] = Some(ListNames { layer: at, list, rows });
            }
            lists
        };
        Self {
            inbound: direction(Side::Inbound, LAYERS_INBOUND),
            outbound: direction(Side::Outbound, LAYERS_OUTBOUND),
        }
    }

    /// The same lists in both directions.
    #[cfg(test)]
    pub(crate) fn for_tests(lists: [Option<ListNames>; LAYERS]) -> Self {
        Self { inbound: lists.clone(), outbound: lists }
    }

    /// The lists of a direction, in the order of evaluation.
    pub const fn lists(&self, direction: Direction) -> &[Option<ListNames>; LAYERS] {
        match direction {
            Direction::Inbound => &self.inbound,
            Direction::Outbound => &self.outbound,
        }
    }
}

fn row(layer: &EffectiveLayer, origin: Option<usize>) -> String {
    let rule = origin.and_then(|number| layer.rules.get(number));
    rule.map_or_else(|| PLATFORM.to_owned(), |rule| rule.path.clone())
}

/// A closed public address takes the interface's place: it exists only where no NSG does.
const fn place(layer: Layer) -> Place {
    match layer {
        Layer::Admin => Place::Admin,
        Layer::Subnet => Place::Subnet,
        Layer::NetworkInterface | Layer::PublicAddress => Place::NetworkInterface,
    }
}

fn position(order: &[Place; LAYERS], wanted: Place) -> usize {
    order.iter().position(|place| *place == wanted).expect("every place is in the order")
}

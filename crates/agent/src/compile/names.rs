//! What the rules in a NIC's blobs are called, so that the kernel's numbers can be told as names.
//!
//! The kernel knows a rule by its layer's place and its row. It must not know what a name means, and this not what a row does.

use std::sync::Arc;

use palisade_abi::flow::Direction;
use palisade_abi::verdict::{LAYERS, Layer};
use palisade_classify::enforce::{LayerBlob, PolicyBlobs};
use palisade_datapath::{LAYERS_INBOUND, LAYERS_OUTBOUND};

/// The lists of one NIC by direction and place in the evaluation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleNames {
    inbound: [Option<ListNames>; LAYERS],
    outbound: [Option<ListNames>; LAYERS],
    throttle: Option<String>,
}

/// One list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListNames {
    /// Where it stands.
    pub layer: Layer,
    /// The NSG or collection; `None` for a place without one.
    pub list: Option<String>,
    /// The rule behind each row.
    pub rows: Arc<[String]>,
}

impl RuleNames {
    /// The names of a policy that was compiled.
    pub(super) fn of(blobs: &PolicyBlobs) -> Self {
        let names = |order: [Layer; LAYERS], blobs: &[Option<LayerBlob>; LAYERS]| {
            std::array::from_fn(|place| {
                let blob = blobs[place].as_ref()?;
                let (layer, list) = (order[place], blob.name.clone());
                Some(ListNames { layer, list, rows: Arc::clone(&blob.rules) })
            })
        };
        Self {
            inbound: names(LAYERS_INBOUND, &blobs.inbound),
            outbound: names(LAYERS_OUTBOUND, &blobs.outbound),
            throttle: None,
        }
    }

    /// The same, of a NIC with a throttle that is told as this rule.
    pub(crate) fn with_throttle(&self, rule: String) -> Self {
        Self { throttle: Some(rule), ..self.clone() }
    }

    /// The rule that the NIC's throttle is told as.
    pub fn throttle(&self) -> Option<&str> {
        self.throttle.as_deref()
    }

    /// The same lists in both directions.
    #[cfg(test)]
    pub(crate) fn for_tests(lists: [Option<ListNames>; LAYERS]) -> Self {
        Self { inbound: lists.clone(), outbound: lists, throttle: None }
    }

    /// The lists of a direction, in the order of evaluation.
    pub const fn lists(&self, direction: Direction) -> &[Option<ListNames>; LAYERS] {
        match direction {
            Direction::Inbound => &self.inbound,
            Direction::Outbound => &self.outbound,
        }
    }
}

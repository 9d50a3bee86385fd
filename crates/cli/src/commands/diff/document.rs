//! Differences as JSON.
//!
//! `region` is for people and may leave terms out; `blocks` hold every prefix, and `rest` what is in no block because there
//! would be too many. Volumes are decimal texts, since they pass what numbers of JSON can hold.

use std::rc::Rc;

use palisade_analysis::{Block, Change, Class, Names};
use palisade_arm::flow;
use palisade_net::{Direction, PortRange, PortSet};
use serde_json::{Value, json};

use super::{Compared, members, said, text};

/// All that differs, as one document.
pub(super) fn document(compared: &Compared<'_>) -> Value {
    let region = |(class, direction, change, names): (&Class, Direction, &Change, Rc<Names>)| {
        let words = names.words(&change.region);
        json!({
            "places": members(class),
            "direction": direction.to_string(),
            "before": said(&class.before, direction, change.before),
            "after": said(&class.after, direction, change.after),
            "region": words.iter().map(text::block).collect::<Vec<_>>().join("; "),
            "blocks": change.region.blocks.iter().map(block).collect::<Vec<_>>(),
            "rest": change.region.rest.to_string(),
            "witness": flow::document(&change.example),
            "volume": change.volume.total().to_string(),
        })
    };
    let open = |(class, direction): (&Class, Direction)| {
        let open = class.diff(direction).open;
        let volume = open.total().to_string();
        json!({ "places": members(class), "direction": direction.to_string(), "volume": volume })
    };
    let ids = |ids: &[palisade_model::ResourceId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    json!({
        "identical": compared.found.is_identical(),
        "regions": compared.changes().map(region).collect::<Vec<_>>(),
        "removed": ids(&compared.found.removed),
        "added": ids(&compared.found.added),
        "unknown": compared.open().map(open).collect::<Vec<_>>(),
    })
}

/// A block with every prefix.
pub fn block(block: &Block) -> Value {
    let prefixes =
        |set: &palisade_net::AddressSet| set.prefixes().iter().map(ToString::to_string).collect::<Vec<_>>();
    json!({
        "family": block.family.to_string(),
        "protocols": block.protocols.iter().map(|protocol| protocol.0).collect::<Vec<_>>(),
        "sourceAddressPrefixes": prefixes(&block.sources),
        "sourcePortRanges": ports(&block.source_ports),
        "destinationAddressPrefixes": prefixes(&block.destinations),
        "destinationPortRanges": ports(&block.destination_ports),
    })
}

fn ports(set: &PortSet) -> Vec<String> {
    let ranges = set.ranges().iter().filter_map(|&(first, last)| PortRange::new(first, last).ok());
    ranges.map(|range| range.to_string()).collect()
}

//! Intents: what a group, or everything, is held to. A resource holds a document of them as `palisade prove` reads it.
//!
//! The members of the document are the intents' own and are kept as they are; `crate::gate` reads them.

use super::{Field, INTENTS, Kind, Shape};

/// Intents, at a subscription or in a group.
pub(super) static INTENT_SETS: Kind = Kind {
    name: INTENTS,
    label: "Intents",
    is_located: false,
    envelope: &[Field::new("location", Shape::Text)],
    properties: &[Field::read_only("provisioningState")],
    collections: &[],
    is_tagged: true,
};

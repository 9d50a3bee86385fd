//! Virtual machines, as thin as the tools that ask for their NICs allow.

use super::{Field, Kind, Link, NIC, Shape, VM};

static INTERFACE: Link = Link { kinds: &[NIC], is_local: true };

/// Virtual machines.
pub(super) static VIRTUAL_MACHINES: Kind = Kind {
    name: VM,
    label: "Virtual machine",
    is_located: true,
    envelope: &[],
    properties: &[
        Field::read_only("provisioningState"),
        Field::read_only("vmId"),
        Field::read_only("timeCreated"),
        Field::read_only("instanceView"),
        Field::new(
            "networkProfile",
            Shape::Object(&[Field::new(
                "networkInterfaces",
                Shape::Objects(&[
                    Field::new("id", Shape::Id(&INTERFACE)),
                    Field::new("primary", Shape::Flag),
                    Field::new(
                        "properties",
                        Shape::Object(&[
                            Field::new("primary", Shape::Flag),
                            Field::new("deleteOption", Shape::Text),
                        ]),
                    ),
                ]),
            )]),
        ),
    ],
    collections: &[],
    is_tagged: true,
};

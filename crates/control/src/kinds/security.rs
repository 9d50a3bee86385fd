//! Time-limited access: policies as Defender for Cloud has them, and what becomes of them at an interface.
//!
//! A policy's ports and requests are kept as they are; `crate::access` reads them. The type of its id has a region in the
//! middle that is no resource, see [`super::locate`].

use super::{ACCESS, Field, JIT, Kind, Link, NIC, Shape, TUNNEL};

/// Machines need not be resources here: what has their interfaces is asked when it matters.
pub(super) static MACHINE: Link = Link { kinds: &[], is_local: false };

/// Policies for time-limited access.
pub(super) static POLICIES: Kind = Kind {
    name: JIT,
    label: "Just-in-time network access policy",
    is_located: false,
    envelope: &[Field::new("kind", Shape::Text), Field::new("location", Shape::Text)],
    properties: &[
        Field::read_only("provisioningState"),
        Field::read_only("requests"),
        Field::read_only("overriddenRules"),
        Field::new("requiresJustification", Shape::Flag),
        Field::new("requiresTicket", Shape::Flag),
        Field::new(
            "virtualMachines",
            Shape::Objects(&[
                Field::new("id", Shape::Id(&MACHINE)),
                Field::new("publicIpAddress", Shape::Text),
                Field::new(
                    "ports",
                    Shape::Objects(&[
                        Field::new("number", Shape::Integer),
                        Field::new("protocol", Shape::Text),
                        Field::new("allowedSourceAddressPrefix", Shape::Text),
                        Field::new("allowedSourceAddressPrefixes", Shape::Texts),
                        Field::new("maxRequestAccessDuration", Shape::Text),
                        Field::new("requiresApproval", Shape::Flag),
                    ]),
                ),
            ]),
        ),
    ],
    collections: &[],
    is_tagged: false,
};

/// An interface that a tunnel leads to outlives it, and may go before it.
static END: Link = Link { kinds: &[NIC], is_local: false };

/// Tunnels that are open. The server alone writes them; who deletes one ends it.
pub(super) static TUNNELS: Kind = Kind {
    name: TUNNEL,
    label: "Tunnel",
    is_located: false,
    envelope: &[],
    properties: &[Field::new("networkInterface", Shape::Reference(&END))],
    collections: &[],
    is_tagged: false,
};

/// The rules of an interface that follow from policies. It is stored nowhere.
pub(crate) static TIMED_ACCESS: Kind = Kind {
    name: ACCESS,
    label: "Time-limited access",
    is_located: false,
    envelope: &[],
    properties: &[],
    collections: &[],
    is_tagged: false,
};

//! Answers to alerts, by hand or by policy: machines in quarantine, sources that are locked out, machines that are throttled, and policies.
//!
//! `crate::answers` reads them. What becomes of them at an interface is three kinds more, which are stored nowhere.

use super::{
    ANSWER_POLICY, Field, ISOLATION, Kind, LOCKED_OUT, LOCKOUT, QUARANTINE, Shape, THROTTLE, THROTTLED,
    security::MACHINE,
};

/// What stays open to a machine in quarantine.
const PATHS: Shape = Shape::Objects(&[
    Field::new("source", Shape::Text),
    Field::new("port", Shape::Integer),
    Field::new("protocol", Shape::Text),
]);

/// Machines that are isolated.
pub(super) static QUARANTINES: Kind = Kind {
    name: QUARANTINE,
    label: "Quarantine",
    is_located: false,
    envelope: &[Field::new("location", Shape::Text)],
    properties: &[
        Field::read_only("provisioningState"),
        Field::read_only("startTimeUtc"),
        Field::read_only("policy"),
        Field::read_only("alert"),
        Field::new("target", Shape::Reference(&MACHINE)),
        Field::new("forensic", PATHS),
        Field::new("reason", Shape::Text),
    ],
    collections: &[],
    is_tagged: false,
};

/// Sources that are locked out, and pairs that are blocked.
pub(super) static LOCKOUTS: Kind = Kind {
    name: LOCKOUT,
    label: "Lock-out",
    is_located: false,
    envelope: &[Field::new("location", Shape::Text)],
    properties: &[
        Field::read_only("provisioningState"),
        Field::read_only("startTimeUtc"),
        Field::read_only("repetition"),
        Field::read_only("policy"),
        Field::read_only("alert"),
        Field::new("source", Shape::Text),
        Field::new("target", Shape::Reference(&MACHINE)),
        Field::new("endTimeUtc", Shape::Text),
        Field::new("duration", Shape::Text),
        Field::new("reason", Shape::Text),
    ],
    collections: &[],
    is_tagged: false,
};

/// Machines that find new destinations at no more than a rate.
pub(super) static THROTTLES: Kind = Kind {
    name: THROTTLE,
    label: "Throttle",
    is_located: false,
    envelope: &[Field::new("location", Shape::Text)],
    properties: &[
        Field::read_only("provisioningState"),
        Field::read_only("startTimeUtc"),
        Field::read_only("policy"),
        Field::read_only("alert"),
        Field::new("target", Shape::Reference(&MACHINE)),
        Field::new("newDestinationsPerSecond", Shape::Integer),
        Field::new("workingSet", Shape::Integer),
        Field::new("endTimeUtc", Shape::Text),
        Field::new("duration", Shape::Text),
        Field::new("reason", Shape::Text),
    ],
    collections: &[],
    is_tagged: false,
};

/// What is done about alerts by itself.
pub(super) static ANSWER_POLICIES: Kind = Kind {
    name: ANSWER_POLICY,
    label: "Answer policy",
    is_located: false,
    envelope: &[Field::new("location", Shape::Text)],
    properties: &[
        Field::read_only("provisioningState"),
        Field::read_only("acts"),
        Field::new("target", Shape::Reference(&MACHINE)),
        Field::new("endTimeUtc", Shape::Text),
        Field::new(
            "rules",
            Shape::Objects(&[
                Field::new("alerts", Shape::Texts),
                Field::new("minSeverity", Shape::Text),
                Field::new("direction", Shape::Text),
                Field::new("step", Shape::Text),
            ]),
        ),
        Field::new(
            "lockout",
            Shape::Object(&[
                Field::new("unit", Shape::Text),
                Field::new("first", Shape::Text),
                Field::new("factor", Shape::Integer),
                Field::new("longest", Shape::Text),
                Field::new("memory", Shape::Text),
                Field::new("neighbours", Shape::Integer),
            ]),
        ),
        Field::new(
            "throttle",
            Shape::Object(&[
                Field::new("newDestinationsPerSecond", Shape::Integer),
                Field::new("workingSet", Shape::Integer),
                Field::new("duration", Shape::Text),
            ]),
        ),
        Field::new(
            "budgets",
            Shape::Object(&[
                Field::new("throttle", Shape::Integer),
                Field::new("block", Shape::Integer),
                Field::new("lockout", Shape::Integer),
                Field::new("quarantine", Shape::Integer),
            ]),
        ),
        Field::new("allow", Shape::Texts),
        Field::new("forensic", PATHS),
    ],
    collections: &[],
    is_tagged: false,
};

const fn derived(name: &'static str, label: &'static str) -> Kind {
    Kind {
        name,
        label,
        is_located: false,
        envelope: &[],
        properties: &[],
        collections: &[],
        is_tagged: false,
    }
}

/// What a quarantine is at an interface.
pub(crate) static ISOLATED: Kind = derived(ISOLATION, "Isolation");
/// What lock-outs are at an interface.
pub(crate) static BARRED: Kind = derived(LOCKED_OUT, "Locked-out sources");
/// What a throttle is at an interface.
pub(crate) static SLOWED: Kind = derived(THROTTLED, "Throttle of an interface");

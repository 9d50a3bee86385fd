//! Resource groups, deployments and locks.

use super::{DEPLOYMENT, Field, GROUP, Kind, LOCK, Shape};

/// Resource groups.
pub(super) static GROUPS: Kind = Kind {
    name: GROUP,
    label: "Resource group",
    is_located: true,
    envelope: &[Field::new("managedBy", Shape::Text)],
    properties: &[Field::read_only("provisioningState")],
    collections: &[],
    is_tagged: true,
};

/// Deployments: what the deployments engine has done.
pub(super) static DEPLOYMENTS: Kind = Kind {
    name: DEPLOYMENT,
    label: "Deployment",
    is_located: false,
    envelope: &[Field::new("location", Shape::Text)],
    properties: &[],
    collections: &[],
    is_tagged: true,
};

/// Locks, at any scope.
pub(super) static LOCKS: Kind = Kind {
    name: LOCK,
    label: "Lock",
    is_located: false,
    envelope: &[],
    properties: &[Field::new("level", Shape::Text), Field::new("notes", Shape::Text)],
    collections: &[],
    is_tagged: false,
};

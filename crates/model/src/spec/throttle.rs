//! A rate of new destinations, as it was written.

use super::{At, Given, Place, Reference, Text};
use crate::ResourceId;

/// How fast the machine behind an interface may begin something with destinations that it has not talked to lately.
#[derive(Debug, Clone)]
pub struct ThrottleSpec {
    /// Resource id.
    pub id: ResourceId,
    /// What it is called; the resource's own name if it is not said.
    pub throttle: Option<Text>,
    /// `networkInterface.id`.
    pub interface: Option<Reference>,
    /// `newDestinationsPerSecond`.
    pub per_second: Option<At<Given<i64>>>,
    /// `workingSet`.
    pub working_set: Option<At<Given<i64>>>,
    /// `expiresAt`, a time in ISO 8601.
    pub expires_at: Option<Text>,
    /// Where it stands.
    pub place: Place,
}

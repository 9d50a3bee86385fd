//! What an operator may set of the control plane.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use palisade_model::TagCatalog;

/// A source of the present time.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// Settings of a [`crate::Control`].
#[derive(Clone)]
pub struct Options {
    /// Service tags, by which rules are checked.
    pub tags: TagCatalog,
    /// Where public IP addresses come from.
    pub public_addresses: PublicAddresses,
    /// How long an operation waits for hosts.
    pub confirm_timeout: Duration,
    /// What time it is.
    pub clock: Clock,
}

/// A range that public IP addresses are given from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicAddresses {
    /// The first address.
    pub first: Ipv4Addr,
    /// How many there are.
    pub count: u32,
}

impl Default for PublicAddresses {
    /// TEST-NET-3 (RFC 5737), the range for documentation.
    fn default() -> Self {
        Self { first: Ipv4Addr::new(203, 0, 113, 1), count: 254 }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tags: TagCatalog::default(),
            public_addresses: PublicAddresses::default(),
            confirm_timeout: crate::fleet::CONFIRM_TIMEOUT,
            clock: Arc::new(SystemTime::now),
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("public_addresses", &self.public_addresses).finish_non_exhaustive()
    }
}

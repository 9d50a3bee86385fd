//! What the server tells its operator. It prints nothing itself: events go to whoever started it.

use std::{fmt, net::SocketAddr, path::PathBuf, sync::Arc};

use crate::fleet::FleetEvent;

/// Something an operator may want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The API is served here.
    Listening {
        /// The address.
        address: SocketAddr,
    },
    /// Agents are served here.
    AgentsListening {
        /// The address.
        address: SocketAddr,
    },
    /// The first start wrote the credentials of the first principal.
    Bootstrapped {
        /// Into this file.
        file: PathBuf,
    },
    /// The server shows a new certificate.
    CertificateRenewed,
    /// The certificate could not be renewed; the old one is shown until the next attempt.
    RenewalFailed {
        /// Why.
        why: String,
    },
    /// A handler panicked: a defect of ours. The client got 500.
    Panicked {
        /// The request's id, which the client was told.
        request: String,
        /// What was said.
        why: String,
    },
    /// Requests of one client are refused because there are too many.
    RateLimited {
        /// An address or a principal.
        who: String,
    },
    /// Something happened in the fleet.
    Fleet(FleetEvent),
    /// A part of the server ended that should not.
    Failed {
        /// Which.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// An intent does not hold of what was in force at the start: by another file of service tags, or because it was overridden.
    IntentBroken {
        /// Its name.
        intent: String,
        /// The resource with it.
        of: String,
        /// What breaks it.
        why: String,
    },
    /// Flow records cannot be stored; hosts keep them, and it is tried again.
    FlowsNotStored {
        /// Why.
        why: String,
    },
    /// This server keeps house for all that share the store.
    HousekeepingBegun,
    /// A round of housekeeping failed; the next one tries again.
    HousekeepingFailed {
        /// Why.
        why: String,
    },
    /// The server stops.
    Stopping,
}

/// Where events go.
#[derive(Clone)]
pub struct Events(Arc<dyn Fn(Event) + Send + Sync>);

impl Events {
    /// Sends events to `receive`, which must not block.
    pub fn to(receive: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self(Arc::new(receive))
    }

    /// Tells one.
    pub fn tell(&self, event: Event) {
        (self.0)(event);
    }
}

impl Default for Events {
    /// Nobody listens.
    fn default() -> Self {
        Self::to(|_| {})
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events")
    }
}

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
    /// The flow store was not tidied up; the next round tries again.
    FlowsNotTidied {
        /// Why.
        why: String,
    },
    /// An alert was answered by itself.
    Answered {
        /// Its id.
        alert: String,
        /// Name of the policy.
        policy: String,
        /// What was done.
        what: String,
    },
    /// An alert was not answered as a policy would have it.
    AnswerWithheld {
        /// Its id.
        alert: String,
        /// Name of the policy.
        policy: String,
        /// Why not.
        why: String,
    },
    /// An alert is not answered at all.
    AnswerFailed {
        /// Its id.
        alert: String,
        /// Why not.
        why: String,
    },
    /// The detectors saw something.
    Alert {
        /// Its id.
        id: String,
        /// How grave it is.
        severity: String,
        /// What it is.
        name: String,
        /// Who is to blame.
        subject: String,
        /// Id of the machine that is concerned, if it is one.
        machine: Option<String>,
    },
    /// Alerts cannot be kept; it is tried again, unless it says that they are lost.
    AlertsNotKept {
        /// Why.
        why: String,
    },
    /// Older alerts made room for new ones.
    AlertsForgotten {
        /// How many.
        count: usize,
    },
    /// Notices did not reach a target.
    NoticesLost {
        /// Which.
        target: String,
        /// How many, since it was told last.
        count: u64,
        /// Why.
        why: String,
    },
    /// The detectors did not see records, because too many waited or their times cannot be right.
    FlowsNotWatched {
        /// How many, since it was told last.
        count: u64,
    },
    /// The detectors could not look at the past, and begin anew.
    DetectorsCold {
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

//! What every handler of the server has in its hands.

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::{Duration, Instant, SystemTime},
};

use palisade_control::{Caller, Control};
use palisade_model::ResourceId;
use palisade_store::Store;

use crate::{
    access::Gatekeeper, alerts::Watch, api::History, event::Events, limits::Rates, login::Desk,
    standing::Standing, tls::Authority, tunnels::Tunnels,
};

/// The parts of a running server. Shared by all handlers behind an [`Arc`].
#[derive(Debug)]
pub struct App {
    /// Every action and every answer comes from here.
    pub control: Control,
    /// Where the control plane keeps everything; the audit log is read from here.
    pub store: Arc<dyn Store>,
    /// Signs certificates of hosts.
    pub authority: Arc<Authority>,
    /// Tenant and subscription of this installation.
    pub site: Site,
    /// The address that clients are told when theirs cannot be told from the request: `https://host:port`.
    pub endpoint: String,
    /// Who asks, and whether he may.
    pub gate: Gatekeeper,
    /// Where one logs in.
    pub desk: Desk,
    /// How much whom is served.
    pub rates: Rates,
    /// What the operator should know.
    pub events: Events,
    /// Who is connected to a machine through this server.
    pub tunnels: Tunnels,
    /// What happened lately.
    pub(crate) history: History,
    /// What intents say of what was in force when the server started, once they were asked.
    pub(crate) standing: OnceLock<Standing>,
    /// The flow store's address, if there is one.
    pub(crate) flow_store: Option<String>,
    /// The detectors, if hosts are asked for flow records.
    pub(crate) watch: OnceLock<Arc<Watch>>,
    /// When the server started.
    pub started: Instant,
}

/// The one tenant and the one subscription of an installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Tenant id.
    pub tenant: String,
    /// Subscription id.
    pub subscription: String,
    /// The subscription's name for people.
    pub name: String,
}

/// The address that a request came from, where the connection tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

impl Site {
    /// The subscription as a scope.
    pub fn scope(&self) -> ResourceId {
        ResourceId::new(&format!("/subscriptions/{}", self.subscription))
    }
}

impl App {
    /// The present time: the only clock of handlers.
    pub fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    /// How long the server runs.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }
}

/// The server itself, where it acts without anybody having asked.
pub fn system_caller() -> Caller {
    Caller { principal: "system".to_owned(), name: "system".to_owned(), ..Caller::default() }
}

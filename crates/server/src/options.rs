//! What an operator may set of a server.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use palisade_store::{Store, StoreUrl};

use crate::{
    access::{
        fetch::Fetcher,
        outside::{KeySource, Provider},
    },
    event::Events,
    fleet::FlowSink,
    flows::FlowUpkeep,
    housekeeping::Housekeeping,
    limits::{CONNECTIONS_MAX, RATE_PER_ADDRESS, RATE_PER_PRINCIPAL, REQUESTS_MAX, Rate},
    notices::NotifyOptions,
};

/// Settings of a [`crate::Server`].
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// The data folder.
    pub data_dir: PathBuf,
    /// Where the API is served; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where agents are served; nowhere if there is none.
    pub agents_listen: Option<SocketAddr>,
    /// Where everything is kept.
    pub store: StoreSource,
    /// Names and addresses by which the server is reached, besides those it can tell itself.
    pub names: Vec<String>,
    /// The operator's own certificate and key for the API, PEM; ours if there are none.
    pub tls_files: Option<(PathBuf, PathBuf)>,
    /// An OpenID provider whose people are taken.
    pub openid: Option<Provider>,
    /// Where keys of issuers elsewhere come from.
    pub key_source: Arc<dyn KeySource>,
    /// Settings of the control plane.
    pub control: palisade_control::Options,
    /// Most connections at once.
    pub connections_max: usize,
    /// Most requests at once.
    pub requests_max: usize,
    /// What one address may ask.
    pub rate_per_address: Rate,
    /// What one principal may ask.
    pub rate_per_principal: Rate,
    /// Where flow records of hosts go.
    pub flows: FlowsTo,
    /// What is done for the flow store, if they go into one.
    pub flow_upkeep: FlowUpkeep,
    /// Who is told of alerts.
    pub notify: NotifyOptions,
    /// When what is forgotten.
    pub housekeeping: Housekeeping,
    /// What the operator is told.
    pub events: Events,
}

/// Where flow records of hosts go; wherever that is, the detectors see them first.
#[derive(Debug, Clone, Default)]
pub enum FlowsTo {
    /// Hosts are not asked for any.
    #[default]
    Nowhere,
    /// To the detectors, and then nowhere.
    Watched,
    /// A flow store at this address: a folder, `s3://BUCKET/PATH` or `az://CONTAINER/PATH`.
    Store(String),
    /// Whatever this does with them.
    Sink(Arc<dyn FlowSink>),
}

impl FlowsTo {
    /// The flow store's address, if it is one.
    pub fn store(&self) -> Option<&str> {
        if let Self::Store(address) = self { Some(address) } else { None }
    }
}

/// Where everything is kept.
#[derive(Debug, Clone)]
pub enum StoreSource {
    /// A store that the server opens.
    Url(StoreUrl),
    /// One that is open, and may be another server's too.
    Open(Arc<dyn Store>),
}

impl ServerOptions {
    /// A server with this data folder at this address, and everything else as usual.
    pub fn new(data_dir: PathBuf, listen: SocketAddr) -> Self {
        Self {
            data_dir,
            listen,
            agents_listen: None,
            store: StoreSource::Url(StoreUrl::default()),
            names: Vec::new(),
            tls_files: None,
            openid: None,
            key_source: Arc::new(Fetcher),
            control: palisade_control::Options::default(),
            connections_max: CONNECTIONS_MAX,
            requests_max: REQUESTS_MAX,
            rate_per_address: RATE_PER_ADDRESS,
            rate_per_principal: RATE_PER_PRINCIPAL,
            flows: FlowsTo::Nowhere,
            flow_upkeep: FlowUpkeep::default(),
            notify: NotifyOptions::default(),
            housekeeping: Housekeeping::default(),
            events: Events::default(),
        }
    }
}

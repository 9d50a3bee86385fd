//! A server from its start to its end.
//!
//! The start goes from what others need most to what they see: folder, store, control plane, authority, first principal,
//! listeners. Whoever can connect finds everything ready. The end lets requests under way finish, within a time.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    sync::{Arc, OnceLock},
    time::{Instant, SystemTime},
};

use axum_server::Handle;
use palisade_client::Bootstrap;
use palisade_control::{Control, ControlError, World};
use palisade_store::{Store, StoreError};
use tokio::{sync::watch, task::JoinHandle};
use uuid::Uuid;

use crate::{
    access::{Gatekeeper, outside::Outside},
    api::History,
    app::{App, Site},
    event::Event,
    fleet::FlowSinkError,
    flowing::Flows,
    flows,
    folder::{Folder, FolderError},
    housekeeping,
    limits::{Rates, STOP_TIMEOUT},
    login::{self, Desk},
    notices::TargetError,
    options::{FlowsTo, ServerOptions, StoreSource},
    serve::{self, Certificates},
    standing,
    tls::{self, Authority, TlsError},
    tunnels::{self, Tunnels},
};

/// A server; [`Server::start`] is all there is to it.
#[derive(Debug)]
pub struct Server;

/// A server that runs.
#[derive(Debug)]
pub struct Running {
    app: Arc<App>,
    address: SocketAddr,
    agents_address: Option<SocketAddr>,
    bootstrap: Option<Bootstrap>,
    folder: Folder,
    handle: Handle<SocketAddr>,
    stop: watch::Sender<bool>,
    serving: JoinHandle<io::Result<()>>,
    agents: Option<JoinHandle<()>>,
    helpers: Vec<JoinHandle<()>>,
    /// Where flow records go, and who watches them.
    flows: Flows,
    /// Whether the store is this server's to close.
    owns_store: bool,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The store.
    #[error("cannot open the store: {0}")]
    Store(#[from] StoreError),
    /// The control plane.
    #[error("cannot read the store: {0}")]
    Control(#[from] ControlError),
    /// The flow store.
    #[error(transparent)]
    Flows(#[from] FlowSinkError),
    /// A target of notices.
    #[error(transparent)]
    Notify(#[from] TargetError),
    /// Certificates.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// An address.
    #[error("cannot listen at {address}: {source} (choose another address, or port 0 for a free one)")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
}

impl Server {
    /// Starts a server. What it answers with serves until it is stopped.
    pub async fn start(options: ServerOptions) -> Result<Running, StartError> {
        tls::install_provider();
        let folder = Folder::open(&options.data_dir)?;
        let store = open_store(&options, &folder).await?;
        let control = Control::open(store.clone(), options.control.clone()).await?;
        let authority = Arc::new(Authority::open(&control, SystemTime::now()).await?);
        folder.write_authority(authority.pem())?;
        let clients = Bound::at(options.listen)?;
        let agents = options.agents_listen.map(Bound::at).transpose()?;
        let endpoint = format!("https://{}", reachable(clients.address));
        let (site, bootstrap) = login::bootstrap(&control, &folder, &endpoint).await?;
        let app = Arc::new(App {
            history: History::new(control.read(World::revision)),
            gate: gate(&options, &site)?,
            desk: Desk::default(),
            rates: Rates::new(options.rate_per_address, options.rate_per_principal),
            events: options.events.clone(),
            tunnels: Tunnels::default(),
            standing: OnceLock::new(),
            flow_store: options.flows.store().map(str::to_owned),
            watch: OnceLock::new(),
            started: Instant::now(),
            control,
            store,
            authority,
            site,
            endpoint,
        });
        if bootstrap.is_some() {
            app.events.tell(Event::Bootstrapped { file: folder.bootstrap_file() });
        }
        if serve::shared(&app, &options.store).is_none() {
            tunnels::end_left(&app).await;
        }
        let flows = Flows::open(&app, &options, &folder).await?;
        Running::new(app, &options, folder, flows, bootstrap, clients, agents)
    }
}

async fn open_store(options: &ServerOptions, folder: &Folder) -> Result<Arc<dyn Store>, StoreError> {
    match &options.store {
        StoreSource::Url(url) => palisade_store::open(url, folder.path()).await,
        StoreSource::Open(store) => Ok(store.clone()),
    }
}

/// Who lets in: for the tenant of the store, and with the people of the provider, if there is one.
fn gate(options: &ServerOptions, site: &Site) -> Result<Gatekeeper, StartError> {
    let tenant = Uuid::parse_str(&site.tenant).map_err(|_| {
        ControlError::new(500, "StoreDamaged", format!("tenant \"{}\" is no GUID", site.tenant))
    })?;
    Ok(Gatekeeper::new(tenant, Outside::new(options.openid.clone(), options.key_source.clone())))
}

/// A listener, and where it is.
struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

impl Bound {
    fn at(address: SocketAddr) -> Result<Self, StartError> {
        let failed = |source| StartError::Listen { address, source };
        let listener = TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }
}

/// The address by which this machine reaches a listener of its own.
pub fn reachable(bound: SocketAddr) -> SocketAddr {
    let ip = match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, bound.port())
}

impl Running {
    fn new(
        app: Arc<App>,
        options: &ServerOptions,
        folder: Folder,
        flows: Flows,
        bootstrap: Option<Bootstrap>,
        clients: Bound,
        agents: Option<Bound>,
    ) -> Result<Self, StartError> {
        let bound: Vec<_> =
            [Some(&clients), agents.as_ref()].into_iter().flatten().map(|at| at.address).collect();
        let certificates = Certificates::new(&app, options, &bound)?;
        let (address, agents_address) = (clients.address, agents.as_ref().map(|at| at.address));
        let failed = |address| move |source| StartError::Listen { address, source };
        let (handle, stop) = (Handle::new(), watch::Sender::new(false));
        let config = certificates.clients_config.clone();
        let serving = serve::clients(&app, options, clients.listener, config, handle.clone())
            .map_err(failed(address))?;
        let serve_agents = |at: Bound| {
            let config = certificates.agents_config.subscribe();
            let sink = flows.sink();
            serve::agents(&app, options, sink, at.listener, config, stop.subscribe())
                .map_err(failed(at.address))
        };
        let agents = agents.map(serve_agents).transpose()?;
        app.events.tell(Event::Listening { address });
        if let Some(address) = agents_address {
            app.events.tell(Event::AgentsListening { address });
        }
        let mut helpers = vec![
            tokio::spawn(certificates.keep(app.clone())),
            tokio::spawn(remember(app.clone())),
            tokio::spawn(standing::prove(app.clone())),
            tokio::spawn(housekeeping::keep(app.clone(), options.housekeeping)),
        ];
        if let FlowsTo::Store(address) = &options.flows {
            helpers.push(tokio::spawn(flows::keep(app.clone(), address.clone(), options.flow_upkeep)));
        }
        if agents.is_none() {
            helpers.extend(serve::mirror(&app, options));
        }
        let owns_store = matches!(options.store, StoreSource::Url(_));
        Ok(Self {
            app,
            address,
            agents_address,
            bootstrap,
            folder,
            handle,
            stop,
            serving,
            agents,
            helpers,
            flows,
            owns_store,
        })
    }

    /// Where the API is served.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where agents are served.
    pub fn agents_address(&self) -> Option<SocketAddr> {
        self.agents_address
    }

    /// The address that clients on this machine use: `https://host:port`.
    pub fn endpoint(&self) -> &str {
        &self.app.endpoint
    }

    /// The data folder.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// What every handler has in its hands.
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// The first principal's credentials, if this was the first start.
    pub fn bootstrap(&self) -> Option<&Bootstrap> {
        self.bootstrap.as_ref()
    }

    /// Waits until the server ends by itself, which is a failure.
    pub async fn ended(&mut self) -> io::Result<()> {
        (&mut self.serving).await.map_err(io::Error::other)?
    }

    /// Takes no more requests, lets those under way finish within [`STOP_TIMEOUT`], closes the store that it opened, and ends.
    pub async fn stop(self) {
        self.app.events.tell(Event::Stopping);
        self.app.tunnels.stop().await;
        self.stop.send_replace(true);
        self.handle.graceful_shutdown(Some(STOP_TIMEOUT));
        // How the listeners ended is no longer anybody's concern.
        if !self.serving.is_finished() {
            let _ = self.serving.await;
        }
        if let Some(agents) = self.agents {
            let _ = agents.await;
        }
        for helper in self.helpers {
            helper.abort();
            let _ = helper.await;
        }
        self.flows.close().await;
        // Whoever answered last may hold it a moment longer than the next server wants to wait.
        if self.owns_store {
            self.app.store.close().await;
        }
    }
}

/// Remembers what happens, for streams that come back.
async fn remember(app: Arc<App>) {
    app.history.follow(&app.control, app.control.changes()).await;
}

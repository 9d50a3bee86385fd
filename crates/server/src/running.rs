//! A server from its start to its end.
//!
//! The start goes from what others need most to what they see: folder, store, control plane, authority, first principal,
//! listeners. Whoever can connect finds everything ready. The end lets requests under way finish, within a time.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use axum_server::{Handle, tls_rustls::{RustlsAcceptor, RustlsConfig}};
use hyper_util::rt::TokioTimer;
use palisade_control::{Control, ControlError, World};
use palisade_store::{Store, StoreError};
use tokio::task::JoinHandle;

use crate::{
    api::History,
    app::App,
    event::Event,
    folder::{Bootstrap, Folder, FolderError},
    front,
    limits::{
        Gate, HANDSHAKE_TIMEOUT, HEADER_READ_TIMEOUT, HEADERS_LENGTH_MAX, KEEP_ALIVE, Rates, STOP_TIMEOUT,
        STREAMS_MAX,
    },
    login,
    options::{ServerOptions, StoreSource},
    tls::{self, Authority, ServerNames, Source, TlsError},
};

/// How soon a renewal that failed is tried again.
const RENEWAL_RETRY: Duration = Duration::from_secs(3_600);

/// A server; [`Server::start`] is all there is to it.
#[derive(Debug)]
pub struct Server;

/// A server that runs.
#[derive(Debug)]
pub struct Running {
    app: Arc<App>,
    address: SocketAddr,
    bootstrap: Option<Bootstrap>,
    folder: Folder,
    handle: Handle<SocketAddr>,
    serving: JoinHandle<io::Result<()>>,
    helpers: Vec<JoinHandle<()>>,
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
    /// Certificates.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// An address.
    #[error("cannot listen at {address}: {source} (another --listen, or port 0 for a free one)")]
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
        let (listener, address) = listen(options.listen)?;
        let endpoint = format!("https://{}", reachable(address));
        let (site, bootstrap) = login::bootstrap(&control, &folder, &endpoint).await?;
        if bootstrap.is_some() {
            options.events.tell(Event::Bootstrapped { file: folder.bootstrap_file() });
        }
        let app = Arc::new(App {
            history: History::new(control.read(World::revision)),
            control,
            store,
            authority,
            site,
            endpoint,
            rates: Rates::new(options.rate_per_address, options.rate_per_principal),
            events: options.events.clone(),
            started: Instant::now(),
        });
        serve(app, options, folder, listener, address, bootstrap)
    }
}

async fn open_store(options: &ServerOptions, folder: &Folder) -> Result<Arc<dyn Store>, StoreError> {
    match &options.store {
        StoreSource::Url(url) => palisade_store::open(url, folder.path()).await,
        StoreSource::Open(store) => Ok(store.clone()),
    }
}

fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// The address by which clients on this machine reach a listener.
fn reachable(bound: SocketAddr) -> SocketAddr {
    let ip = match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, bound.port())
}

fn serve(
    app: Arc<App>,
    options: ServerOptions,
    folder: Folder,
    listener: TcpListener,
    address: SocketAddr,
    bootstrap: Option<Bootstrap>,
) -> Result<Running, StartError> {
    let source = source(&options, address);
    let credentials = source.credentials(&app.authority, app.now())?;
    let config = RustlsConfig::from_config(tls::api_config(credentials)?);
    let acceptor = RustlsAcceptor::new(config.clone())
        .handshake_timeout(HANDSHAKE_TIMEOUT)
        .acceptor(Gate::new(options.connections_max));
    let handle = Handle::new();
    let failed = |source| StartError::Listen { address, source };
    let mut server = axum_server::from_tcp(listener).map_err(failed)?.acceptor(acceptor).handle(handle.clone());
    tune(&mut server);
    let router = front::router(app.clone(), options.requests_max);
    let serving = tokio::spawn(server.serve(router.into_make_service_with_connect_info::<SocketAddr>()));
    let helpers = vec![tokio::spawn(renew(app.clone(), source, config)), tokio::spawn(remember(app.clone()))];
    app.events.tell(Event::Listening { address });
    Ok(Running { app, address, bootstrap, folder, handle, serving, helpers })
}

fn source(options: &ServerOptions, address: SocketAddr) -> Source {
    match &options.tls_files {
        Some((certificate, key)) => Source::Files { certificate: certificate.clone(), key: key.clone() },
        None => Source::Authority(ServerNames::new(&[address], &options.names)),
    }
}

/// Timeouts and limits of HTTP itself.
fn tune<A>(server: &mut axum_server::Server<SocketAddr, A>) {
    let builder = server.http_builder();
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_TIMEOUT)
        .max_buf_size(HEADERS_LENGTH_MAX as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADERS_LENGTH_MAX);
}

/// Remembers what happens, for streams that come back.
async fn remember(app: Arc<App>) {
    app.history.follow(&app.control, app.control.changes()).await;
}

/// Shows a new certificate before the old one ends, for as long as the server runs.
async fn renew(app: Arc<App>, source: Source, config: RustlsConfig) {
    let mut delay = tls::renewal_delay();
    loop {
        tokio::time::sleep(delay).await;
        let renewed = source.credentials(&app.authority, app.now()).and_then(tls::api_config);
        match renewed {
            Ok(renewed) => {
                config.reload_from_config(renewed);
                app.events.tell(Event::CertificateRenewed);
                delay = tls::renewal_delay();
            }
            Err(error) => {
                app.events.tell(Event::RenewalFailed { why: error.to_string() });
                delay = RENEWAL_RETRY;
            }
        }
    }
}

impl Running {
    /// Where the API is served.
    pub fn address(&self) -> SocketAddr {
        self.address
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

    /// Takes no more requests, lets those under way finish within [`STOP_TIMEOUT`], and ends.
    pub async fn stop(self) {
        self.app.events.tell(Event::Stopping);
        self.handle.graceful_shutdown(Some(STOP_TIMEOUT));
        // How it ended is no longer anybody's concern.
        let _ = self.serving.await;
        for helper in self.helpers {
            helper.abort();
            let _ = helper.await;
        }
    }
}

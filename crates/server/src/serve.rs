//! The two listeners, and what keeps their certificates good.
//!
//! Clients are shown our authority's certificate, or the operator's own; agents always ours, since it is all they trust.
//! Both are made anew long before they end, and a connection sees one or the other.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use axum_server::{
    Handle,
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};
use hyper_util::rt::TokioTimer;
use palisade_control::fleet::watch_mirror;
use palisade_store::{Store, StoreUrl};
use rustls::ServerConfig;
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    app::App,
    event::Event,
    fleet::{self, COMPARE_EVERY, FleetOptions, FlowSink},
    front,
    limits::{Gate, HANDSHAKE_TIMEOUT, HEADER_READ_TIMEOUT, HEADERS_LENGTH_MAX, KEEP_ALIVE, STREAMS_MAX},
    options::{ServerOptions, StoreSource},
    tls::{self, ServerNames, Source, TlsError},
};

/// How soon a renewal that failed is tried again.
const RENEWAL_RETRY: Duration = Duration::from_secs(3_600);

/// Serves clients at a listener until the handle says stop.
pub(crate) fn clients(
    app: &Arc<App>,
    options: &ServerOptions,
    listener: TcpListener,
    config: RustlsConfig,
    handle: Handle<SocketAddr>,
) -> io::Result<JoinHandle<io::Result<()>>> {
    let acceptor = RustlsAcceptor::new(config)
        .handshake_timeout(HANDSHAKE_TIMEOUT)
        .acceptor(Gate::new(options.connections_max));
    let mut server = axum_server::from_tcp(listener)?.acceptor(acceptor).handle(handle);
    tune(&mut server);
    let router = front::router(app.clone(), options.requests_max);
    Ok(tokio::spawn(server.serve(router.into_make_service_with_connect_info::<SocketAddr>())))
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

/// Serves agents at a listener until `stop` is true.
pub(crate) fn agents(
    app: &Arc<App>,
    options: &ServerOptions,
    flows: Option<Arc<dyn FlowSink>>,
    listener: TcpListener,
    config: watch::Receiver<Arc<ServerConfig>>,
    mut stop: watch::Receiver<bool>,
) -> io::Result<JoinHandle<()>> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let events = app.events.clone();
    let fleet = FleetOptions {
        authority: app.authority.clone(),
        compare_every: COMPARE_EVERY,
        shared: shared(app, &options.store),
        flows,
        desk: app.tunnels.desk().clone(),
        tell: Arc::new(move |event| events.tell(Event::Fleet(event))),
    };
    let app = app.clone();
    Ok(tokio::spawn(async move {
        let stopped = async move {
            // That the other side is gone means the same.
            let _ = stop.wait_for(|stop| *stop).await;
        };
        if let Err(error) = fleet::serve(app.control.clone(), listener, config, fleet, stopped).await {
            app.events.tell(Event::Failed { what: "the service of agents", why: error.to_string() });
        }
    }))
}

/// Follows what other servers' hosts report, at a server without agents of its own; `None` if nobody else has any.
pub(crate) fn mirror(app: &Arc<App>, options: &ServerOptions) -> Option<JoinHandle<()>> {
    let store = shared(app, &options.store)?;
    Some(tokio::spawn(watch_mirror(store, app.control.clone(), |_| false)))
}

/// The store, if other servers may be at it too.
pub(crate) fn shared(app: &App, source: &StoreSource) -> Option<Arc<dyn Store>> {
    match source {
        StoreSource::Url(StoreUrl::Sqlite) => None,
        StoreSource::Url(StoreUrl::Etcd(_)) | StoreSource::Open(_) => Some(app.store.clone()),
    }
}

/// What both listeners show.
pub(crate) struct Certificates {
    clients: Source,
    agents: Source,
    pub(crate) clients_config: RustlsConfig,
    pub(crate) agents_config: watch::Sender<Arc<ServerConfig>>,
}

impl Certificates {
    /// Certificates for listeners at these addresses.
    pub(crate) fn new(app: &App, options: &ServerOptions, bound: &[SocketAddr]) -> Result<Self, TlsError> {
        let own = Source::Authority(ServerNames::new(bound, &options.names));
        let clients = match &options.tls_files {
            Some((certificate, key)) => Source::Files { certificate: certificate.clone(), key: key.clone() },
            None => own.clone(),
        };
        let clients_config = tls::api_config(clients.credentials(&app.authority, app.now())?)?;
        let agents_config = tls::fleet_config(own.credentials(&app.authority, app.now())?, &app.authority)?;
        Ok(Self {
            clients,
            agents: own,
            clients_config: RustlsConfig::from_config(clients_config),
            agents_config: watch::Sender::new(agents_config),
        })
    }

    /// Shows new certificates before the old ones end, for as long as the server runs.
    pub(crate) async fn keep(self, app: Arc<App>) {
        let mut delay = tls::renewal_delay();
        loop {
            tokio::time::sleep(delay).await;
            match self.renew(&app) {
                Ok(()) => {
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

    fn renew(&self, app: &App) -> Result<(), TlsError> {
        let agents = self.agents.credentials(&app.authority, app.now())?;
        self.agents_config.send_replace(tls::fleet_config(agents, &app.authority)?);
        let clients = self.clients.credentials(&app.authority, app.now())?;
        self.clients_config.reload_from_config(tls::api_config(clients)?);
        Ok(())
    }
}

//! `palisade server`: the control plane, for hosts that join it.

mod notify;
mod tell;

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use palisade_agent::load;
use palisade_lab::interrupt::Interrupt;
use palisade_server::access::outside::Provider;
use palisade_server::{App, Events, FlowsTo, Server, ServerOptions, StoreSource};
use palisade_store::StoreUrl;
use tokio::{runtime::Runtime, sync::oneshot, task::JoinHandle};

use self::tell::tell;
use crate::{args::days, exit::Exit, exit::Failure};

/// Where a server listens unless told otherwise.
const LISTEN: &str = "127.0.0.1:8443";
/// Where a server keeps its things unless told otherwise.
pub const DATA: &str = "/var/lib/palisade";

/// Options of the command.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The first start writes DIR/bootstrap.json, with which the first owner logs in: palisade login \
                        --bootstrap DIR/bootstrap.json. docs/clients.md says how az, the SDKs and Terraform log in."
)]
pub struct Arguments {
    #[command(flatten)]
    serve: ServeArgs,
    /// Where agents connect; nowhere when missing
    #[arg(long, value_name = "ADDR:PORT")]
    agents_listen: Option<SocketAddr>,
}

/// Options of a server, alone or with an agent.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Server")]
pub struct ServeArgs {
    /// Folder of the store, the authority's certificate and the first credentials
    #[arg(long = "data", value_name = "DIR", default_value = DATA)]
    pub data_dir: PathBuf,
    /// Where clients connect; port 0 takes a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = LISTEN)]
    listen: SocketAddr,
    /// Where everything is kept: sqlite, or etcd://HOST:PORT,HOST:PORT/PREFIX?ca=FILE&cert=FILE&key=FILE
    #[arg(long, value_name = "URL", default_value = "sqlite")]
    store: StoreUrl,
    /// Name or address by which clients and agents reach the server, besides those that it listens at
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<String>,
    /// Certificate to show to clients instead of one of the server's own authority, PEM with its chain
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// Key of that certificate, PEM
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// Microsoft's service tag file, by which rules are checked and answered
    #[arg(long, value_name = "FILE", env = "PALISADE_SERVICE_TAGS")]
    pub service_tags: Vec<PathBuf>,
    /// Where flow records of hosts go: a folder, s3://BUCKET/PATH or az://CONTAINER/PATH; the detectors watch them on their way. Without it and --detect they are not asked for any
    #[arg(long, value_name = "STORE")]
    flow_store: Option<String>,
    /// Remove hours of the flow store that ended so many days ago; without it none goes for its age
    #[arg(long, value_name = "DAYS", requires = "flow_store", value_parser = days)]
    flow_keep_days: Option<Duration>,
    /// Remove the oldest hour of the flow store while it has more bytes
    #[arg(long, value_name = "BYTES", requires = "flow_store")]
    flow_keep_bytes: Option<u64>,
    /// Ask hosts for flow records and let the detectors watch them, also where no store keeps them
    #[arg(long)]
    detect: bool,
    #[command(flatten)]
    notify: notify::NotifyArgs,
    #[command(flatten)]
    openid: OpenIdArgs,
}

/// Options of an OpenID provider.
#[derive(Debug, Clone, clap::Args)]
struct OpenIdArgs {
    /// OpenID provider whose people may log in: its issuer, as it stands in its tokens
    #[arg(long, value_name = "URL", value_parser = issuer, requires = "oidc_client_id")]
    oidc_issuer: Option<String>,
    /// Our client id at the provider, which its tokens must be for
    #[arg(long, value_name = "ID", requires = "oidc_issuer")]
    oidc_client_id: Option<String>,
    /// Claim of the provider's tokens that lists groups, to which roles can be given then
    #[arg(long, value_name = "NAME", requires = "oidc_issuer")]
    oidc_group_claim: Option<String>,
}

impl OpenIdArgs {
    fn provider(&self) -> Option<Provider> {
        let (issuer, client_id) = self.oidc_issuer.clone().zip(self.oidc_client_id.clone())?;
        Some(Provider { issuer, client_id, group_claim: self.oidc_group_claim.clone() })
    }
}

/// Keys are fetched from there, so nobody on the way may change them.
fn issuer(text: &str) -> Result<String, String> {
    let host = text.strip_prefix("https://").filter(|rest| !rest.is_empty());
    host.map(|_| text.to_owned()).ok_or_else(|| "an issuer begins with https://".to_owned())
}

impl ServeArgs {
    /// What the server is told.
    pub fn options(&self, agents_listen: Option<SocketAddr>) -> Result<ServerOptions, Failure> {
        let mut options = ServerOptions::new(self.data_dir.clone(), self.listen);
        options.agents_listen = agents_listen;
        options.store = StoreSource::Url(self.store.clone());
        options.names.clone_from(&self.names);
        options.tls_files = self.tls_certificate.clone().zip(self.tls_key.clone());
        options.openid = self.openid.provider();
        options.control.tags = load::tags(&self.service_tags)
            .map_err(|error| Failure::inputs(error.problems.iter().filter(|problem| problem.is_error)))?;
        options.flows = match &self.flow_store {
            Some(address) => FlowsTo::Store(address.clone()),
            None if self.detect => FlowsTo::Watched,
            None => FlowsTo::Nowhere,
        };
        options.flow_upkeep.keep = self.flow_keep_days;
        options.flow_upkeep.keep_bytes = self.flow_keep_bytes;
        options.notify = self.notify.options()?;
        options.events = Events::to(tell);
        Ok(options)
    }
}

/// A server on threads of its own, beside the caller's.
#[derive(Debug)]
pub struct Serving {
    runtime: Runtime,
    app: Arc<App>,
    agents_address: Option<SocketAddr>,
    stop: oneshot::Sender<()>,
    /// Why it ended, if nobody asked for it.
    ended: JoinHandle<Option<String>>,
}

impl Serving {
    /// Starts it. Signals must have been taken over before, so that these threads leave them alone. Its end, if nobody asked for
    /// it, is told to the process as SIGTERM is: whoever waits for that tidies up as after any other.
    pub fn start(options: ServerOptions) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let mut running = runtime.block_on(Server::start(options)).map_err(Failure::caused_by)?;
        let (app, agents_address) = (running.app().clone(), running.agents_address());
        let (stop, stopped) = oneshot::channel();
        let ended = runtime.spawn(async move {
            let why = tokio::select! {
                _ = stopped => None,
                ended = running.ended() => {
                    let _ = kill(Pid::this(), Signal::SIGTERM);
                    Some(ended.err().map_or_else(|| "nobody knows why".to_owned(), |error| error.to_string()))
                }
            };
            running.stop().await;
            why
        });
        Ok(Self { runtime, app, agents_address, stop, ended })
    }

    /// What the server's handlers have in their hands.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Where agents connect, if they are served.
    pub fn agents_address(&self) -> Option<SocketAddr> {
        self.agents_address
    }

    /// Does something on the server's threads.
    pub fn block_on<R>(&self, future: impl Future<Output = R>) -> R {
        self.runtime.block_on(future)
    }

    /// Lets requests under way finish, and ends. That it had ended by itself is a failure.
    pub fn stop(self) -> Result<(), Failure> {
        // Nobody listens if it has.
        let _ = self.stop.send(());
        match self.runtime.block_on(self.ended) {
            Ok(None) => Ok(()),
            Ok(Some(why)) => {
                Err(Failure::caused_by(std::io::Error::other(format!("the server ended: {why}"))))
            }
            Err(panicked) => Err(Failure::caused_by(panicked)),
        }
    }
}

/// Serves until Ctrl-C or SIGTERM.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let interrupt = Interrupt::take_over().map_err(Failure::caused_by)?;
    let serving = Serving::start(arguments.serve.options(arguments.agents_listen)?)?;
    interrupt.wait().map_err(Failure::caused_by)?;
    serving.stop()?;
    Ok(Exit::Clean)
}

//! `palisade up`: server and agent of one machine in one process.
//!
//! The agent joins the server over loopback as any other would, by itself and once; what it has in force stays in force when
//! the process ends.

use std::net::SocketAddr;

use palisade_agent::{
    Options, Sources,
    remote::{ServerAddress, ServerOptions, Vault},
};
use palisade_control::{
    fleet::{HostName, create_join_token},
    time::unix_seconds,
};
use palisade_lab::interrupt::Interrupt;
use palisade_server::{app::system_caller, reachable};

use super::{
    agent::{self, InstanceArgs, TuningArgs},
    server::{ServeArgs, Serving},
};
use crate::{exit::Exit, exit::Failure};

/// Where the agent connects unless told otherwise.
const AGENTS_LISTEN: &str = "127.0.0.1:8444";
/// How long the token is good that the agent joins with, in seconds: it is used at once.
const TOKEN_SECONDS: u64 = 300;

/// Options of the command.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "What is enforced stays enforced when this ends; `palisade detach` opens the machines. The first start \
                        writes DIR/bootstrap.json: palisade login --bootstrap DIR/bootstrap.json."
)]
pub struct Arguments {
    #[command(flatten)]
    serve: ServeArgs,
    /// Where agents connect, this machine's own and others that join; port 0 takes a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = AGENTS_LISTEN)]
    agents_listen: SocketAddr,
    /// Name of this machine at the server; its host name when missing
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    #[command(flatten)]
    instance: InstanceArgs,
    #[command(flatten)]
    tuning: TuningArgs,
}

/// Runs both until Ctrl-C or SIGTERM.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    // Before any thread is started, so that all of them leave the signals to the agent's loop.
    let _signals = Interrupt::take_over().map_err(Failure::caused_by)?;
    let instance = arguments.instance.places()?;
    let serving = Serving::start(arguments.serve.options(Some(arguments.agents_listen))?)?;
    let server = membership(arguments, &serving)?;
    let options = Options {
        instance,
        sources: Sources::Server(Box::new(server)),
        detach_on_exit: false,
        tuning: arguments.tuning.tuning(),
    };
    let ended = palisade_agent::run(&options, agent::tell).map_err(Failure::caused_by);
    ended.and(serving.stop())?;
    Ok(Exit::Clean)
}

/// How the agent comes to the server beside it: with a token of its own, unless it joined at an earlier start.
fn membership(arguments: &Arguments, serving: &Serving) -> Result<ServerOptions, Failure> {
    let data_dir = arguments.serve.data_dir.join("agent");
    let joined = Vault::open(&data_dir).and_then(|vault| vault.joined()).map_err(Failure::caused_by)?;
    let host = match &arguments.host {
        Some(host) => host.clone(),
        None => host_name()?,
    };
    let app = serving.app();
    let token = if joined.is_some() {
        None
    } else {
        let name = host.parse::<HostName>().map_err(Failure::input)?;
        let expires = unix_seconds(app.now()) + TOKEN_SECONDS;
        let (caller, authority) = (system_caller(), app.authority.fingerprint());
        let text = create_join_token(&app.control, &caller, authority, Some(name), expires);
        let text = serving.block_on(text).map_err(Failure::caused_by)?;
        Some(text.parse().map_err(Failure::caused_by)?)
    };
    // Not the one that was asked for, whose port may be 0.
    let bound = serving.agents_address().expect("it was told to serve agents");
    let address = reachable(bound);
    Ok(ServerOptions {
        server: ServerAddress { host: address.ip().to_string(), port: address.port() },
        token,
        authority: None,
        host,
        data_dir,
        // The server sends those that this machine's rules name.
        service_tags: Vec::new(),
    })
}

/// The machine's own name, up to the first dot.
fn host_name() -> Result<String, Failure> {
    let name = nix::unistd::gethostname().map_err(Failure::other_side)?;
    let name = name.to_string_lossy().to_lowercase();
    Ok(name.split('.').next().unwrap_or_default().to_owned())
}

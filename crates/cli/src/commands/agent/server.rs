//! Options of an agent that has a server.

use std::fs;
use std::path::{Path, PathBuf};

use palisade_agent::remote::{Authority, JoinToken, ServerAddress, ServerOptions, host_name};

use super::InstanceArgs;
use crate::{args::EstateArgs, exit::Failure};

/// Where agents of servers keep what outlives a reboot.
const DATA_ROOT: &str = "/var/lib/palisade/agent";
/// Where the system tells its name.
const HOST_NAME_FILE: &str = "/proc/sys/kernel/hostname";

/// Which server, and who is asking.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Server")]
pub struct ServerArgs {
    /// The server that gives the estate; port 8444 unless told otherwise
    #[arg(long, value_name = "HOST:PORT", conflicts_with_all = ["estate", "parameters", "subscription", "resource_group", "location"])]
    server: Option<ServerAddress>,
    /// What to join with: a token, or @FILE that holds one. Not needed by a host that has joined
    #[arg(
        long,
        value_name = "TOKEN|@FILE",
        requires = "server",
        env = "PALISADE_JOIN_TOKEN",
        hide_env_values = true
    )]
    join_token: Option<String>,
    /// Certificate of the server's authority; without it, the authority is known by the token
    #[arg(long, value_name = "FILE", requires = "server")]
    ca: Option<PathBuf>,
    /// Name of this host at the server, when it joins or is registered [default: the system's name]
    #[arg(long, value_name = "NAME", requires = "fleet")]
    host_name: Option<String>,
    /// Where key, certificate and the last good documents are kept [default: /var/lib/palisade/agent/INSTANCE]
    #[arg(long, value_name = "DIR", requires = "server")]
    data: Option<PathBuf>,
}

impl ServerArgs {
    /// The server, if one is named.
    pub fn options(
        &self,
        instance: &InstanceArgs,
        estate: &EstateArgs,
    ) -> Result<Option<ServerOptions>, Failure> {
        let Some(server) = self.server.clone() else { return Ok(None) };
        instance.places()?;
        Ok(Some(ServerOptions {
            server,
            token: self.join_token.as_deref().map(token).transpose()?,
            authority: self.ca.as_deref().map(authority).transpose()?,
            host: self.name()?,
            data_dir: self.data.clone().unwrap_or_else(|| Path::new(DATA_ROOT).join(&instance.instance)),
            service_tags: estate.reading.service_tags.clone(),
        }))
    }

    /// The name of this host.
    pub fn name(&self) -> Result<String, Failure> {
        let name = match &self.host_name {
            Some(name) => name.clone(),
            None => read(Path::new(HOST_NAME_FILE))?.trim().to_owned(),
        };
        host_name(&name).map_err(|error| Failure::input(format!("{error}: give one with --host-name")))
    }
}

/// A token, given as it is or in a file.
fn token(given: &str) -> Result<JoinToken, Failure> {
    let text = match given.strip_prefix('@') {
        Some(path) => read(Path::new(path))?,
        None => given.to_owned(),
    };
    text.parse().map_err(Failure::input)
}

fn authority(path: &Path) -> Result<Authority, Failure> {
    let pem = read(path)?;
    Authority::from_pem(&pem).map_err(|error| Failure::input(format!("{}: {error}", path.display())))
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path)
        .map_err(|error| Failure::input(format!("cannot read {}: {error}", path.display())))
}

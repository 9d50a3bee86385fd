//! Commands that ask a server: one file a command, and what they share.
//!
//! All of them speak as the profile that `palisade login` wrote. What the server refuses is bad input here (exit code
//! 2) and nothing was changed; what it failed at, or a host of it, is the other side's failure (3).

pub mod alerts;
pub mod answers;
pub mod apply;
pub mod audit;
mod body;
pub mod connect;
pub mod delete;
pub mod endpoint;
pub mod get;
pub mod hosts;
mod ids;
pub mod jit;
pub mod join_token;
mod kinds;
pub mod login;
mod overriding;
pub mod principal;
pub mod recovery;
pub mod role;
mod rows;
mod wait;
pub mod watch;
pub mod writing;

use palisade_client::{Client, ClientError, Profiles};

use crate::{args::FormatArgs, exit::Failure, output::Format};

/// Which server.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Server")]
pub struct ServerArgs {
    /// Profile to speak as, of those that `palisade login` wrote
    #[arg(long, value_name = "NAME", env = "PALISADE_PROFILE")]
    profile: Option<String>,
}

impl ServerArgs {
    /// The server, as the profile's identity.
    pub fn client(&self) -> Result<Client, Failure> {
        let path = Profiles::place().map_err(Failure::input)?;
        Ok(Client::open(&path, self.profile.as_deref())?)
    }
}

/// Which server, and the form of what it answers.
#[derive(Debug, Clone, clap::Args)]
pub struct RequestArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    format: FormatArgs,
}

impl RequestArgs {
    /// The server, as the profile's identity.
    pub fn client(&self) -> Result<Client, Failure> {
        self.server.client()
    }

    /// The form of the answer.
    pub fn form(&self) -> Format {
        self.format.format
    }
}

/// Statuses with which a server says that it cannot now, and not that the question is wrong.
const NOT_NOW: [u16; 2] = [408, 429];

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match &error {
            ClientError::Refused(refusal) if refusal.status < 500 && !NOT_NOW.contains(&refusal.status) => {
                Self::input(error)
            }
            ClientError::Profile(_)
            | ClientError::Endpoint { .. }
            | ClientError::Authority { .. }
            | ClientError::LoggedOut { .. } => Self::input(error),
            _ => Self::other_side(error),
        }
    }
}

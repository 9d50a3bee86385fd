//! `palisade join-token`: what a host needs once to become one of the fleet.

use super::{
    RequestArgs, ServerArgs,
    rows::{self, Column, text},
};
use crate::{exit::Exit, exit::Failure, output, output::Format};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Make a token with which one host can join, once; it is shown now and never again
    Create(CreateArgs),
    /// Tokens that are still good
    List(RequestArgs),
    /// Take a token back
    Delete(DeleteArgs),
}

/// Options of `create`.
#[derive(Debug, clap::Args)]
pub struct CreateArgs {
    /// The name that the host must give itself; any free one when missing
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// How long the token is good
    #[arg(long, value_name = "SECONDS")]
    lifetime: Option<u64>,
    #[command(flatten)]
    request: RequestArgs,
}

/// Options of `delete`.
#[derive(Debug, clap::Args)]
pub struct DeleteArgs {
    /// Id of the token, from `list`
    id: String,
    #[command(flatten)]
    server: ServerArgs,
}

/// Runs one action.
pub fn run(action: &Action) -> Result<Exit, Failure> {
    match action {
        Action::Create(arguments) => {
            let client = arguments.request.client()?;
            let token = client.create_join_token(arguments.host.as_deref(), arguments.lifetime)?;
            match arguments.request.form() {
                Format::Json => output::json(&token)?,
                Format::Table => {
                    eprintln!("good until {}, for one host, once:", text(&token, "/expires"));
                    output::line(text(&token, "/token"))?;
                }
            }
        }
        Action::List(request) => {
            let columns: [Column; 3] = [
                ("ID", |token| text(token, "/id")),
                ("HOST", |token| text(token, "/host")),
                ("EXPIRES", |token| text(token, "/expires")),
            ];
            rows::list(request.form(), columns, &request.client()?.join_tokens()?)?;
        }
        Action::Delete(arguments) => {
            arguments.server.client()?.delete_join_token(&arguments.id)?;
            eprintln!("took back {}", arguments.id);
        }
    }
    Ok(Exit::Clean)
}

//! `palisade delete`: a resource, or a group with all that is in it.

use palisade_client::Precondition;

use super::{
    ServerArgs,
    ids::{ResourceArgs, Target},
    overriding::{self, OverrideArgs},
    wait::WaitArgs,
};
use crate::{exit::Exit, exit::Failure};

/// Options of the command.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    resource: ResourceArgs,
    /// Delete only if the resource still has this ETag
    #[arg(long, value_name = "ETAG")]
    if_match: Option<String>,
    #[command(flatten)]
    overriding: OverrideArgs,
    #[command(flatten)]
    wait: WaitArgs,
    #[command(flatten)]
    server: ServerArgs,
}

/// Deletes it. What is not there is an error: most likely the name is wrong.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let client = arguments.overriding.on(arguments.server.client()?);
    let Target::One(id) = arguments.resource.target(&client)? else {
        return Err(Failure::input("one resource is deleted at a time (give its name)"));
    };
    let precondition = arguments.if_match.as_deref().map_or(Precondition::Always, Precondition::IfMatch);
    let deleted = client.delete(&id, precondition)?;
    if !deleted.existed {
        return Err(Failure::input(format!("ResourceNotFound: there is no {id}")));
    }
    overriding::tell(&deleted.warnings);
    arguments.wait.wait(&client, &format!("deleting {id}"), deleted.operation.as_ref())?;
    eprintln!("deleted {id}");
    Ok(Exit::Clean)
}

//! `palisade principal`: programs and people, and their secrets.

use serde_json::Value;

use super::{
    RequestArgs, ServerArgs,
    role::object_id,
    rows::{self, Column, text},
};
use crate::{exit::Exit, exit::Failure, output, output::Format};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Make a service principal or a user; a secret that the server makes is shown now and never again
    Create(CreateArgs),
    /// All principals
    List(RequestArgs),
    /// Delete a principal and its role assignments
    Delete(DeleteArgs),
    /// Secrets of service principals
    #[command(subcommand)]
    Secret(SecretAction),
}

/// What to do with secrets.
#[derive(Debug, clap::Subcommand)]
pub enum SecretAction {
    /// Make another secret; it is shown now and never again
    Create(SecretCreateArgs),
    /// Take a secret back
    Delete(SecretDeleteArgs),
}

/// Options of `create`.
#[derive(Debug, clap::Args)]
pub struct CreateArgs {
    /// Name; of a user, such as ada@example.org
    name: String,
    /// A person instead of a program
    #[arg(long)]
    user: bool,
    /// Password of the user; the server makes one when missing
    #[arg(
        long,
        value_name = "PASSWORD",
        requires = "user",
        env = "PALISADE_NEW_PASSWORD",
        hide_env_values = true
    )]
    password: Option<String>,
    #[command(flatten)]
    request: RequestArgs,
}

/// Options of `delete`.
#[derive(Debug, clap::Args)]
pub struct DeleteArgs {
    /// Object id, client id or name
    principal: String,
    #[command(flatten)]
    server: ServerArgs,
}

/// Options of `secret create`.
#[derive(Debug, clap::Args)]
pub struct SecretCreateArgs {
    /// Object id, client id or name of the principal
    principal: String,
    /// What the secret is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// How long it is good
    #[arg(long, value_name = "N")]
    days: Option<u64>,
    #[command(flatten)]
    request: RequestArgs,
}

/// Options of `secret delete`.
#[derive(Debug, clap::Args)]
pub struct SecretDeleteArgs {
    /// Object id, client id or name of the principal
    principal: String,
    /// Id of the secret
    id: String,
    #[command(flatten)]
    server: ServerArgs,
}

/// Runs one action.
pub fn run(action: &Action) -> Result<Exit, Failure> {
    match action {
        Action::Create(arguments) => create(arguments)?,
        Action::List(request) => list(request)?,
        Action::Delete(arguments) => {
            let client = arguments.server.client()?;
            client.delete_principal(&object_id(&client, &arguments.principal)?)?;
            eprintln!("deleted {}", arguments.principal);
        }
        Action::Secret(SecretAction::Create(arguments)) => {
            let client = arguments.request.client()?;
            let secret = client.create_secret(
                &object_id(&client, &arguments.principal)?,
                arguments.description.as_deref(),
                arguments.days,
            )?;
            let labels = [("id", "/id"), ("secret", "/secret"), ("expires", "/expires")];
            made(arguments.request.form(), &secret, &labels)?;
        }
        Action::Secret(SecretAction::Delete(arguments)) => {
            let client = arguments.server.client()?;
            client.delete_secret(&object_id(&client, &arguments.principal)?, &arguments.id)?;
            eprintln!("took back {}", arguments.id);
        }
    }
    Ok(Exit::Clean)
}

fn create(arguments: &CreateArgs) -> Result<(), Failure> {
    let kind = if arguments.user { "User" } else { "ServicePrincipal" };
    let client = arguments.request.client()?;
    let principal = client.create_principal(kind, &arguments.name, arguments.password.as_deref())?;
    let labels = [
        ("id", "/id"),
        ("kind", "/kind"),
        ("name", "/name"),
        ("clientId", "/clientId"),
        ("clientSecret", "/clientSecret"),
        ("password", "/password"),
    ];
    made(arguments.request.form(), &principal, &labels)
}

/// Prints what was made: a document, or the members that are there.
fn made(form: Format, what: &Value, labels: &[(&str, &str)]) -> Result<(), Failure> {
    Ok(match form {
        Format::Json => output::json(what),
        Format::Table => rows::members(what, labels),
    }?)
}

fn list(request: &RequestArgs) -> Result<(), Failure> {
    let columns: [Column; 5] = [
        ("OBJECT ID", |one| text(one, "/id")),
        ("KIND", |one| text(one, "/kind")),
        ("NAME", |one| text(one, "/name")),
        ("CLIENT ID", |one| text(one, "/clientId")),
        ("SECRETS", |one| one["secrets"].as_array().map_or(0, Vec::len).to_string()),
    ];
    Ok(rows::list(request.form(), columns, &request.client()?.principals()?)?)
}

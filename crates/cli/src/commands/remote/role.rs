//! `palisade role`: who may do what, where.
//!
//! Assignments are resources of Microsoft.Authorization, as `az role assignment` sees them. Assigning twice is assigning once.

use palisade_client::{Client, Precondition};
use serde_json::{Value, json};

use super::{RequestArgs, ServerArgs, rows::text};
use crate::{exit::Exit, exit::Failure, nearest, output, output::Format};

/// Where assignments live under a scope.
const ASSIGNMENTS: &str = "providers/Microsoft.Authorization/roleAssignments";
/// Where the roles live under a scope.
const DEFINITIONS: &str = "providers/Microsoft.Authorization/roleDefinitions";

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Give a principal a role at a scope
    Assign(AssignArgs),
    /// Who has which role where
    List(ListArgs),
    /// Take a role away
    Delete(DeleteArgs),
}

/// Options of `assign`.
#[derive(Debug, clap::Args)]
pub struct AssignArgs {
    /// Role: Owner, Contributor, Reader, "Network Contributor", "Palisade Security Operator", or its id
    role: String,
    /// Object id, client id or name of the principal
    #[arg(long, value_name = "PRINCIPAL")]
    to: String,
    #[command(flatten)]
    scope: ScopeArgs,
    #[command(flatten)]
    request: RequestArgs,
}

/// Options of `list`.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    #[command(flatten)]
    scope: ScopeArgs,
    #[command(flatten)]
    request: RequestArgs,
}

/// Options of `delete`.
#[derive(Debug, clap::Args)]
pub struct DeleteArgs {
    /// Whole id of the assignment, from `list --format json`
    id: String,
    #[command(flatten)]
    server: ServerArgs,
}

/// Where.
#[derive(Debug, clap::Args)]
struct ScopeArgs {
    /// Id of a resource; the whole subscription when neither this nor a group is given
    #[arg(long, value_name = "ID")]
    scope: Option<String>,
    /// Resource group
    #[arg(long, short = 'g', value_name = "NAME", conflicts_with = "scope")]
    resource_group: Option<String>,
}

impl ScopeArgs {
    fn path(&self, client: &Client) -> String {
        let subscription = format!("/subscriptions/{}", client.subscription());
        match (&self.scope, &self.resource_group) {
            (Some(scope), _) => scope.trim_end_matches('/').to_owned(),
            (None, Some(group)) => format!("{subscription}/resourceGroups/{group}"),
            (None, None) => subscription,
        }
    }
}

/// Runs one action.
pub fn run(action: &Action) -> Result<Exit, Failure> {
    match action {
        Action::Assign(arguments) => assign(arguments)?,
        Action::List(arguments) => list(arguments)?,
        Action::Delete(arguments) => {
            if !arguments.server.client()?.delete(&arguments.id, Precondition::Always)?.existed {
                return Err(Failure::input(format!("RoleAssignmentNotFound: there is no {}", arguments.id)));
            }
            eprintln!("deleted {}", arguments.id);
        }
    }
    Ok(Exit::Clean)
}

fn assign(arguments: &AssignArgs) -> Result<(), Failure> {
    let client = arguments.request.client()?;
    let scope = arguments.scope.path(&client);
    let (role, principal) =
        (definition(&client, &scope, &arguments.role)?, object_id(&client, &arguments.to)?);
    let properties = json!({ "roleDefinitionId": role, "principalId": principal });
    let same = |assignment: &Value| {
        ["roleDefinitionId", "principalId"]
            .iter()
            .all(|key| is_same(&assignment["properties"][key], &properties[key]))
            && text(assignment, "/properties/scope").eq_ignore_ascii_case(&scope)
    };
    let all = client.list(&format!("{scope}/{ASSIGNMENTS}"))?;
    let assignment = match all.into_iter().find(same) {
        Some(assignment) => assignment,
        None => {
            let id = format!("{scope}/{ASSIGNMENTS}/{}", uuid::Uuid::new_v4());
            client.put(&id, &json!({ "properties": properties }), Precondition::Always)?.resource
        }
    };
    match arguments.request.form() {
        Format::Json => output::json(&assignment)?,
        Format::Table => eprintln!("{} has {} at {scope}", arguments.to, arguments.role),
    }
    Ok(())
}

fn is_same(a: &Value, b: &Value) -> bool {
    matches!((a.as_str(), b.as_str()), (Some(a), Some(b)) if a.eq_ignore_ascii_case(b))
}

/// The id of a role, by its name or the last segment of its id.
fn definition(client: &Client, scope: &str, role: &str) -> Result<String, Failure> {
    let all = client.list(&format!("{scope}/{DEFINITIONS}"))?;
    let named = |one: &&Value| {
        ["/properties/roleName", "/name", "/id"].iter().any(|at| text(one, at).eq_ignore_ascii_case(role))
    };
    all.iter().find(named).map(|one| text(one, "/id")).ok_or_else(|| {
        let known: Vec<_> = all.iter().map(|one| text(one, "/properties/roleName")).collect();
        let hint = nearest::hint(role, known.iter().map(String::as_str));
        Failure::input(format!("there is no role {role:?}{hint} (there are {})", known.join(", ")))
    })
}

/// The object id of a principal.
pub(super) fn object_id(client: &Client, principal: &str) -> Result<String, Failure> {
    let all = client.principals()?;
    let named = |one: &&Value| {
        ["/id", "/clientId", "/name"].iter().any(|at| text(one, at).eq_ignore_ascii_case(principal))
    };
    let found = all.iter().find(named).map(|one| text(one, "/id"));
    found.ok_or_else(|| {
        let hint = nearest::hint(principal, all.iter().filter_map(|one| one["name"].as_str()));
        Failure::input(format!("there is no principal {principal:?}{hint} (see palisade principal list)"))
    })
}

fn list(arguments: &ListArgs) -> Result<(), Failure> {
    let client = arguments.request.client()?;
    let scope = arguments.scope.path(&client);
    let assignments = client.list(&format!("{scope}/{ASSIGNMENTS}"))?;
    if arguments.request.form() == Format::Json {
        return Ok(output::json(&assignments)?);
    }
    let roles = client.list(&format!("{scope}/{DEFINITIONS}"))?;
    // Who may not see principals sees their ids.
    let principals = client.principals().unwrap_or_default();
    let name = |all: &[Value], id: String, pointer: &str| {
        let found = all.iter().find(|one| text(one, "/id").eq_ignore_ascii_case(&id));
        found.map_or_else(|| id.clone(), |one| text(one, pointer))
    };
    let rows: Vec<_> = assignments
        .iter()
        .map(|one| {
            [
                name(&principals, text(one, "/properties/principalId"), "/name"),
                name(&roles, text(one, "/properties/roleDefinitionId"), "/properties/roleName"),
                text(one, "/properties/scope"),
            ]
        })
        .collect();
    Ok(output::table(["PRINCIPAL", "ROLE", "SCOPE"], &rows)?)
}

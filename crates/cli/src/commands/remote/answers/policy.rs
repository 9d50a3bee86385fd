//! `palisade answers policy`: which alerts lead to which step, as a document.

use std::{fs, path::PathBuf};

use palisade_client::Precondition;
use serde_json::{Value, json};

use crate::commands::remote::{RequestArgs, writing::WriteArgs};
use crate::{exit::Exit, exit::Failure, output};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Answers {
    /// The policy: show it, or set it from a file
    #[command(subcommand)]
    Policy(Action),
}

/// What to do with a policy.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// The policies that there are
    Show(Show),
    /// Set a policy from a file with its properties, or with a whole resource
    Set(Set),
}

/// Where a policy stands.
#[derive(Debug, clap::Args)]
struct Where {
    /// Resource group whose alerts it is about; without it, all
    #[arg(long, short = 'g', value_name = "NAME")]
    resource_group: Option<String>,
}

/// Options of `show`.
#[derive(Debug, clap::Args)]
pub struct Show {
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    request: RequestArgs,
}

/// Options of `set`.
#[derive(Debug, clap::Args)]
pub struct Set {
    /// JSON
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Name of the policy
    #[arg(long, value_name = "NAME", default_value = "default")]
    name: String,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    write: WriteArgs,
}

/// Runs one action.
pub fn run(action: &Answers) -> Result<Exit, Failure> {
    let Answers::Policy(action) = action;
    match action {
        Action::Show(arguments) => show(arguments),
        Action::Set(arguments) => set(arguments),
    }
}

impl Where {
    fn policies(&self, subscription: &str) -> String {
        let group = self.resource_group.as_ref().map(|group| format!("/resourceGroups/{group}"));
        let group = group.unwrap_or_default();
        format!("/subscriptions/{subscription}{group}/providers/Palisade.Network/answerPolicies")
    }
}

/// A policy is a document: it is printed as one, in either form.
fn show(arguments: &Show) -> Result<Exit, Failure> {
    let client = arguments.request.client()?;
    output::json(&client.list(&arguments.place.policies(client.subscription()))?)?;
    Ok(Exit::Clean)
}

fn set(arguments: &Set) -> Result<Exit, Failure> {
    let shown = arguments.file.display();
    let text = fs::read_to_string(&arguments.file)
        .map_err(|error| Failure::input(format!("cannot read {shown}: {error}")))?;
    let body: Value = serde_json::from_str(&text)
        .map_err(|error| Failure::input(format!("{shown} is no JSON: {error}")))?;
    let properties = body.get("properties").cloned().unwrap_or(body);
    let client = arguments.write.client()?;
    let id = format!("{}/{}", arguments.place.policies(client.subscription()), arguments.name);
    let written = client.put(&id, &json!({"properties": properties}), Precondition::Always)?;
    let what = format!("writing {id}");
    arguments.write.settle(&client, &what, &written.warnings, written.operation.as_ref())?;
    output::json(&written.resource)?;
    Ok(Exit::Clean)
}

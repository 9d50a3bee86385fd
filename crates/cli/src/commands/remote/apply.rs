//! `palisade apply`: files become what the server has.
//!
//! Templates go through the deployments engine, as with `az deployment group create`; resources with ids are put one by
//! one, what is referred to first. Nothing is deleted. The first refusal ends it: what was told as done is done. A dry run writes
//! nothing, and tells what the writes would mean for traffic and for intents.

mod consequences;
mod difference;
mod groups;
mod plain;
mod template;

use std::{io, path::PathBuf};

use palisade_client::Client;
use serde_json::{Value, json};

use self::{consequences::Consequences, plain::Resource, template::Deployment};
use super::{
    body::{self, Body},
    writing::WriteArgs,
};
use crate::{exit::Exit, exit::Failure, output, output::Format};

/// Options of the command.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A group that a template is deployed to and that is not there yet is made with the deployment: the server checks \
                        the whole template first, and of a refused one no group stays. A deployment that fails on its way leaves \
                        what it has written, and the group.\n\nExit code 1 of a dry run means that something would change.\n\nExamples:\n  palisade apply \
                        azuredeploy.json --resource-group lab --location westeurope\n  palisade apply nsgs.json --dry-run --flows logs"
)]
pub struct Arguments {
    /// ARM templates, `az ... -o json` output, resources with their ids, or folders of these
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Resource group that templates are deployed to
    #[arg(long, short = 'g', value_name = "NAME")]
    resource_group: Option<String>,
    /// Region of groups that are not there yet; without it, a missing group is an error
    #[arg(long, short = 'l', value_name = "REGION")]
    location: Option<String>,
    /// Parameters of the template; without it, `X.parameters.json` beside `X.json` is used
    #[arg(long, value_name = "FILE")]
    parameters: Option<PathBuf>,
    /// Name of the deployment; the name of the file when missing
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Put resources of other subscriptions into this one
    #[arg(long)]
    map_subscription: bool,
    /// Show what would change, what it means for traffic and what intents say, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Flow logs of which a dry run tells what would break and open: files or folders
    #[arg(long, value_name = "LOG", num_args = 1.., requires = "dry_run")]
    flows: Vec<PathBuf>,
    #[command(flatten)]
    write: WriteArgs,
}

/// What happened to a resource, or would.
#[derive(Debug, PartialEq)]
struct Change {
    id: String,
    effect: Effect,
    /// Properties that would be different.
    properties: Vec<String>,
    /// The resource with its id, as a dry run would put it, if that is known.
    wanted: Option<Value>,
}

/// What happens to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Create,
    Modify,
    Nothing,
}

impl Effect {
    const fn word(self) -> &'static str {
        match self {
            Self::Create => "Create",
            Self::Modify => "Modify",
            Self::Nothing => "NoChange",
        }
    }
}

/// Applies the files in their order, templates before plain resources.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let (mut templates, mut resources) = (Vec::new(), Vec::new());
    for file in body::files(&arguments.files)? {
        match body::read(&file)? {
            Body::Template(template) => templates.push((file, template)),
            Body::Resources(mut found) => resources.append(&mut found),
        }
    }
    let client = arguments.write.client()?;
    let deployments = template::read(arguments, &client, templates)?;
    let resources = plain::read(&client, resources, arguments.map_subscription)?;
    if arguments.dry_run {
        return preview(arguments, &client, &deployments, &resources);
    }
    // Nothing is begun while it is not known where a group would be.
    let named = template::groups(&deployments).chain(plain::groups(&resources));
    let missing = groups::missing(&client, arguments, named)?;
    let mut changes = template::deploy(arguments, &client, &deployments, &missing)?;
    groups::ensure(&client, arguments, plain::groups(&resources))?;
    changes.extend(plain::put(arguments, &client, &resources)?);
    match arguments.write.form() {
        Format::Json => output::json(&document(&changes))?,
        Format::Table => print(&changes)?,
    }
    Ok(Exit::Clean)
}

/// Tells what would change, and what would come of it.
fn preview(
    arguments: &Arguments,
    client: &Client,
    deployments: &[Deployment],
    resources: &[Resource],
) -> Result<Exit, Failure> {
    let named = template::groups(deployments).chain(plain::groups(resources));
    let missing = groups::missing(client, arguments, named)?;
    let mut changes = template::preview(arguments, client, deployments)?;
    changes.extend(plain::preview(client, resources)?);
    let consequences = Consequences::of(client, &missing, &changes, &arguments.flows)?;
    match arguments.write.form() {
        Format::Json => {
            let mut told = json!({ "changes": document(&changes) });
            if let Some(consequences) = &consequences {
                consequences.tell(&mut told)?;
            }
            output::json(&told)?;
        }
        Format::Table => {
            print(&changes)?;
            if let Some(consequences) = &consequences {
                consequences.print()?;
            }
        }
    }
    let differs = changes.iter().any(|change| change.effect != Effect::Nothing);
    Ok(if differs { Exit::Found } else { Exit::Clean })
}

fn document(changes: &[Change]) -> Vec<Value> {
    let one =
        |one: &Change| json!({ "id": one.id, "change": one.effect.word(), "properties": one.properties });
    changes.iter().map(one).collect()
}

fn print(changes: &[Change]) -> io::Result<()> {
    let row = |one: &Change| [one.effect.word().to_owned(), one.id.clone(), one.properties.join(", ")];
    output::table(["CHANGE", "RESOURCE", "PROPERTIES"], &changes.iter().map(row).collect::<Vec<_>>())
}

/// The path of a group.
fn group_path(client: &Client, group: &str) -> String {
    format!("/subscriptions/{}/resourceGroups/{group}", client.subscription())
}

//! Templates: deployed by the server, previewed by the server.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use palisade_client::{Client, Precondition};
use serde_json::{Value, json};

use super::{Arguments, Change, Effect, group_path};
use crate::{
    commands::remote::{body, rows::text, wait::Line},
    exit::Failure,
};

/// A template with everything that it needs.
#[derive(Debug)]
pub struct Deployment {
    name: String,
    /// None: into the subscription.
    group: Option<String>,
    body: Value,
}

/// Finds parameters and the scope of each template.
pub fn read(
    arguments: &Arguments,
    client: &Client,
    templates: Vec<(PathBuf, Value)>,
) -> Result<Vec<Deployment>, Failure> {
    if templates.len() > 1 && (arguments.parameters.is_some() || arguments.name.is_some()) {
        return Err(Failure::input(
            "--parameters and --name are for one template (apply them one after the other)",
        ));
    }
    templates.into_iter().map(|(file, template)| one(arguments, client, &file, &template)).collect()
}

fn one(arguments: &Arguments, client: &Client, file: &Path, template: &Value) -> Result<Deployment, Failure> {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let beside = file.with_file_name(format!("{stem}.parameters.json"));
    let parameters = arguments.parameters.clone().or_else(|| beside.is_file().then_some(beside));
    let mut parameters = parameters.map_or(Ok(json!({})), |file| body::read_json(&file))?;
    if parameters["parameters"].is_object() {
        parameters = parameters["parameters"].take();
    }
    let schema = template["$schema"].as_str().unwrap_or_default().to_lowercase();
    let properties = json!({ "mode": "Incremental", "template": template, "parameters": parameters });
    let name = arguments.name.clone().unwrap_or_else(|| stem.into_owned());
    if schema.contains("subscriptiondeploymenttemplate.json") {
        let location = arguments.location.as_ref().ok_or_else(|| {
            Failure::input(format!("{}: a deployment to the subscription needs --location", file.display()))
        })?;
        return Ok(Deployment {
            name,
            group: None,
            body: json!({ "location": location, "properties": properties }),
        });
    }
    let group = arguments.resource_group.as_ref().ok_or_else(|| {
        Failure::input(format!(
            "{}: a template needs --resource-group (in {})",
            file.display(),
            client.endpoint()
        ))
    })?;
    let mut body = json!({ "properties": properties });
    // Where the server makes the group with the deployment, if it is not there.
    if let Some(location) = &arguments.location {
        body["location"] = location.as_str().into();
    }
    Ok(Deployment { name, group: Some(group.clone()), body })
}

impl Deployment {
    fn path(&self, client: &Client) -> String {
        let scope = match &self.group {
            Some(group) => group_path(client, group),
            None => format!("/subscriptions/{}", client.subscription()),
        };
        format!("{scope}/providers/Microsoft.Resources/deployments/{}", self.name)
    }
}

/// The groups that are deployed to.
pub fn groups(deployments: &[Deployment]) -> impl Iterator<Item = String> {
    deployments.iter().filter_map(|deployment| deployment.group.clone())
}

/// Deploys them, one after the other. The server makes each of the `missing` groups with its first deployment.
pub fn deploy(
    arguments: &Arguments,
    client: &Client,
    all: &[Deployment],
    missing: &[Value],
) -> Result<Vec<Change>, Failure> {
    let mut changes = Vec::new();
    let mut missing: BTreeSet<String> = missing.iter().map(|group| text(group, "/id")).collect();
    for deployment in all {
        let before = preview_one(arguments, client, deployment)?;
        let path = deployment.path(client);
        let written = client.put(&path, &deployment.body, Precondition::Always)?;
        let group = deployment.group.as_ref().map(|group| group_path(client, group));
        if let Some(group) = group.and_then(|group| missing.take(&group)) {
            eprintln!("created {group}");
        }
        let what = format!("deployment {}", deployment.name);
        arguments.write.settle(client, &what, &written.warnings, written.operation.as_ref())?;
        changes.extend(before);
    }
    Ok(changes)
}

/// What they would change.
pub fn preview(arguments: &Arguments, client: &Client, all: &[Deployment]) -> Result<Vec<Change>, Failure> {
    let mut changes = Vec::new();
    for deployment in all {
        changes.extend(preview_one(arguments, client, deployment)?);
    }
    Ok(changes)
}

fn preview_one(
    arguments: &Arguments,
    client: &Client,
    deployment: &Deployment,
) -> Result<Vec<Change>, Failure> {
    let path = format!("{}/whatIf", deployment.path(client));
    let mut line = Line::new("what-if");
    let answer =
        client.ask(&path, &deployment.body, arguments.write.patience(), |progress| line.show(progress))?;
    let answer = answer.get("properties").unwrap_or(&answer);
    let changes = answer["changes"].as_array().into_iter().flatten();
    Ok(changes.filter_map(change).collect())
}

/// A change as the server tells it; what the template does not touch is left out.
fn change(told: &Value) -> Option<Change> {
    let effect = match told["changeType"].as_str()? {
        "Create" => Effect::Create,
        "NoChange" | "NoEffect" => Effect::Nothing,
        "Ignore" => return None,
        _ => Effect::Modify,
    };
    let delta = told["delta"].as_array().into_iter().flatten();
    Some(Change {
        id: text(told, "/resourceId"),
        effect,
        properties: delta.map(|one| text(one, "/path")).collect(),
        wanted: told.get("after").filter(|after| after.is_object()).cloned(),
    })
}

//! What a deployment tells of itself: its document, its operations, and why it failed.
//!
//! Operations are kept inside the document, so that both are written at once; [`operations`] gives them in Azure's shape.

use std::time::{Duration, SystemTime};

use palisade_arm::template::Output;
use palisade_model::ResourceId;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::plan::Step;
use super::request::{Request, capitalised, is_secure};
use crate::ControlError;
use crate::kinds::DEPLOYMENT;
use crate::time::{rfc3339, unix_seconds};

/// How a deployment, or one write of it, stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Running,
    Succeeded,
    Failed,
}

impl State {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
        }
    }
}

/// A deployment as far as it has come.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) started: SystemTime,
    /// Writes in the order in which they were tried.
    pub(super) writes: Vec<Write>,
    pub(super) outputs: Option<Value>,
    pub(super) error: Option<ControlError>,
}

/// One write that was tried.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) id: ResourceId,
    pub(super) kind: &'static str,
    pub(super) at: SystemTime,
    pub(super) took: Duration,
    pub(super) outcome: Result<bool, ControlError>,
    /// Intents that it breaks all the same.
    pub(super) warnings: Vec<ControlError>,
}

/// The body of the deployment's document.
pub(super) fn body(
    request: &Request,
    steps: &[Step],
    progress: &Progress,
    state: State,
    now: SystemTime,
) -> Value {
    let took = now.duration_since(progress.started).unwrap_or_default();
    let written = progress.writes.iter().filter(|write| write.outcome.is_ok());
    let mut properties = json!({
        "templateHash": hash(request.template_value()),
        "parameters": request.parameters_told(),
        "mode": "Incremental",
        "provisioningState": state.name(),
        "timestamp": stamp(now),
        "duration": duration(took),
        "correlationId": request.place.correlation,
        "providers": providers(steps),
        "dependencies": dependencies(steps),
        "outputResources": written.map(|write| json!({"id": write.id.as_str()})).collect::<Vec<_>>(),
        "operations": progress.writes.iter().enumerate().map(entry).collect::<Vec<_>>(),
    });
    let warnings = progress.writes.iter().flat_map(|write| &write.warnings);
    let diagnostics: Vec<Value> = warnings.map(|warning| diagnostic("Warning", warning)).collect();
    if !diagnostics.is_empty() {
        properties["diagnostics"] = diagnostics.into();
    }
    if let Some(outputs) = &progress.outputs {
        properties["outputs"] = outputs.clone();
    }
    if let Some(error) = &progress.error {
        properties["error"] = error.to_json();
    }
    let mut body = json!({"properties": properties});
    if let Some(tags) = &request.tags {
        body["tags"] = tags.clone();
    }
    if request.founds || request.place.scope.segment("resourceGroups").is_none() {
        body["location"] = request.context.location.clone().into();
    }
    body
}

/// The document as `GET` answers it, for a deployment that is not stored.
pub(super) fn rendered(request: &Request, mut body: Value) -> Value {
    body["id"] = request.id().as_str().into();
    body["name"] = request.place.name.clone().into();
    body["type"] = DEPLOYMENT.into();
    body
}

/// The operations of a stored deployment, in Azure's shape: `GET .../deployments/{name}/operations`.
pub fn operations(deployment: &Value) -> Value {
    let own = deployment["id"].as_str().unwrap_or_default();
    let kept = deployment["properties"]["operations"].as_array().into_iter().flatten();
    let value = kept.map(|kept| {
        let id = kept["operationId"].as_str().unwrap_or_default();
        json!({"id": format!("{own}/operations/{id}"), "operationId": id, "properties": kept["properties"]})
    });
    json!({"value": value.collect::<Vec<_>>()})
}

/// Something that is told beside what happened, in ARM's shape.
pub(super) fn diagnostic(level: &str, error: &ControlError) -> Value {
    let mut told = error.to_json();
    told["level"] = level.into();
    told
}

fn entry((at, write): (usize, &Write)) -> Value {
    let (state, code) = match &write.outcome {
        Ok(true) => (State::Succeeded, "Created"),
        Ok(false) => (State::Succeeded, "OK"),
        Err(_) => (State::Failed, "BadRequest"),
    };
    let mut properties = json!({
        "provisioningOperation": "Create",
        "provisioningState": state.name(),
        "timestamp": stamp(write.at),
        "duration": duration(write.took),
        "statusCode": code,
        "targetResource": target(&write.id, write.kind),
    });
    if let Err(error) = &write.outcome {
        properties["statusMessage"] = json!({"status": "Failed", "error": error.to_json()});
    }
    json!({"operationId": format!("{at:016X}"), "properties": properties})
}

fn target(id: &ResourceId, kind: &str) -> Value {
    json!({"id": id.as_str(), "resourceType": kind, "resourceName": full_name(id, kind)})
}

/// `nsg/rule` of a rule's id.
pub(super) fn full_name(id: &ResourceId, kind: &str) -> String {
    let depth = kind.matches('/').count().max(1);
    let parts: Vec<&str> = id.as_str().rsplit('/').step_by(2).take(depth).collect();
    parts.into_iter().rev().collect::<Vec<_>>().join("/")
}

fn providers(steps: &[Step]) -> Vec<Value> {
    let mut spaces: Vec<(&str, Vec<&str>)> = Vec::new();
    for (space, kind) in steps.iter().filter_map(|step| step.kind.name.split_once('/')) {
        match spaces.iter_mut().find(|(known, _)| *known == space) {
            Some((_, kinds)) if kinds.contains(&kind) => {}
            Some((_, kinds)) => kinds.push(kind),
            None => spaces.push((space, vec![kind])),
        }
    }
    let kinds =
        |kinds: Vec<&str>| kinds.into_iter().map(|kind| json!({"resourceType": kind})).collect::<Vec<_>>();
    spaces
        .into_iter()
        .map(|(space, found)| json!({"namespace": space, "resourceTypes": kinds(found)}))
        .collect()
}

fn dependencies(steps: &[Step]) -> Vec<Value> {
    let kind_of =
        |id: &ResourceId| steps.iter().find(|step| step.id == *id).map_or("", |step| step.kind.name);
    let waiting = steps.iter().filter(|step| !step.depends_on.is_empty());
    let one = |step: &Step| {
        let mut found = target(&step.id, step.kind.name);
        found["dependsOn"] = step.depends_on.iter().map(|id| target(id, kind_of(id))).collect();
        found
    };
    waiting.map(one).collect()
}

/// Outputs as a deployment tells them, or the first that is not known.
pub(super) fn outputs(outputs: &[Output]) -> Result<Value, ControlError> {
    let mut told = Map::new();
    for output in outputs {
        let mut entry = json!({"type": capitalised(&output.kind)});
        if !is_secure(&output.kind) {
            if !output.value.is_known() {
                let unknowns = output.value.unknowns();
                let reasons =
                    unknowns.iter().flat_map(|(unknown, _)| unknown.reasons().to_vec()).collect::<Vec<_>>();
                let message =
                    format!("output '{}' cannot be evaluated: {}", output.name, super::plan::why(&reasons));
                return Err(
                    ControlError::bad("DeploymentOutputEvaluationFailed", message).about(output.name.clone())
                );
            }
            entry["value"] = output.value.to_json();
        }
        told.insert(output.name.clone(), entry);
    }
    Ok(told.into())
}

/// A number that equal templates share, as Azure prints it.
fn hash(template: &Value) -> String {
    let digest = Sha256::digest(template.to_string());
    let head: [u8; 8] = digest[..8].try_into().expect("a digest has 32 bytes");
    u64::from_be_bytes(head).to_string()
}

/// A moment in RFC 3339.
pub(super) fn stamp(time: SystemTime) -> String {
    rfc3339(unix_seconds(time))
}

/// A duration in ISO 8601, as Azure writes it: `PT2.5S`.
fn duration(took: Duration) -> String {
    format!("PT{}.{:03}S", took.as_secs(), took.subsec_millis())
}

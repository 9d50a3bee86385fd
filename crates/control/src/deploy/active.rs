//! Which deployments are active, and what becomes of those whose server has died.
//!
//! An active deployment writes its document every [`BEAT`]. Whoever finds one that has been silent for [`SILENCE_MAX`] says that it has
//! failed; it knows nothing of which server ran it. Invariant: two deployments of one name never run at once, unless one was silent
//! for that long.

use std::time::{Duration, SystemTime};

use palisade_model::ResourceId;
use palisade_model::calendar::Moment;
use serde_json::{Value, json};

use super::document::{State, stamp};
use super::executor::Executor;
use crate::kinds::DEPLOYMENT;
use crate::time::unix_seconds;
use crate::{Action, Caller, Control, ControlError, Precondition};

/// How often an active deployment says that it goes on.
pub(super) const BEAT: Duration = Duration::from_secs(10);
/// How long it may be silent. Clocks of servers on one store must not differ by more.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// What must hold of a deployment's document for one of its name to begin.
pub(super) fn vacancy(executor: &dyn Executor, id: &ResourceId) -> Result<Precondition, ControlError> {
    let etag = executor.etag(id);
    match executor.get(id) {
        Some(document) if is_running(&document) && !is_silent(&document, executor.now()) => Err(active(id)),
        Some(_) => Ok(Precondition { if_match: etag, if_none_match: None }),
        None => Ok(Precondition { if_match: None, if_none_match: Some("*".to_owned()) }),
    }
}

/// Why a deployment cannot begin: another of its name may have begun since [`vacancy`] looked.
pub(super) fn overtaken(error: ControlError, id: &ResourceId) -> ControlError {
    if error.status == 412 { active(id) } else { error }
}

fn active(id: &ResourceId) -> ControlError {
    let message = format!(
        "The deployment with resource id '{id}' cannot be saved, because this would overwrite an existing deployment which is \
         still active. Wait until it has ended, or use another name."
    );
    ControlError::new(409, "DeploymentActive", message)
}

/// Stores deployments that have been silent for too long as failed; how many there were.
pub async fn end_silent(control: &Control, caller: &Caller) -> Result<usize, ControlError> {
    let now = control.now();
    let found: Vec<(ResourceId, Value, String)> = control.read(|world| {
        let silent = world.of_kind(DEPLOYMENT).filter_map(|id| {
            let body = world.document(id)?.body();
            let etag = world.etag(id)?.to_owned();
            (is_running(body) && is_silent(body, now)).then(|| (id.clone(), body.clone(), etag))
        });
        silent.collect()
    });
    let mut ended = 0;
    for (id, mut body, etag) in found {
        let properties = &mut body["properties"];
        properties["provisioningState"] = State::Failed.name().into();
        properties["error"] = json!({
            "code": "ServerRestarted",
            "message": "The server that ran the deployment has stopped. What it had written stays; deploy again to complete it.",
        });
        properties["timestamp"] = stamp(now).into();
        let precondition = Precondition { if_match: Some(etag), if_none_match: None };
        match control.act(caller, Action::Put { id, body, precondition }).await {
            Ok(_) => ended += 1,
            // It was written or deleted meanwhile: it is not silent, or not there.
            Err(error) if matches!(error.status, 404 | 412) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(ended)
}

fn is_running(document: &Value) -> bool {
    document["properties"]["provisioningState"] == State::Running.name()
}

fn is_silent(document: &Value, now: SystemTime) -> bool {
    let told = document["properties"]["timestamp"].as_str().and_then(Moment::parse);
    let told = told.and_then(|moment| u64::try_from(moment.seconds).ok()).unwrap_or_default();
    unix_seconds(now).saturating_sub(told) > SILENCE_MAX.as_secs()
}

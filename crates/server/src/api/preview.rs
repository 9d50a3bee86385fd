//! What some writes would do: which intents they break, and the documents that judge before and after.
//!
//! Nothing is written, and nothing is decided about a caller but whether he may ask: who may, sees what judges every interface
//! that the writes concern.

use axum::http::StatusCode;
use palisade_control::{ControlError, Verdict};
use palisade_model::ResourceId;
use palisade_sync::Documents;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    call::{Call, answer},
    openapi::Refusals,
};
use crate::error::{Answer, ApiError};

/// Most writes of one preview.
const WRITES_MAX: usize = 2_000;

/// What would be written.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PreviewRequest {
    /// Resources with their ids, in the order in which they would be put.
    #[schema(value_type = Vec<Object>)]
    resources: Vec<Value>,
}

/// What would come of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PreviewAnswer {
    /// Ids of the interfaces that are judged otherwise.
    interfaces: Vec<String>,
    /// What judges them before.
    before: Vec<PreviewDocument>,
    /// What judges them after.
    after: Vec<PreviewDocument>,
    /// What becomes of the intents.
    intents: Vec<IntentVerdict>,
    /// Writes that would be refused whatever intents say.
    refused: Vec<RefusedWrite>,
}

/// A resource or a service tag, as hosts are sent it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PreviewDocument {
    /// Its id in lower case, or `servicetags/` and the name of a tag.
    key: String,
    /// ARM's JSON.
    #[schema(value_type = Object)]
    body: Value,
}

/// What becomes of one intent.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct IntentVerdict {
    /// Id of the resource with the intent.
    intents: String,
    /// Its name.
    intent: String,
    /// `allowed`, `forbidden` or `only`.
    claim: &'static str,
    /// `deny` or `warn`.
    effect: &'static str,
    /// `Holds`, `Violated` or `Undetermined`.
    outcome: &'static str,
    /// At how many interfaces it was asked.
    interfaces: usize,
    /// What breaks it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    error: Option<Value>,
}

/// A write that would be refused.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RefusedWrite {
    /// Its id.
    id: String,
    /// Why.
    #[schema(value_type = Object)]
    error: Value,
}

/// What some writes would do, without doing them.
#[utoipa::path(post, path = "/api/v1/preview", tag = "intents", operation_id = "preview",
    request_body = PreviewRequest,
    responses((status = 200, description = "What would come of it.", body = PreviewAnswer), Refusals))]
pub(super) async fn create(call: &Call) -> Answer {
    let request: PreviewRequest = call.body()?;
    if request.resources.len() > WRITES_MAX {
        let count = request.resources.len();
        let message = format!("A preview has at most {WRITES_MAX} writes, this one has {count}.");
        return Err(ApiError::bad("TooManyResources", message));
    }
    let puts = request.resources.into_iter().map(put).collect::<Result<Vec<_>, _>>()?;
    let control = call.app.control.clone();
    // Proofs take their time, and others are answered meanwhile.
    let preview = tokio::task::spawn_blocking(move || control.preview(puts)).await;
    let preview = preview.map_err(|_panic| ApiError::internal())??;
    let refused = preview.refused.into_iter();
    answer(
        StatusCode::OK,
        &PreviewAnswer {
            interfaces: preview.interfaces.iter().map(ToString::to_string).collect(),
            before: documents(&preview.before),
            after: documents(&preview.after),
            intents: preview.verdicts.into_iter().map(verdict).collect(),
            refused: refused
                .map(|(id, error)| RefusedWrite { id: id.to_string(), error: error.to_json() })
                .collect(),
        },
    )
}

fn put(resource: Value) -> Result<(ResourceId, Value), ApiError> {
    match resource["id"].as_str() {
        Some(id) if id.starts_with('/') => Ok((ResourceId::new(id), resource)),
        _ => Err(ApiError::bad("InvalidResourceId", "Every resource of a preview needs its 'id'.")),
    }
}

fn documents(all: &Documents) -> Vec<PreviewDocument> {
    let one = |(key, entry): (&std::sync::Arc<str>, &palisade_sync::Entry)| PreviewDocument {
        key: key.to_string(),
        body: serde_json::from_slice(entry.body()).unwrap_or_default(),
    };
    all.iter().map(one).collect()
}

fn verdict(verdict: Verdict) -> IntentVerdict {
    let outcome = match &verdict.breach {
        None => "Holds",
        Some(error) if error.code == "PolicyViolation" => "Violated",
        Some(_) => "Undetermined",
    };
    IntentVerdict {
        intents: verdict.set.to_string(),
        intent: verdict.intent,
        claim: verdict.claim,
        effect: verdict.effect,
        outcome,
        interfaces: verdict.interfaces,
        error: verdict.breach.as_ref().map(ControlError::to_json),
    }
}

//! Long-running operations, by id.

use axum::http::StatusCode;
use palisade_control::{ControlError, fleet::OperationState};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    call::{Call, answer},
    openapi::Refusals,
};
use crate::error::Answer;

/// How an operation stands.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Operation {
    /// Its id.
    id: String,
    /// How it stands.
    status: OperationStatus,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

/// How an operation stands.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(super) enum OperationStatus {
    /// Hosts are still to confirm.
    InProgress,
    /// All hosts concerned have it in force.
    Succeeded,
    /// It is stored, and not in force everywhere.
    Failed,
}

/// Why an operation failed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Failure {
    /// For programs.
    code: String,
    /// For people: which hosts, and why.
    message: String,
}

/// How an operation stands.
#[utoipa::path(get, path = "/api/v1/operations/{id}", tag = "server", operation_id = "getOperation",
    params(("id" = String, Path, description = "Id of the operation.")),
    responses((status = 200, description = "The operation.", body = Operation), Refusals))]
pub(super) fn read(call: &Call) -> Answer {
    let id = call.name().to_owned();
    let state = call.app.control.operation(&id).ok_or_else(|| {
        ControlError::new(
            404,
            "OperationNotFound",
            format!("There is no operation '{id}', or it ended long ago."),
        )
    })?;
    let (status, error) = match state {
        OperationState::InProgress => (OperationStatus::InProgress, None),
        OperationState::Succeeded => (OperationStatus::Succeeded, None),
        OperationState::Failed { code, message } => {
            (OperationStatus::Failed, Some(Failure { code: code.into_owned(), message }))
        }
    };
    answer(StatusCode::OK, &Operation { id, status, error })
}

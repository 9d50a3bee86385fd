//! One request to Resource Manager, taken apart: what every handler starts from.

use std::sync::Arc;

use axum::http::HeaderMap;
use hyper::upgrade::OnUpgrade;
use palisade_control::Caller;
use palisade_model::ResourceId;
use serde_json::Value;

use super::{query::Query, routes::Route, shape::Match};
use crate::{
    access::{self, Principal},
    app::App,
    error::ApiError,
    limits::body::invalid,
};

/// A request that found its row.
pub(super) struct Call {
    pub(super) app: Arc<App>,
    pub(super) principal: Principal,
    pub(super) caller: Caller,
    pub(super) route: &'static Route,
    pub(super) found: Match,
    pub(super) query: Query,
    pub(super) headers: HeaderMap,
    /// `https://host:port` as the client wrote it.
    pub(super) base: String,
    /// The path as it was written.
    pub(super) raw_path: String,
    pub(super) body: Option<Value>,
    /// The connection, if the client wants it to become something else than HTTP.
    pub(super) upgrade: Option<OnUpgrade>,
}

impl Call {
    /// The body, where there must be one.
    pub(super) fn body(&self) -> Result<&Value, ApiError> {
        match &self.body {
            Some(body) if body.is_object() => Ok(body),
            Some(_) => Err(invalid("it is not an object")),
            None => Err(invalid("it is empty")),
        }
    }

    /// Whether the caller may do what the row says at `scope`.
    pub(super) fn may(&self, scope: &ResourceId) -> Result<(), ApiError> {
        Ok(access::authorize(&self.app.control, &self.principal, &self.route.action, scope)?)
    }

    /// Those of `ids` that the caller may see in a list at `scope`: all, if the permission holds there; else each that has it
    /// of its own; and a refusal, if that is none.
    pub(super) fn visible(
        &self,
        scope: &ResourceId,
        ids: Vec<ResourceId>,
    ) -> Result<Vec<ResourceId>, ApiError> {
        let Err(refusal) = self.may(scope) else { return Ok(ids) };
        let seen: Vec<_> = ids.into_iter().filter(|id| self.may(id).is_ok()).collect();
        if seen.is_empty() { Err(refusal) } else { Ok(seen) }
    }
}

//! The timeline of a machine: gathered from the audit log, the alerts, the policies and the flow store.

use std::sync::LazyLock;

use axum::http::StatusCode;
use palisade_control::{
    ControlError,
    alerts::{Concern, moment},
    time::{rfc3339, unix_millis},
};
use serde::Serialize;
use tokio::sync::Semaphore;
use utoipa::ToSchema;

use super::{
    alerts,
    audit::{self, Span},
    call::{Call, answer},
    openapi::Refusals,
};
use crate::{
    error::{Answer, ApiError},
    timeline::{self, Item},
};

/// How far back a timeline goes if nobody says.
const SPAN_MS: u64 = 86_400_000;
/// Timelines that are made at once, since each may read a large part of the flow store.
static ROOM: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(2));

/// What happened to a machine.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Timeline {
    /// The machine's resource id.
    machine: String,
    /// From this time on.
    since: String,
    /// Before this time.
    until: String,
    /// Whether there is a flow store to read flows from.
    has_flows: bool,
    /// Whether there was more than one answer can hold: ask for less time.
    is_cut_off: bool,
    /// What happened, in the order of time.
    #[schema(value_type = Vec<Object>)]
    value: Vec<Item>,
}

/// What happened to a machine, in order: flows, grants, changes, alerts and answers.
#[utoipa::path(get, path = "/api/v1/timeline", tag = "alerts", operation_id = "getTimeline",
    params(
        ("machine" = String, Query, description = "Id or name of the virtual machine."),
        ("since" = Option<String>, Query, description = "From this time on; a day before the end if it is missing."),
        ("until" = Option<String>, Query, description = "Before this time; now if it is missing."),
    ),
    responses((status = 200, description = "What happened.", body = Timeline), Refusals))]
pub(super) async fn read(call: &Call) -> Answer {
    let _room = ROOM.try_acquire().map_err(|_| busy())?;
    let name = call.query.get("machine").unwrap_or_default();
    if name.is_empty() {
        return Err(ApiError::bad("InvalidParameter", "'machine' is missing: name a virtual machine."));
    }
    let until_ms = alerts::time(call, "until")?.unwrap_or_else(|| unix_millis(call.app.now()) + 1_000);
    let since_ms = alerts::time(call, "since")?.unwrap_or_else(|| until_ms.saturating_sub(SPAN_MS));
    if since_ms >= until_ms {
        let message = format!("'since' is {}, and must be before {}.", moment(since_ms), moment(until_ms));
        return Err(ApiError::bad("InvalidParameter", message));
    }
    let (concern, mut items) = call.app.control.read(|world| {
        let concern = Concern::of(world, name)?;
        let mut items: Vec<Item> = concern.alerts(world).iter().flat_map(timeline::of_alert).collect();
        items.extend(concern.expired(world, call.now()).iter().filter_map(timeline::of_expiry));
        Ok::<_, ControlError>((concern, items))
    })?;
    let span = Span { since: rfc3339(since_ms / 1_000), until: rfc3339(until_ms.div_ceil(1_000)) };
    let (entries, mut is_cut_off) =
        audit::between(call, &span, |entry| concern.is_about(&entry.event)).await?;
    items.extend(entries.iter().filter_map(|entry| timeline::of_entry(&entry.event)));
    items.retain(|item| (since_ms..until_ms).contains(&item.at_ms));
    if let Some(address) = call.app.flow_store.clone() {
        let breaks = items.iter().map(|item| item.at_ms).collect();
        let nics = concern.nics.clone();
        let read = move || timeline::read(&address, &nics, (since_ms, until_ms), breaks);
        let flows = tokio::task::spawn_blocking(read).await.map_err(|_| ApiError::internal())?;
        let flows = flows.map_err(|error| {
            ControlError::new(503, "FlowStoreUnavailable", format!("The flow store cannot be read: {error}."))
        })?;
        is_cut_off |= flows.is_cut_off;
        items.extend(flows.items());
    }
    let (value, is_too_long) = timeline::ordered(items);
    answer(
        StatusCode::OK,
        &Timeline {
            machine: concern.machine,
            since: moment(since_ms),
            until: moment(until_ms),
            has_flows: call.app.flow_store.is_some(),
            is_cut_off: is_cut_off || is_too_long,
            value,
        },
    )
}

fn busy() -> ApiError {
    ApiError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "ServerBusy",
        "Other timelines are being made. Try again in a moment.",
    )
}

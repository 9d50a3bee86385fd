//! How the server, its store and its hosts are.

use axum::http::StatusCode;
use palisade_control::{World, alerts::PREFIX};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    call::{Call, answer},
    hosts,
    openapi::Refusals,
};
use crate::{alerts::WatchCounts, error::Answer, standing::Standing};

/// How the server is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    /// Version of the server.
    version: String,
    /// Seconds since it started.
    uptime_seconds: u64,
    /// Revision of the world.
    revision: u64,
    /// Tenant.
    tenant_id: String,
    /// Subscription.
    subscription_id: String,
    /// The store.
    store: StoreStatus,
    /// The hosts.
    hosts: HostCounts,
    /// The intents.
    intents: IntentStatus,
    /// The alerts.
    alerts: AlertCounts,
    /// The detectors, if hosts are asked for flow records.
    #[serde(skip_serializing_if = "Option::is_none")]
    detectors: Option<Detectors>,
}

/// Alerts that nobody has acknowledged.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct AlertCounts {
    /// How many.
    open: usize,
    /// Of them, those of high or critical severity.
    grave: usize,
}

impl AlertCounts {
    fn of(world: &World) -> Self {
        let mut counts = Self::default();
        for (_, alert) in world.records(PREFIX).filter(|(_, alert)| alert["state"] == "Open") {
            counts.open += 1;
            counts.grave += usize::from(alert["severity"] == "High" || alert["severity"] == "Critical");
        }
        counts
    }
}

/// How the detectors of this server do, since it started.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Detectors {
    /// Connections that they looked at.
    connections: u64,
    /// Of them, those that came too late to be put in order.
    late: u64,
    /// Records whose times are ahead of the server's clock.
    ahead: u64,
    /// Records that they did not see because too many waited.
    lost: u64,
    /// Records that wait.
    waiting: usize,
    /// Alerts that they raised.
    raised: u64,
}

impl From<WatchCounts> for Detectors {
    fn from(counts: WatchCounts) -> Self {
        let WatchCounts { connections, late, ahead, lost, waiting, raised } = counts;
        Self { connections, late, ahead, lost, waiting, raised }
    }
}

/// What intents said of what was in force when the server started; writes since are proven one by one.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct IntentStatus {
    /// How many were asked; nothing until all are.
    #[serde(skip_serializing_if = "Option::is_none")]
    asked: Option<usize>,
    /// Why they could not be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    /// What each says that does not hold.
    broken: Vec<String>,
}

impl IntentStatus {
    fn of(standing: Option<&Standing>) -> Self {
        match standing {
            None => Self::default(),
            Some(Standing::Failed(why)) => Self { problem: Some(why.clone()), ..Self::default() },
            Some(Standing::Proven(verdicts)) => {
                let broken = verdicts.iter().filter_map(|verdict| verdict.breach.as_ref());
                let broken = broken.map(|breach| breach.message.clone()).collect();
                Self { asked: Some(verdicts.len()), broken, ..Self::default() }
            }
        }
    }
}

/// How the store is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct StoreStatus {
    /// Whether it can be written and watched.
    healthy: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    /// Milliseconds since it last answered.
    age_milliseconds: u64,
}

/// How many hosts there are.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct HostCounts {
    /// All that joined and are not revoked.
    total: usize,
    /// Those that are connected.
    connected: usize,
    /// Those that have in force what they were sent last.
    in_force: usize,
    /// Those that may not connect any more.
    revoked: usize,
}

/// How the server, its store and its hosts are.
#[utoipa::path(get, path = "/api/v1/status", tag = "server", operation_id = "getStatus",
    responses((status = 200, description = "How it is.", body = Status), Refusals))]
pub(super) async fn read(call: &Call) -> Answer {
    let health = call.app.control.health();
    let mut counts = HostCounts::default();
    for host in hosts::all(call) {
        if host.record.revoked.is_some() {
            counts.revoked += 1;
            continue;
        }
        let standing = host.standing.unwrap_or_default();
        counts.total += 1;
        counts.connected += usize::from(standing.connected.is_some());
        let is_in_force = |report: &palisade_control::fleet::HostReport| report.applied >= report.seen;
        counts.in_force += usize::from(standing.report.as_ref().is_some_and(is_in_force));
    }
    let status = Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_seconds: call.app.uptime().as_secs(),
        revision: health.revision.0,
        tenant_id: call.app.site.tenant.clone(),
        subscription_id: call.app.site.subscription.clone(),
        store: StoreStatus {
            healthy: health.problem.is_none(),
            problem: health.problem.as_deref().map(str::to_owned),
            age_milliseconds: u64::try_from(health.age.as_millis()).unwrap_or(u64::MAX),
        },
        hosts: counts,
        intents: IntentStatus::of(call.app.standing.get()),
        alerts: call.app.control.read(AlertCounts::of),
        detectors: call.app.watch.get().map(|watch| watch.counts().into()),
    };
    answer(StatusCode::OK, &status)
}

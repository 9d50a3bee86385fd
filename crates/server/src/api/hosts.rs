//! Hosts: what each has in force, and an end to those that must go.

use axum::http::StatusCode;
use palisade_control::{
    ControlError,
    fleet::{self, HostName, HostView},
    time::rfc3339,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    call::{Call, answer, done},
    openapi::Refusals,
};
use crate::error::{Answer, ApiError};

/// A machine that enforces.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Host {
    /// Name.
    name: String,
    /// How it stands to the servers.
    state: HostState,
    /// Version of its agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    /// Where it connected from.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// When it joined.
    registered: String,
    /// When it was last heard of.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen: Option<String>,
    /// Its newest certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<HostCertificate>,
    /// The last revision that its kernel enforces whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    applied_revision: Option<u64>,
    /// The revision that it looked at last.
    #[serde(skip_serializing_if = "Option::is_none")]
    wanted_revision: Option<u64>,
    /// Whether what it was sent last is in force for all of its interfaces.
    in_force: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Network interfaces that are bound to it.
    nics: Vec<HostNic>,
    /// Interfaces that it has.
    interfaces: Vec<HostInterface>,
}

/// How a host stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(super) enum HostState {
    /// It is connected.
    Connected,
    /// It is not, and enforces what it had.
    Disconnected,
    /// It may not connect any more.
    Revoked,
}

/// A certificate of a host.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct HostCertificate {
    /// Serial number, hexadecimal.
    serial: String,
    /// When it ends.
    expires: String,
}

/// A network interface on its host.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct HostNic {
    /// Resource id.
    id: String,
    /// Where it was found.
    #[serde(skip_serializing_if = "String::is_empty")]
    interface: String,
    /// Why its rules are not enforced there.
    #[serde(skip_serializing_if = "String::is_empty")]
    error: String,
    /// Hash of the policy that is in force for it.
    #[serde(skip_serializing_if = "String::is_empty")]
    policy: String,
}

/// An interface of a host.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct HostInterface {
    /// Name.
    name: String,
    /// Alias.
    alias: String,
    /// Hardware addresses.
    macs: Vec<String>,
    /// What it is, in the host's words.
    note: String,
}

/// Hosts.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Hosts {
    value: Vec<Host>,
}

impl From<HostView> for Host {
    fn from(view: HostView) -> Self {
        let standing = view.standing.unwrap_or_default();
        let report = standing.report.unwrap_or_default();
        let has_report = report.seen > 0 || report.applied > 0;
        let state = match (view.record.revoked, standing.connected) {
            (Some(_), _) => HostState::Revoked,
            (None, Some(_)) => HostState::Connected,
            (None, None) => HostState::Disconnected,
        };
        let told = |id: &String| report.nics.iter().find(|nic| nic.id.eq_ignore_ascii_case(id)).cloned();
        let nic = |id: String| {
            let told = told(&id).unwrap_or_default();
            HostNic { id, interface: told.interface, error: told.error, policy: told.policy }
        };
        let nics: Vec<_> = view.nics.into_iter().map(nic).collect();
        let newest = view.record.certificates.last();
        Self {
            name: view.name.to_string(),
            state,
            version: Some(standing.version).filter(|text| !text.is_empty()),
            address: Some(standing.address).filter(|text| !text.is_empty()),
            registered: rfc3339(view.record.registered),
            last_seen: standing.seen.map(rfc3339),
            certificate: newest
                .map(|own| HostCertificate { serial: own.serial.clone(), expires: rfc3339(own.not_after) }),
            applied_revision: has_report.then_some(report.applied),
            wanted_revision: has_report.then_some(report.seen),
            in_force: has_report
                && report.applied >= report.seen
                && nics.iter().all(|nic| nic.error.is_empty()),
            error: Some(report.error).filter(|text| !text.is_empty()),
            nics,
            interfaces: view.record.interfaces.into_iter().map(interface).collect(),
        }
    }
}

fn interface(own: fleet::Interface) -> HostInterface {
    HostInterface { name: own.name, alias: own.alias, macs: own.macs, note: own.note }
}

/// All hosts, with what each has in force.
#[utoipa::path(get, path = "/api/v1/hosts", tag = "hosts", operation_id = "listHosts",
    responses((status = 200, description = "The hosts.", body = Hosts), Refusals))]
pub(super) fn list(call: &Call) -> Answer {
    let hosts = all(call).into_iter().map(Host::from).collect();
    answer(StatusCode::OK, &Hosts { value: hosts })
}

pub(super) fn all(call: &Call) -> Vec<HostView> {
    call.app.control.read(|world| fleet::list(world, call.app.control.fleet()))
}

/// One host.
#[utoipa::path(get, path = "/api/v1/hosts/{name}", tag = "hosts", operation_id = "getHost",
    params(("name" = String, Path, description = "Name of the host.")),
    responses((status = 200, description = "The host.", body = Host), Refusals))]
pub(super) fn read(call: &Call) -> Answer {
    let name = named(call)?;
    let view = call.app.control.read(|world| fleet::get(world, call.app.control.fleet(), &name));
    answer(StatusCode::OK, &Host::from(view.ok_or_else(|| unknown(call.name()))?))
}

/// Refuses the certificates of a host from now on. What it has in force stays.
#[utoipa::path(post, path = "/api/v1/hosts/{name}/revoke", tag = "hosts", operation_id = "revokeHost",
    params(("name" = String, Path, description = "Name of the host.")),
    responses((status = 200, description = "The host.", body = Host), Refusals))]
pub(super) async fn revoke(call: &Call) -> Answer {
    fleet::revoke(&call.app.control, &call.caller, &named(call)?).await?;
    read(call)
}

/// Forgets a host, so that a machine of its name may join again.
#[utoipa::path(delete, path = "/api/v1/hosts/{name}", tag = "hosts", operation_id = "removeHost",
    params(("name" = String, Path, description = "Name of the host.")),
    responses((status = 204, description = "It is forgotten."), Refusals))]
pub(super) async fn remove(call: &Call) -> Answer {
    fleet::remove(&call.app.control, &call.caller, &named(call)?).await?;
    Ok(done())
}

/// The name in the path; what can be no host's name is no host.
fn named(call: &Call) -> Result<HostName, ApiError> {
    call.name().parse().map_err(|_| unknown(call.name()))
}

fn unknown(name: &str) -> ApiError {
    ControlError::new(404, "HostNotFound", format!("There is no host '{name}'.")).into()
}

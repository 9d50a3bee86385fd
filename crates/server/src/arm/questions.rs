//! What Network Watcher answers, and what is effective at a NIC.
//!
//! Azure answers these with 202 and lets clients come back; every client takes 200 as well, and an answer that is there is
//! given. The questions themselves are the control plane's.

use axum::{Json, response::IntoResponse};
use palisade_control::{
    ControlError, time,
    watcher::{self, Moment, WatcherRequest},
};
use palisade_model::ResourceId;
use serde_json::{Value, json};

use super::{call::Call, routes::Question};
use crate::error::{Answer, ApiError};

/// One question.
pub(super) fn ask(call: &Call, question: Question) -> Answer {
    let request = request(call, question)?;
    check_place(call)?;
    Ok(Json(answer(call, &request)?.value).into_response())
}

fn answer(call: &Call, request: &WatcherRequest) -> Result<watcher::Answer, ControlError> {
    let seconds = time::unix_seconds(call.app.now());
    let now = Moment { seconds: u32::try_from(seconds).unwrap_or(u32::MAX), stamp: time::rfc3339(seconds) };
    call.app.control.read(|world| watcher::answer(world, request, &now))
}

fn request(call: &Call, question: Question) -> Result<WatcherRequest, ApiError> {
    let body = || call.body().cloned();
    Ok(match question {
        Question::EffectiveGroups => WatcherRequest::EffectiveNetworkSecurityGroups { nic: place(call) },
        Question::EffectiveRoutes => WatcherRequest::EffectiveRouteTable { nic: place(call) },
        Question::IpFlowVerify => WatcherRequest::IpFlowVerify { body: body()? },
        Question::NextHop => WatcherRequest::NextHop { body: body()? },
        Question::SecurityGroupView => WatcherRequest::SecurityGroupView { body: body()? },
        Question::Diagnostic => WatcherRequest::NetworkConfigurationDiagnostic { body: body()? },
        Question::Topology => WatcherRequest::Topology {
            subscription: call.app.site.subscription.clone(),
            body: body()?,
            id: uuid::Uuid::new_v4().to_string(),
        },
        Question::AddressAvailability => WatcherRequest::CheckIpAddressAvailability {
            network: place(call),
            address: call.query.get("ipAddress").unwrap_or_default().to_owned(),
        },
    })
}

/// The id that a verb is asked at.
fn place(call: &Call) -> ResourceId {
    let id = call.found.id.as_str();
    ResourceId::new(id.rsplit_once('/').map_or(id, |(place, _verb)| place))
}

/// Whether the NIC, network or watcher that is asked is there.
fn check_place(call: &Call) -> Result<(), ApiError> {
    let place = place(call);
    call.app.control.read(|world| match world.document(&place) {
        Some(_) => Ok(()),
        None => Err(super::resources::missing(world, &place)),
    })
}

/// `GET .../locations/{location}/serviceTags`, with pages of its own: a page is so many prefixes, not so many tags.
pub(super) fn service_tags(call: &Call) -> Answer {
    let skip = match call.query.get("$skipToken") {
        None => 0,
        Some(text) => text.parse().map_err(|_| {
            ApiError::bad("InvalidSkipToken", "The $skipToken is not one that was given out.")
        })?,
    };
    let request = WatcherRequest::ServiceTags {
        subscription: call.app.site.subscription.clone(),
        location: call.found.names.last().cloned().unwrap_or_default(),
        skip,
    };
    let answer = answer(call, &request)?;
    let mut body: Value = answer.value;
    if let Some(next) = answer.next {
        let query = call.query.without("$skipToken");
        body["nextLink"] = json!(format!("{}{}?{query}&$skipToken={next}", call.base, call.raw_path));
    }
    Ok(Json(body).into_response())
}

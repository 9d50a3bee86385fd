//! Alerts: what the detectors raised, and that somebody has looked at it.

use axum::http::StatusCode;
use palisade_control::{
    Action, ControlError,
    alerts::{self, AlertState, KeptAlert},
    time::rfc3339,
};
use palisade_guard::{Kind, Severity};
use palisade_model::calendar::Moment;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    call::{Call, answer},
    openapi::Refusals,
};
use crate::error::{Answer, ApiError};

/// What the audit log calls it.
const ACKNOWLEDGE: &str = "acknowledge alert";
/// Severities by their words, the least grave first.
const SEVERITIES: [Severity; 5] =
    [Severity::Informational, Severity::Low, Severity::Medium, Severity::High, Severity::Critical];

/// Alerts.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Alerts {
    /// Those seen last first: the fields of `palisade detect --format json`, and how each stands.
    #[schema(value_type = Vec<Object>)]
    value: Vec<KeptAlert>,
}

/// What is said of an alert that is acknowledged.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Acknowledgement {
    /// Why it is no concern any more.
    note: Option<String>,
}

/// Alerts, those seen last first.
#[utoipa::path(get, path = "/api/v1/alerts", tag = "alerts", operation_id = "listAlerts",
    params(
        ("state" = Option<String>, Query, description = "`Open` or `Acknowledged`."),
        ("severity" = Option<String>, Query, description = "The least grave that are told."),
        ("kind" = Option<String>, Query, description = "The deed, such as `bruteforce`."),
        ("machine" = Option<String>, Query, description = "Id or name of the virtual machine."),
        ("since" = Option<String>, Query, description = "Seen at this time or later."),
        ("until" = Option<String>, Query, description = "Begun before this time."),
        ("limit" = Option<u64>, Query, minimum = 1, maximum = 2000, description = "Most alerts to tell."),
    ),
    responses((status = 200, description = "The alerts.", body = Alerts), Refusals))]
pub(super) fn list(call: &Call) -> Answer {
    let wanted = Wanted::of(call)?;
    let all = call.app.control.read(alerts::all);
    let value = all.into_iter().filter(|alert| wanted.has(alert)).take(wanted.limit).collect();
    answer(StatusCode::OK, &Alerts { value })
}

/// One alert.
#[utoipa::path(get, path = "/api/v1/alerts/{id}", tag = "alerts", operation_id = "getAlert",
    params(("id" = String, Path, description = "Id of the alert.")),
    responses((status = 200, description = "The alert.", body = Object), Refusals))]
pub(super) fn read(call: &Call) -> Answer {
    let found = call.app.control.read(|world| alerts::find(world, &id(call)));
    answer(StatusCode::OK, &found.ok_or_else(|| unknown(call.name()))?)
}

/// Says that somebody has looked at an alert: the next one of its series is a new one. One that is acknowledged stays as it is.
#[utoipa::path(post, path = "/api/v1/alerts/{id}/acknowledge", tag = "alerts", operation_id = "acknowledgeAlert",
    params(("id" = String, Path, description = "Id of the alert.")),
    request_body = Acknowledgement,
    responses((status = 200, description = "The alert.", body = Object), Refusals))]
pub(super) async fn acknowledge(call: &Call) -> Answer {
    let Acknowledgement { note } = call.body()?;
    let (id, now) = (id(call), rfc3339(call.now()));
    let who = &call.caller.name;
    loop {
        let plan = call.app.control.read(|world| alerts::acknowledge(world, &id, who, note.as_deref(), &now));
        let Some(change) = plan? else { break };
        let action = Action::Records { changes: vec![change], verb: ACKNOWLEDGE };
        match call.app.control.act(&call.caller, action).await {
            // The detectors raised it once more meanwhile.
            Err(error) if error.status == 409 => {}
            done => {
                done?;
                break;
            }
        }
    }
    read(call)
}

fn id(call: &Call) -> String {
    call.name().to_lowercase()
}

fn unknown(id: &str) -> ApiError {
    ControlError::new(404, "AlertNotFound", format!("There is no alert '{id}', or it was forgotten.")).into()
}

/// Which alerts are asked for.
struct Wanted {
    state: Option<AlertState>,
    severity: Severity,
    kind: Option<String>,
    machine: Option<String>,
    since: Option<String>,
    until: Option<String>,
    limit: usize,
}

impl Wanted {
    fn of(call: &Call) -> Result<Self, ApiError> {
        let text = |name: &str| call.query.get(name).map(str::to_owned);
        let state = match text("state") {
            None => None,
            Some(word) if word.eq_ignore_ascii_case("open") => Some(AlertState::Open),
            Some(word) if word.eq_ignore_ascii_case("acknowledged") => Some(AlertState::Acknowledged),
            Some(word) => return Err(invalid("state", &word, "'Open' or 'Acknowledged'")),
        };
        let severity = match text("severity") {
            None => Severity::Informational,
            Some(word) => graded(&word)
                .ok_or_else(|| invalid("severity", &word, "Informational, Low, Medium, High or Critical"))?,
        };
        let limit = call.number("limit")?.unwrap_or(alerts::ALERTS_MAX as u64);
        if !(1..=alerts::ALERTS_MAX as u64).contains(&limit) {
            return Err(invalid("limit", &limit.to_string(), "from 1 to 2000"));
        }
        Ok(Self {
            state,
            severity,
            kind: kind(text("kind"))?,
            machine: text("machine"),
            since: time(call, "since")?.map(alerts::moment),
            until: time(call, "until")?.map(alerts::moment),
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
        })
    }

    fn has(&self, alert: &KeptAlert) -> bool {
        let is = |wanted: &Option<String>, text: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(text))
        };
        self.state.is_none_or(|state| state == alert.state)
            && graded(alert.text("severity")).is_some_and(|severity| severity >= self.severity)
            && is(&self.kind, alert.text("kind"))
            && self.machine.as_ref().is_none_or(|wanted| {
                alert.machine.as_deref().is_some_and(|machine| is_named(machine, wanted))
            })
            && self.since.as_ref().is_none_or(|since| alert.text("last") >= since.as_str())
            && self.until.as_ref().is_none_or(|until| alert.text("first") < until.as_str())
    }
}

/// Whether an id is what somebody means by a name or an id.
pub(super) fn is_named(id: &str, name: &str) -> bool {
    let own = id.rsplit('/').next().unwrap_or_default();
    id.eq_ignore_ascii_case(name) || own.eq_ignore_ascii_case(name)
}

/// A deed that alerts can be of. Another word is refused: no alert would ever have it, and nobody would wonder.
fn kind(wanted: Option<String>) -> Result<Option<String>, ApiError> {
    match wanted {
        Some(word) if !Kind::WORDS.iter().any(|known| known.eq_ignore_ascii_case(&word)) => {
            Err(invalid("kind", &word, &format!("one of {}", Kind::WORDS.join(", "))))
        }
        wanted => Ok(wanted),
    }
}

/// The severity of a word.
pub(super) fn graded(word: &str) -> Option<Severity> {
    SEVERITIES.into_iter().find(|severity| severity.to_string().eq_ignore_ascii_case(word))
}

/// A time of the query, in milliseconds since 1970.
pub(super) fn time(call: &Call, name: &str) -> Result<Option<u64>, ApiError> {
    let Some(text) = call.query.get(name) else { return Ok(None) };
    let moment = Moment::parse(text).and_then(|moment| u64::try_from(moment.seconds).ok());
    let seconds = moment.ok_or_else(|| invalid(name, text, "a time such as 2026-01-31T08:00:00Z"))?;
    Ok(Some(seconds.saturating_mul(1_000)))
}

fn invalid(name: &str, value: &str, expected: &str) -> ApiError {
    ApiError::bad("InvalidParameter", format!("'{name}' is '{value}', and must be {expected}."))
}

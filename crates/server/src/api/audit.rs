//! The audit log: page by page, and checked as a whole.
//!
//! Entries lie in the store by commit, under the number of the first of each. They are read in blocks of neighbouring
//! numbers, so that a page does not cost the whole log. ADR 0024.

use axum::http::StatusCode;
use palisade_control::{
    ControlError,
    audit::{Entry, Head},
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    call::{Call, answer},
    openapi::Refusals,
};
use crate::error::{Answer, ApiError};

/// Entries of a page, if nobody says.
const PAGE_LENGTH: u64 = 100;
/// Most entries of a page.
const PAGE_LENGTH_MAX: u64 = 1_000;
/// Where entries are in the store.
const PREFIX: &str = "audit/";
/// Digits of a number in a key.
const DIGITS: usize = 20;
/// Trailing digits that the numbers of one block differ in, and how many numbers that are.
const BLOCK_DIGITS: usize = 3;
const BLOCK: u64 = 1_000;

/// Entries that are looked at for a span of time.
const SEARCHED_MAX: usize = 200_000;

/// A page of the log.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuditPage {
    /// Entries, in order.
    #[schema(value_type = Vec<Object>)]
    value: Vec<Entry>,
    /// The end of the log: number and hash of the last entry.
    #[schema(value_type = AuditHead)]
    head: Head,
}

/// The end of the log.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuditHead {
    /// Number of the last entry; 0 if there is none.
    seq: u64,
    /// Hash of the last entry.
    hash: String,
}

/// Whether the log is whole.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuditCheck {
    /// Whether every entry follows from the one before, to the end that the store knows.
    intact: bool,
    /// Where it is broken, and how.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    /// How many entries were read.
    entries: u64,
    /// The end of the log.
    #[schema(value_type = AuditHead)]
    head: Head,
}

/// Entries after a number, in order.
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", operation_id = "listAudit",
    params(
        ("after" = Option<u64>, Query, description = "Number of the last entry that was read."),
        ("limit" = Option<u64>, Query, minimum = 1, maximum = 1000, description = "Most entries to tell."),
    ),
    responses((status = 200, description = "The entries.", body = AuditPage), Refusals))]
pub(super) async fn entries(call: &Call) -> Answer {
    let after = call.number("after")?.unwrap_or(0);
    let limit = call.number("limit")?.unwrap_or(PAGE_LENGTH);
    if !(1..=PAGE_LENGTH_MAX).contains(&limit) {
        let message = format!("'limit' is {limit}, and must be from 1 to {PAGE_LENGTH_MAX}.");
        return Err(ApiError::bad("InvalidParameter", message));
    }
    let head = head(call).await?;
    let mut log = Log::new(call, after, head.seq);
    let mut value = Vec::new();
    while (value.len() as u64) < limit
        && let Some(entry) = log.next().await?
    {
        value.push(entry);
    }
    answer(StatusCode::OK, &AuditPage { value, head })
}

/// Checks the whole log.
#[utoipa::path(get, path = "/api/v1/audit/verify", tag = "audit", operation_id = "verifyAudit",
    responses((status = 200, description = "Whether it is whole.", body = AuditCheck), Refusals))]
pub(super) async fn verify(call: &Call) -> Answer {
    let head = head(call).await?;
    let mut log = Log::new(call, 0, head.seq);
    let mut found = Head::default();
    let mut problem = None;
    while problem.is_none()
        && let Some(entry) = log.next().await?
    {
        match palisade_control::audit::follow(&found, Ok(entry)) {
            Ok(next) => found = next,
            Err(why) => problem = Some(format!("entry {}: {why}", found.seq + 1)),
        }
    }
    if problem.is_none() && found != head {
        problem = Some(format!("the log ends at entry {}, and the store says {}", found.seq, head.seq));
    }
    answer(StatusCode::OK, &AuditCheck { intact: problem.is_none(), problem, entries: found.seq, head })
}

/// A span of time, as entries write it.
pub(super) struct Span {
    /// From this second on.
    pub(super) since: String,
    /// Before this second.
    pub(super) until: String,
}

/// The entries of a span of time that are wanted, oldest first, of the newest [`SEARCHED_MAX`] of the log; and whether the span
/// may hold more.
pub(super) async fn between(
    call: &Call,
    span: &Span,
    wants: impl Fn(&Entry) -> bool,
) -> Result<(Vec<Entry>, bool), ApiError> {
    let end = head(call).await?.seq;
    let (mut found, mut searched) = (Vec::new(), 0);
    for block in (0..=end / BLOCK).rev() {
        let entries = load(call, block, end).await?;
        searched += entries.len();
        let is_begun = entries.first().is_some_and(|entry| entry.event.time < span.since);
        let is_within =
            |entry: &Entry| entry.event.time >= span.since && entry.event.time < span.until && wants(entry);
        found.extend(entries.into_iter().rev().filter(is_within));
        if is_begun || searched > SEARCHED_MAX {
            found.reverse();
            return Ok((found, !is_begun));
        }
    }
    found.reverse();
    Ok((found, false))
}

/// The end of the log as the sequence of commits has it.
async fn head(call: &Call) -> Result<Head, ApiError> {
    let snapshot = call.app.store.snapshot("meta/seq").await.map_err(ControlError::from)?;
    let Some(entry) = snapshot.entries.first() else { return Ok(Head::default()) };
    let value: Value = serde_json::from_slice(&entry.value).map_err(|_| damaged())?;
    serde_json::from_value(value["audit"].clone()).map_err(|_| damaged())
}

fn damaged() -> ApiError {
    ControlError::new(500, "StoreDamaged", "The audit log in the store cannot be read.").into()
}

/// Entries in order, read block by block.
struct Log<'a> {
    call: &'a Call,
    after: u64,
    end: u64,
    block: u64,
    read: std::vec::IntoIter<Entry>,
}

impl<'a> Log<'a> {
    fn new(call: &'a Call, after: u64, end: u64) -> Self {
        // A commit that began in the block before may reach into this one.
        let block = ((after + 1) / BLOCK).saturating_sub(1);
        Self { call, after, end, block, read: Vec::new().into_iter() }
    }

    async fn next(&mut self) -> Result<Option<Entry>, ApiError> {
        loop {
            if let Some(entry) = self.read.next() {
                if entry.seq > self.after {
                    return Ok(Some(entry));
                }
                continue;
            }
            if self.block > self.end / BLOCK {
                return Ok(None);
            }
            self.read = load(self.call, self.block, self.end).await?.into_iter();
            self.block += 1;
        }
    }
}

/// The entries of the commits whose numbers are in a block, up to the end of the log.
async fn load(call: &Call, block: u64, end: u64) -> Result<Vec<Entry>, ApiError> {
    let prefix = format!("{PREFIX}{block:0width$}", width = DIGITS - BLOCK_DIGITS);
    let snapshot = call.app.store.snapshot(&prefix).await.map_err(ControlError::from)?;
    let mut entries = Vec::new();
    for commit in snapshot.entries {
        let read: Vec<Entry> = serde_json::from_slice(&commit.value).map_err(|_| damaged())?;
        entries.extend(read.into_iter().filter(|entry| entry.seq <= end));
    }
    Ok(entries)
}

//! What happens, as it happens: commits, one server-sent event each.
//!
//! A client that lost the connection comes back with the last revision that it saw. The server remembers a bounded
//! number of commits; who asks for older ones is told so (410) and reads everything anew, and who cannot keep up is
//! cut off, so that no client's slowness is kept in memory. Format: HTML standard, section 9.2.

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    body::Body,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;
use palisade_control::{Committed, Control};
use palisade_store::Revision;
use serde_json::{Value, json};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, broadcast},
    time::timeout,
};

use super::{call::Call, openapi::Refusals};
use crate::{
    error::{Answer, ApiError},
    limits::WATCHES_MAX,
};

/// Commits that a client may have missed and still be told.
pub(super) const COMMITS_REMEMBERED: usize = 4_096;
/// Events that wait for one client.
const BACKLOG_MAX: usize = 1_024;
/// How often a stream without events shows that it lives.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Changes that one event lists; of more it tells how many.
const CHANGES_MAX: usize = 1_000;

/// The last commits, and everybody who waits for the next.
#[derive(Debug)]
pub(crate) struct History {
    remembered: Mutex<Remembered>,
    next: broadcast::Sender<Arc<Committed>>,
    places: Arc<Semaphore>,
}

#[derive(Debug)]
struct Remembered {
    /// Everything after this revision is in `commits`.
    since: Revision,
    commits: VecDeque<Arc<Committed>>,
}

/// Commits to come.
type Next = broadcast::Receiver<Arc<Committed>>;

impl History {
    /// Of nothing yet: it begins at a revision.
    pub(crate) fn new(since: Revision) -> Self {
        let remembered = Remembered { since, commits: VecDeque::new() };
        Self {
            remembered: Mutex::new(remembered),
            next: broadcast::Sender::new(BACKLOG_MAX),
            places: Arc::new(Semaphore::new(WATCHES_MAX)),
        }
    }

    /// Remembers what the control plane commits. Returns when it does no more.
    pub(crate) async fn follow(&self, control: &Control, mut changes: broadcast::Receiver<Arc<Committed>>) {
        loop {
            match changes.recv().await {
                Ok(commit) => self.add(commit),
                Err(broadcast::error::RecvError::Lagged(_)) => {
                    self.forget(control.read(palisade_control::World::revision));
                }
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    }

    pub(super) fn add(&self, commit: Arc<Committed>) {
        let mut remembered = self.lock();
        if remembered.commits.len() >= COMMITS_REMEMBERED
            && let Some(oldest) = remembered.commits.pop_front()
        {
            remembered.since = oldest.revision;
        }
        remembered.commits.push_back(commit.clone());
        // Under the lock, so that whoever joins between two commits sees each once. Nobody listening is no failure.
        let _ = self.next.send(commit);
    }

    /// Some commits were missed: what came before is no longer known without gaps.
    pub(super) fn forget(&self, now: Revision) {
        let mut remembered = self.lock();
        remembered.commits.clear();
        remembered.since = now;
    }

    /// Commits after a revision, and those to come; nothing if they are no longer known.
    pub(super) fn join(&self, after: Option<Revision>) -> Option<(Vec<Arc<Committed>>, Next)> {
        let remembered = self.lock();
        let after =
            after.unwrap_or_else(|| remembered.commits.back().map_or(remembered.since, |last| last.revision));
        if after < remembered.since {
            return None;
        }
        let missed = remembered.commits.iter().filter(|commit| commit.revision > after).cloned().collect();
        Some((missed, self.next.subscribe()))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What happens from now on, or after a revision.
#[utoipa::path(get, path = "/api/v1/watch", tag = "server", operation_id = "watch",
    params(
        ("after" = Option<u64>, Query, description = "The last revision that was seen."),
        ("prefix" = Option<String>, Query, description = "Only changes of resources whose id begins so."),
    ),
    responses(
        (status = 200, description = "Events: commits.", body = String, content_type = "text/event-stream"),
        Refusals,
    ))]
pub(super) async fn stream(call: &Call) -> Answer {
    let after = match call.number("after")? {
        Some(after) => Some(after),
        None => call.headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse().ok()),
    };
    let history = &call.app.history;
    let place = history.places.clone().try_acquire_owned().map_err(|_| {
        ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "ServerBusy",
            "There are as many streams as there may be.",
        )
    })?;
    let (missed, next) = history.join(after.map(Revision)).ok_or_else(|| {
        ApiError::new(
            StatusCode::GONE,
            "RevisionCompacted",
            "What happened after that revision is no longer known. Read everything, then watch without a revision.",
        )
    })?;
    let prefix = call.query.get("prefix").map(str::to_ascii_lowercase);
    let control = call.app.control.clone();
    Ok(events(Reader { missed: missed.into(), next, prefix, control, _place: place }))
}

struct Reader {
    missed: VecDeque<Arc<Committed>>,
    next: broadcast::Receiver<Arc<Committed>>,
    prefix: Option<String>,
    control: Control,
    _place: OwnedSemaphorePermit,
}

fn events(reader: Reader) -> Response {
    // The first bytes go out at once, so that the client knows that it is heard.
    let first = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b": watching\n\n"))]);
    let rest = stream::unfold(reader, |mut reader| async move { Some((Ok(reader.next().await?), reader)) });
    let body = Body::from_stream(futures_util::StreamExt::chain(first, rest));
    ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
}

impl Reader {
    /// The next event, or a sign of life. Ends if the client could not keep up, or the server stops.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let commit = match self.missed.pop_front() {
                Some(commit) => commit,
                None => match timeout(HEARTBEAT, self.next.recv()).await {
                    Ok(commit) => commit.ok()?,
                    Err(_elapsed) => return Some(Bytes::from_static(b": alive\n\n")),
                },
            };
            if let Some(data) = self.describe(&commit) {
                let text = format!("event: commit\nid: {}\ndata: {data}\n\n", commit.revision.0);
                return Some(text.into());
            }
        }
    }

    /// What a commit changed, of what is wanted.
    fn describe(&self, commit: &Committed) -> Option<Value> {
        let is_wanted = |id: &&palisade_model::ResourceId| {
            let id = id.as_str().to_ascii_lowercase();
            self.prefix.as_ref().is_none_or(|prefix| id.starts_with(prefix))
        };
        let wanted: Vec<_> = commit.changed.iter().filter(is_wanted).collect();
        if wanted.is_empty() && self.prefix.is_some() {
            return None;
        }
        let changes: Vec<_> = self.control.read(|world| {
            let effect = |id| if world.document(id).is_some() { "Written" } else { "Deleted" };
            wanted
                .iter()
                .take(CHANGES_MAX)
                .map(|id| json!({ "id": id.as_str(), "effect": effect(id) }))
                .collect()
        });
        Some(json!({
            "revision": commit.revision.0,
            "caller": commit.callers.join(", "),
            "changes": changes,
            "changesTotal": wanted.len(),
        }))
    }
}

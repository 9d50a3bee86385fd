//! Many hosts in this process: the agent's real protocol over mutual TLS, its real reading and compiling of what arrives, and
//! nothing below that.
//!
//! What a host would then give its kernel is thrown away. Reports are the ones that an agent sends.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use palisade_agent::{
    compile::{self, Windows},
    load::{self, Input},
    remote::{Backoff, Connection, Credentials, ServerAddress, Snapshot, Trust, client},
};
use palisade_client::Client;
use palisade_sync::{Hello, JoinToken, NicReport, Report};
use tokio::{runtime::Runtime, sync::Semaphore, task::JoinHandle};

use super::server::Server;
use crate::error::{Context, Error, Result};

/// Hosts that join at once.
const JOINING: usize = 16;
/// How long all hosts may take to have something.
const TIMEOUT: Duration = Duration::from_secs(120);
/// Seconds that a join token of the fleet is good.
const TOKEN_SECONDS: u64 = 600;

/// The hosts.
pub(super) struct Fleet {
    // Before the runtime: tasks end before it does.
    tasks: Vec<JoinHandle<()>>,
    hosts: Arc<Vec<Host>>,
    runtime: Runtime,
}

/// What one host has.
#[derive(Debug, Default)]
struct Host {
    /// How often it was in sync on a new stream.
    streams: AtomicU64,
}

/// The name of a host.
pub(super) fn name(number: usize) -> String {
    format!("host-{number}")
}

impl Fleet {
    /// Makes so many hosts join, and follow the server from then on.
    pub(super) fn join(server: &Server, owner: &Client, count: usize) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.context(|| "start a runtime".into())?;
        let place = ServerAddress { host: server.agents().ip().to_string(), port: server.agents().port() };
        let tokens = (0..count).map(|number| token(owner, number)).collect::<Result<Vec<_>>>()?;
        let credentials = runtime.block_on(join_all(&place, tokens))?;
        let hosts: Arc<Vec<Host>> = Arc::new((0..count).map(|_| Host::default()).collect());
        let tasks = credentials.into_iter().enumerate().map(|(number, credentials)| {
            let (hosts, place) = (hosts.clone(), place.clone());
            runtime.spawn(async move { follow(&hosts[number], &place, &credentials).await })
        });
        let tasks = tasks.collect();
        Ok(Self { tasks, hosts, runtime })
    }

    /// Waits until every host was in sync on so many streams.
    pub(super) fn wait_for_streams(&self, streams: u64) -> Result<()> {
        self.wait("be in sync", |host| host.streams.load(Ordering::Acquire) >= streams)
    }

    fn wait(&self, what: &str, is_done: impl Fn(&Host) -> bool) -> Result<()> {
        let begun = Instant::now();
        while let Some(late) = self.hosts.iter().position(|host| !is_done(host)) {
            if begun.elapsed() > TIMEOUT {
                return Err(Error::Server { what: format!("does not let {} {what}", name(late)) });
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        for task in self.tasks.drain(..) {
            // Aborted, which is what was asked for.
            let _ = self.runtime.block_on(task);
        }
    }
}

fn token(owner: &Client, number: usize) -> Result<JoinToken> {
    let answer = owner.create_join_token(Some(&name(number)), Some(TOKEN_SECONDS))?;
    let text = answer["token"].as_str().unwrap_or_default();
    text.parse().map_err(|error| Error::Server { what: format!("gives a join token that is none: {error}") })
}

/// Joins all hosts, a few at once, in the order of their numbers.
async fn join_all(place: &ServerAddress, tokens: Vec<JoinToken>) -> Result<Vec<Credentials>> {
    let gate = Arc::new(Semaphore::new(JOINING));
    let joins = tokens.into_iter().enumerate().map(|(number, token)| {
        let (gate, place) = (gate.clone(), place.clone());
        tokio::spawn(async move {
            let _turn = gate.acquire().await;
            client::join(&place, &Trust::Token, &token, &name(number)).await
        })
    });
    let mut joined = Vec::new();
    for join in joins.collect::<Vec<_>>() {
        joined.push(join.await.expect("joining does not panic")?);
    }
    Ok(joined)
}

/// Follows the server for good, and comes back when it was away.
async fn follow(host: &Host, place: &ServerAddress, credentials: &Credentials) {
    let mut backoff = Backoff::default();
    let mut have: Option<Snapshot> = None;
    loop {
        if let Ok(connection) = Connection::open(place, credentials).await {
            let mut is_new = true;
            let Ok(mut session) = connection.follow(Hello::default(), have.as_ref()).await else {
                tokio::time::sleep(backoff.pause()).await;
                continue;
            };
            while let Ok(snapshot) = session.next().await {
                if session.report(report(&snapshot)).await.is_err() {
                    break;
                }
                host.streams.fetch_add(u64::from(std::mem::take(&mut is_new)), Ordering::Release);
                have = Some(snapshot);
                backoff = Backoff::default();
            }
        }
        tokio::time::sleep(backoff.pause()).await;
    }
}

/// Reads and compiles what arrived, as an agent does, and says what became of it.
fn report(snapshot: &Snapshot) -> Report {
    let input = Input::Documents { documents: snapshot.documents.clone(), service_tags: Vec::new() };
    let loaded = load::read(&input).map_err(|error| error.to_string());
    let compiled = loaded.and_then(|loaded| {
        compile::compile(&loaded.estate, Windows::Judged)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    });
    match compiled {
        Ok(compiled) => Report {
            applied_revision: snapshot.revision,
            applied_hash: snapshot.hash.to_vec(),
            seen_revision: snapshot.revision,
            error: String::new(),
            nics: compiled
                .nics
                .keys()
                .map(|id| NicReport { id: id.to_string(), ..NicReport::default() })
                .collect(),
        },
        Err(error) => Report { seen_revision: snapshot.revision, error, ..Report::default() },
    }
}

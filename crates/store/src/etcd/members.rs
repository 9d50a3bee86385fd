//! The members of the cluster: one connection each, and the one that is asked at present.
//!
//! A member that fails hands over to the next. A read is asked again there. A commit is not: it may have been written. But after a
//! failure the cluster is first asked whether it answers at all, so that while it is down, commits are known not to have happened.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use etcd_client::{Certificate, Client, ConnectOptions, Error, GetOptions, Identity, TlsOptions};
use tokio::time::timeout;

use super::faults::{self, Fault};
use crate::url::{EtcdTls, EtcdUrl};
use crate::{Revision, StoreError};

/// How long a connection may take to be made.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a member may take to answer a request.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// A silent connection is probed after this time. etcd ends connections that probe more often than every 5 s.
const PROBE_INTERVAL: Duration = Duration::from_secs(10);
/// How long the answer to a probe may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// The members.
pub(super) struct Members {
    clients: Vec<Client>,
    current: AtomicUsize,
    /// Whether the last request failed by its member.
    suspect: AtomicBool,
}

impl Members {
    /// Connections are made when they are needed.
    pub(super) async fn new(url: &EtcdUrl) -> Result<Self, StoreError> {
        // Probes on a connection without requests would count as abuse.
        let mut options = ConnectOptions::new()
            .with_connect_timeout(CONNECT_TIMEOUT)
            .with_keep_alive(PROBE_INTERVAL, PROBE_TIMEOUT)
            .with_keep_alive_while_idle(false)
            .with_require_leader(true);
        if let Some(tls) = &url.tls {
            options = options.with_tls(trust(tls)?);
        }
        let mut clients = Vec::new();
        for endpoint in &url.endpoints {
            let client = Client::connect([endpoint], Some(options.clone())).await;
            clients.push(client.map_err(|error| StoreError::Invalid(format!("member {endpoint}: {error}")))?);
        }
        Ok(Self { clients, current: AtomicUsize::new(0), suspect: AtomicBool::new(true) })
    }

    /// The member that is asked at present, and its number.
    pub(super) fn current(&self) -> (usize, Client) {
        let number = self.current.load(Ordering::Relaxed) % self.clients.len();
        (number, self.clients[number].clone())
    }

    /// Hands over from a member that failed, unless somebody did already.
    pub(super) fn leave(&self, number: usize) {
        self.suspect.store(true, Ordering::Relaxed);
        let next = (number + 1) % self.clients.len();
        let _ = self.current.compare_exchange(number, next, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Asks the present member once, within the time that it has.
    async fn ask<T, F>(&self, request: impl FnOnce(Client) -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Error>> + Send,
    {
        let (number, client) = self.current();
        let fault = match timeout(REQUEST_TIMEOUT, request(client)).await {
            Ok(Ok(answer)) => {
                self.suspect.store(false, Ordering::Relaxed);
                return Ok(answer);
            }
            Ok(Err(error)) => faults::of(&error),
            Err(_) => Fault::Lost(format!("no answer in {} s", REQUEST_TIMEOUT.as_secs())),
        };
        if fault.is_the_members() {
            self.leave(number);
        }
        Err(fault)
    }

    /// Asks for something that may be asked twice: each member once, until one answers.
    pub(super) async fn read<T, F>(&self, request: impl Fn(Client) -> F + Send) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Error>> + Send,
    {
        let mut answer = self.ask(&request).await;
        for _ in 1..self.clients.len() {
            match &answer {
                Err(fault) if fault.is_the_members() => answer = self.ask(&request).await,
                _ => break,
            }
        }
        answer
    }

    /// Asks for something that may be asked only once.
    pub(super) async fn write<T, F>(&self, request: impl FnOnce(Client) -> F + Send) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, Error>> + Send,
    {
        if self.suspect.load(Ordering::Relaxed) {
            self.revision().await?;
        }
        self.ask(request).await.map_err(Fault::of_commit)
    }

    /// The newest revision that the cluster agreed on.
    pub(super) async fn revision(&self) -> Result<Revision, StoreError> {
        // A linearizable read of any key: a member without a quorum cannot answer it.
        let options = GetOptions::new().with_count_only();
        let request = |mut client: Client| {
            let options = options.clone();
            async move { client.get("\0", Some(options)).await }
        };
        let answer = self.read(request).await.map_err(Fault::of_read)?;
        revision(answer.header())
    }
}

impl std::fmt::Debug for Members {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Members").field("current", &self.current).field("suspect", &self.suspect).finish()
    }
}

/// The revision that an answer is of.
pub(super) fn revision(header: Option<&etcd_client::ResponseHeader>) -> Result<Revision, StoreError> {
    let number =
        header.map(etcd_client::ResponseHeader::revision).and_then(|number| u64::try_from(number).ok());
    number.map(Revision).ok_or_else(|| StoreError::Damaged("an answer of etcd has no revision".to_owned()))
}

fn trust(tls: &EtcdTls) -> Result<TlsOptions, StoreError> {
    let read = |path: &std::path::Path| {
        std::fs::read(path).map_err(|error| StoreError::Invalid(format!("{}: {error}", path.display())))
    };
    let mut options = TlsOptions::new().ca_certificate(Certificate::from_pem(read(&tls.ca)?));
    if let Some((cert, key)) = &tls.own {
        options = options.identity(Identity::from_pem(read(cert)?, read(key)?));
    }
    Ok(options)
}

//! Where a tunnel that is wanted and the host that opens it meet.
//!
//! The host is asked on its session, by a number that nobody can guess, and comes back with it on a call of its own. Who asks waits; who comes
//! without having been asked is turned away.

use std::{collections::HashMap, sync::Mutex, time::Duration};

use palisade_control::{access::Way, fleet::HostName};
use palisade_sync::{
    FromServer, TunnelDown, TunnelReady, TunnelUp, TunnelWanted, from_server, limits::TUNNEL_ID_BYTES,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tonic::{Status, Streaming};

use super::lock;
use crate::{error::ApiError, fleet::Outgoing};

/// Hosts that are waited for at the same time.
const WAITING_MAX: usize = 64;
/// How long a host may take to come.
const ARRIVAL_TIMEOUT: Duration = Duration::from_secs(15);

type Number = [u8; TUNNEL_ID_BYTES];

/// Who is there, and who is waited for.
#[derive(Debug, Default)]
pub struct Desk {
    /// Connected hosts that open tunnels: number of the session, and the way to them.
    hosts: Mutex<HashMap<HostName, (u64, Outgoing)>>,
    waiting: Mutex<HashMap<Number, (HostName, oneshot::Sender<Line>)>>,
}

/// A host that has come.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) ready: TunnelReady,
    pub(crate) incoming: Streaming<TunnelUp>,
    pub(crate) outgoing: mpsc::Sender<Result<TunnelDown, Status>>,
}

impl Desk {
    /// A host has connected that opens tunnels.
    pub(crate) fn enter(&self, host: &HostName, session: u64, outgoing: Outgoing) {
        lock(&self.hosts).insert(host.clone(), (session, outgoing));
    }

    /// A session of a host has ended.
    pub(crate) fn leave(&self, host: &HostName, session: u64) {
        let mut hosts = lock(&self.hosts);
        if hosts.get(host).is_some_and(|(current, _)| *current == session) {
            hosts.remove(host);
        }
    }

    /// Asks a host for a tunnel, and waits until it has come.
    pub(super) async fn ask(&self, way: &Way, port: u16) -> Result<Line, ApiError> {
        let host = &way.host;
        let outgoing = lock(&self.hosts).get(host).map(|(_, outgoing)| outgoing.clone());
        let outgoing = outgoing.ok_or_else(|| {
            away(format!(
                "Host '{host}' is not connected to this server, or its agent is too old for tunnels. Look at `palisade hosts`, \
                 or ask another server."
            ))
        })?;
        let mut number: Number = [0; TUNNEL_ID_BYTES];
        getrandom::fill(&mut number).map_err(|_| ApiError::internal())?;
        let wanted = TunnelWanted {
            id: number.to_vec(),
            nic: way.nic.as_str().to_owned(),
            address: way.address.to_string(),
            port: port.into(),
        };
        let arrival = self.expect(number, host)?;
        let message = FromServer { message: Some(from_server::Message::TunnelWanted(wanted)) };
        let come = async {
            outgoing.send(Ok(message)).await.ok()?;
            arrival.await.ok()
        };
        let come = timeout(ARRIVAL_TIMEOUT, come).await;
        lock(&self.waiting).remove(&number);
        let late =
            || away(format!("Host '{host}' did not open the tunnel in {} s.", ARRIVAL_TIMEOUT.as_secs()));
        come.ok().flatten().ok_or_else(late)
    }

    fn expect(&self, number: Number, host: &HostName) -> Result<oneshot::Receiver<Line>, ApiError> {
        let mut waiting = lock(&self.waiting);
        if waiting.len() >= WAITING_MAX {
            return Err(away("Too many tunnels are being opened at once. Try again in a moment.".to_owned()));
        }
        let (arrived, arrival) = oneshot::channel();
        waiting.insert(number, (host.clone(), arrived));
        Ok(arrival)
    }

    /// A host has come.
    pub(crate) fn arrive(&self, host: &HostName, line: Line) -> Result<(), Status> {
        let unknown = || Status::not_found("nobody waits for this tunnel");
        let number = Number::try_from(&line.ready.id[..]).map_err(|_| unknown())?;
        let mut waiting = lock(&self.waiting);
        let is_asked = waiting.get(&number).is_some_and(|(asked, _)| asked == host);
        let (_, arrived) = waiting.remove(&number).filter(|_| is_asked).ok_or_else(unknown)?;
        arrived.send(line).map_err(|_| unknown())
    }
}

fn away(message: String) -> ApiError {
    ApiError::new(axum::http::StatusCode::SERVICE_UNAVAILABLE, "TunnelHostUnavailable", message)
}

//! From the request for a tunnel to bytes that flow.
//!
//! In this order: where it leads; the host is asked and says where it will connect from; the control plane opens exactly that way, if the
//! policies let it; the host has it in force; the host connects; the client is told. What fails after the way was opened closes
//! it again. All of it is a task of its own, so that a client who goes away in the middle leaves nothing open.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::http::StatusCode;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use palisade_control::{
    Action, Caller,
    access::{self as doors, Actor, Opening, Summary, TunnelVerb, Way},
    fleet::OperationState,
    kinds, time,
};
use palisade_model::{ResourceId, calendar::Moment};
use palisade_sync::{TunnelDown, TunnelGo, TunnelUp, tunnel_down, tunnel_up};
use serde_json::Value;
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, timeout},
};

use super::{
    Ending, Line,
    carry::{Limits, Passed, carry},
    watch::Watched,
};
use crate::{access::Principal, app::App, error::ApiError};

/// How long hosts may take to have the way in force.
const IN_FORCE_TIMEOUT: Duration = Duration::from_secs(15);
/// How long the host may take to connect: it gives up before.
const CONNECTED_TIMEOUT: Duration = Duration::from_secs(15);

/// Somebody asks for a tunnel.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) app: Arc<App>,
    pub(crate) principal: Principal,
    pub(crate) caller: Caller,
    /// A virtual machine or an interface.
    pub(crate) target: ResourceId,
    pub(crate) port: u16,
    pub(crate) seconds: Option<u32>,
    pub(crate) idle: u32,
    pub(crate) reason: String,
    pub(crate) ticket: Option<String>,
}

/// What the client is told of its tunnel.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) id: ResourceId,
    /// When it ends, RFC 3339.
    pub(crate) end: String,
}

/// Opens a tunnel on a connection, once that is no longer HTTP; it goes on by itself.
pub(crate) async fn open(request: Request, upgrade: OnUpgrade) -> Result<Opened, ApiError> {
    tokio::spawn(run(request, upgrade)).await.unwrap_or_else(|_| Err(ApiError::internal()))
}

/// Whether a tunnel would be opened: the host is asked as it would be, and the policies and intents judge; then the host is let go.
/// Left open is only whether the machine answers at the port.
pub(crate) async fn check(request: &Request) -> Result<(), ApiError> {
    let way = request.app.control.read(|world| doors::way(world, &request.target))?;
    let line = request.app.tunnels.desk().ask(&way, request.port).await?;
    let source = source_of(&line, &way)?;
    let action = begin(request, id_beside(&way.nic), way, source);
    Ok(request.app.control.rehearse(&request.caller, &action)?)
}

async fn run(request: Request, upgrade: OnUpgrade) -> Result<Opened, ApiError> {
    let place = request.app.tunnels.place().ok_or_else(|| {
        refused(
            StatusCode::SERVICE_UNAVAILABLE,
            "TunnelLimitReached",
            "The server has as many tunnels as it can.",
        )
    })?;
    let way = request.app.control.read(|world| doors::way(world, &request.target))?;
    let line = request.app.tunnels.desk().ask(&way, request.port).await?;
    let source = source_of(&line, &way)?;
    let begun = Begun::begin(request, way, source, place).await?;
    begun.connect(line, upgrade).await
}

/// The action that opens a way.
fn begin(request: &Request, id: ResourceId, way: Way, source: SocketAddr) -> Action {
    let opening = Opening {
        target: request.target.clone(),
        way,
        port: request.port,
        source,
        seconds: request.seconds,
        idle: request.idle,
        reason: request.reason.clone(),
        ticket: request.ticket.clone(),
    };
    Action::Tunnel { id, verb: TunnelVerb::Begin(Box::new(opening)), actor: actor(&request.caller) }
}

fn refused(status: StatusCode, code: &'static str, message: impl Into<String>) -> ApiError {
    ApiError::new(status, code, message)
}

/// Where the host will connect from.
fn source_of(line: &Line, way: &Way) -> Result<SocketAddr, ApiError> {
    let failed = |why: &str| {
        let message = format!("Host '{}' cannot open the tunnel: {why}.", way.host);
        refused(StatusCode::BAD_GATEWAY, "TunnelHostFailed", message)
    };
    if !line.ready.error.is_empty() {
        return Err(failed(&line.ready.error));
    }
    let address: Option<IpAddr> = line.ready.source_address.parse().ok();
    let port = u16::try_from(line.ready.source_port).ok().filter(|port| *port > 0);
    let source = address.zip(port).map(SocketAddr::from);
    source.ok_or_else(|| failed("it named no address that it connects from"))
}

/// A tunnel whose way is open.
struct Begun {
    request: Request,
    id: ResourceId,
    /// When it ends, in seconds since 1970, and as it is written.
    until: u64,
    end: String,
    since: u64,
    operation: Option<String>,
    _place: OwnedSemaphorePermit,
}

impl Begun {
    async fn begin(
        request: Request,
        way: Way,
        source: SocketAddr,
        place: OwnedSemaphorePermit,
    ) -> Result<Self, ApiError> {
        let since = time::unix_seconds(request.app.now());
        let id = id_beside(&way.nic);
        let action = begin(&request, id.clone(), way, source);
        let outcome = request.app.control.act(&request.caller, action).await?;
        let body = outcome.resource.unwrap_or(Value::Null);
        let end = body["properties"]["endTimeUtc"].as_str().unwrap_or_default().to_owned();
        let until = Moment::parse(&end).and_then(|end| u64::try_from(end.seconds).ok()).unwrap_or(since);
        Ok(Self { request, id, until, end, since, operation: outcome.operation, _place: place })
    }

    /// Lets the host connect, and hands everything to who carries.
    async fn connect(self, mut line: Line, upgrade: OnUpgrade) -> Result<Opened, ApiError> {
        if let Err(error) = self.reach(&mut line).await {
            self.finish(Ending::NotReached, Passed::default()).await;
            return Err(error);
        }
        let opened = Opened { id: self.id.clone(), end: self.end.clone() };
        tokio::spawn(self.carry(line, upgrade));
        Ok(opened)
    }

    async fn reach(&self, line: &mut Line) -> Result<(), ApiError> {
        self.in_force().await?;
        let seconds = self.until.saturating_sub(time::unix_seconds(self.request.app.now()));
        let go = TunnelGo { seconds: u32::try_from(seconds).unwrap_or(u32::MAX) };
        let go = TunnelDown { message: Some(tunnel_down::Message::Go(go)) };
        let gone = || refused(StatusCode::BAD_GATEWAY, "TunnelHostFailed", "The host has gone away.");
        line.outgoing.send(Ok(go)).await.map_err(|_| gone())?;
        match timeout(CONNECTED_TIMEOUT, line.incoming.message()).await {
            Ok(Ok(Some(TunnelUp { message: Some(tunnel_up::Message::Connected(_)) }))) => Ok(()),
            Ok(Ok(Some(TunnelUp { message: Some(tunnel_up::Message::Failed(why)) }))) => {
                let message = format!(
                    "Port {} of {} cannot be reached: {why}.",
                    self.request.port, self.request.target
                );
                Err(refused(StatusCode::BAD_GATEWAY, "TunnelMachineUnreachable", message))
            }
            _ => Err(gone()),
        }
    }

    /// Waits until the kernel lets the host through.
    async fn in_force(&self) -> Result<(), ApiError> {
        let Some(operation) = &self.operation else { return Ok(()) };
        let until = Instant::now() + IN_FORCE_TIMEOUT;
        let why = match self.request.app.control.fleet().wait(operation, until).await {
            Some(OperationState::Succeeded) => return Ok(()),
            Some(OperationState::Failed { message, .. }) => message,
            Some(OperationState::InProgress) | None => {
                format!("its host has not put it in force in {} s", IN_FORCE_TIMEOUT.as_secs())
            }
        };
        let message = format!("The way of the tunnel is not open: {why}");
        Err(refused(StatusCode::BAD_GATEWAY, "TunnelHostFailed", message))
    }

    async fn carry(self, line: Line, upgrade: OnUpgrade) {
        let Ok(client) = upgrade.await else {
            return self.finish(Ending::ClientGone, Passed::default()).await;
        };
        let left = self.until.saturating_sub(time::unix_seconds(self.request.app.now()));
        let limits = Limits {
            until: Instant::now() + Duration::from_secs(left),
            idle: Duration::from_secs(self.request.idle.into()),
        };
        let watched = Watched {
            app: Arc::clone(&self.request.app),
            id: self.id.clone(),
            principal: self.request.principal.clone(),
            target: self.request.target.clone(),
            since: self.since,
        };
        let client = TokioIo::new(client);
        let (ending, passed) = carry(client, line.incoming, line.outgoing, limits, watched.ended()).await;
        self.finish(ending, passed).await;
    }

    /// Closes the way, and writes down what became of it.
    async fn finish(&self, ending: Ending, passed: Passed) {
        let Passed { to_machine, from_machine } = passed;
        let verb = TunnelVerb::End(Summary { why: ending.name(), to_machine, from_machine });
        let action = Action::Tunnel { id: self.id.clone(), verb, actor: actor(&self.request.caller) };
        // If the store is away, the way ends at its time all the same.
        let _unwritten = self.request.app.control.act(&self.request.caller, action).await;
    }
}

fn actor(caller: &Caller) -> Actor {
    Actor { id: caller.principal.clone(), name: caller.name.clone(), address: caller.address.clone() }
}

/// A new id in the group of an interface.
fn id_beside(nic: &ResourceId) -> ResourceId {
    let group = nic.as_str().split("/providers/").next().unwrap_or_default();
    let name = &uuid::Uuid::new_v4().simple().to_string()[..12];
    ResourceId::new(&format!("{group}/providers/{}/{name}", kinds::TUNNEL))
}

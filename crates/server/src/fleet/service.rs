//! The calls of the protocol: join, renew, and the session.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use palisade_control::fleet::{self, HostName};
use palisade_control::{Caller, ControlError};
use palisade_sync::enrollment_server::Enrollment;
use palisade_sync::fleet_server::Fleet;
use palisade_sync::limits::TUNNEL_WAITING_MAX;
use palisade_sync::{
    Certificate, FromAgent, FromServer, JoinRequest, RenewRequest, TunnelDown, TunnelUp, tunnel_up,
};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::event::FleetEvent;
use super::hub::Hub;
use super::{peer, session};
use crate::tls::SignedHost;
use crate::tunnels::Line;

/// How long a host may take to say which tunnel it opens.
const READY_TIMEOUT: Duration = Duration::from_secs(10);

/// Both services of the protocol.
#[derive(Clone)]
pub(super) struct Service {
    hub: Arc<Hub>,
}

impl Service {
    pub(super) const fn new(hub: Arc<Hub>) -> Self {
        Self { hub }
    }

    /// Tells a refusal to the operator too.
    fn refuse<T>(&self, request: &Request<T>, status: Status) -> Status {
        let why = status.message().to_owned();
        self.hub.tell(FleetEvent::Refused { address: request.remote_addr(), why });
        status
    }

    fn sign(&self, host: &HostName, request: &str) -> Result<SignedHost, Status> {
        let signed = self.hub.authority().sign_host(request, host.as_str(), self.hub.control().now());
        signed.map_err(|error| Status::invalid_argument(error.to_string()))
    }

    fn certificate(&self, signed: SignedHost) -> Response<Certificate> {
        let authority = self.hub.authority().pem().to_owned();
        Response::new(Certificate { certificate: signed.pem, authority })
    }

    async fn try_join(
        &self,
        caller: &Caller,
        request: &JoinRequest,
    ) -> Result<Response<Certificate>, Status> {
        let host: HostName = request.host.parse().map_err(|error: palisade_sync::host::HostNameError| {
            Status::invalid_argument(error.to_string())
        })?;
        let refused = |error: ControlError| peer::status(&error);
        fleet::may_join(self.hub.control(), &request.token, &host).map_err(refused)?;
        let signed = self.sign(&host, &request.request)?;
        let certificate = record(&signed);
        let joined = fleet::join(self.hub.control(), caller, &request.token, &host, certificate).await;
        joined.map_err(refused)?;
        self.hub.tell(FleetEvent::Joined { host });
        Ok(self.certificate(signed))
    }
}

#[tonic::async_trait]
impl Enrollment for Service {
    async fn join(&self, request: Request<JoinRequest>) -> Result<Response<Certificate>, Status> {
        let caller = caller(&request, request.get_ref().host.as_str());
        let joined = self.try_join(&caller, request.get_ref()).await;
        joined.map_err(|status| self.refuse(&request, status))
    }
}

#[tonic::async_trait]
impl Fleet for Service {
    async fn renew(&self, request: Request<RenewRequest>) -> Result<Response<Certificate>, Status> {
        let peer =
            peer::identify(self.hub.control(), &request).map_err(|status| self.refuse(&request, status))?;
        let caller = caller(&request, peer.host.as_str());
        let signed = self.sign(&peer.host, &request.get_ref().request)?;
        let renewed = fleet::renew(self.hub.control(), &caller, &peer.host, record(&signed)).await;
        renewed.map_err(|error| peer::status(&error))?;
        Ok(self.certificate(signed))
    }

    type SyncStream = Pin<Box<dyn Stream<Item = Result<FromServer, Status>> + Send>>;

    async fn sync(
        &self,
        request: Request<Streaming<FromAgent>>,
    ) -> Result<Response<Self::SyncStream>, Status> {
        let peer =
            peer::identify(self.hub.control(), &request).map_err(|status| self.refuse(&request, status))?;
        let caller = caller(&request, peer.host.as_str());
        let outgoing = session::open(Arc::clone(&self.hub), peer, caller, request.into_inner());
        Ok(Response::new(Box::pin(outgoing)))
    }

    type TunnelStream = ReceiverStream<Result<TunnelDown, Status>>;

    async fn tunnel(
        &self,
        request: Request<Streaming<TunnelUp>>,
    ) -> Result<Response<Self::TunnelStream>, Status> {
        let peer =
            peer::identify(self.hub.control(), &request).map_err(|status| self.refuse(&request, status))?;
        let mut incoming = request.into_inner();
        let first = timeout(READY_TIMEOUT, incoming.message()).await;
        let first = first.map_err(|_| Status::deadline_exceeded("the host did not say which tunnel"))??;
        let Some(tunnel_up::Message::Ready(ready)) = first.and_then(|first| first.message) else {
            return Err(Status::invalid_argument("the first message must be ready"));
        };
        let (outgoing, stream) = mpsc::channel(TUNNEL_WAITING_MAX);
        self.hub.options().desk.arrive(&peer.host, Line { ready, incoming, outgoing })?;
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

/// Who calls, for the audit log.
fn caller<T>(request: &Request<T>, host: &str) -> Caller {
    Caller {
        principal: format!("host/{host}"),
        name: host.to_owned(),
        address: request.remote_addr().map(|address| address.ip().to_string()).unwrap_or_default(),
        correlation: uuid::Uuid::new_v4().to_string(),
        ..Caller::default()
    }
}

/// A signed certificate, as the store keeps it.
fn record(signed: &SignedHost) -> fleet::HostCertificate {
    fleet::HostCertificate { serial: signed.serial.clone(), not_after: signed.not_after }
}

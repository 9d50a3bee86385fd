//! Who is at the other end of a call, and how refusals are told there.
//!
//! A certificate of our authority is not enough: the record of its host must list it, so that a revoked or removed host is
//! refused at once, on every server.

use palisade_control::fleet::{HostName, HostRecord};
use palisade_control::{Control, ControlError};
use tonic::{Code, Request, Status};

use crate::tls::host_of;

/// A host that may speak.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub(super) host: HostName,
    /// Serial number of its certificate.
    pub(super) serial: String,
}

/// The host that makes a call.
pub(super) fn identify<T>(control: &Control, request: &Request<T>) -> Result<Peer, Status> {
    let certificates = request.peer_certs();
    let first = certificates.as_ref().and_then(|certificates| certificates.first());
    let Some(certificate) = first else {
        return Err(Status::unauthenticated("no host certificate was shown (join with a token first)"));
    };
    let identity = host_of(certificate).and_then(|own| Some((own.host.parse().ok()?, own.serial)));
    let Some((host, serial)) = identity else {
        return Err(Status::unauthenticated("the certificate names no host"));
    };
    let peer = Peer { host, serial };
    if peer.is_admitted(control) {
        return Ok(peer);
    }
    Err(Status::permission_denied(format!(
        "the certificate of host \"{}\" is revoked or was replaced (remove the host and join again)",
        peer.host
    )))
}

impl Peer {
    /// Whether the host may speak now.
    pub(super) fn is_admitted(&self, control: &Control) -> bool {
        let admits = |record: HostRecord| record.admits(&self.serial);
        control.read(|world| world.record(&self.host.key()).and_then(HostRecord::read).is_some_and(admits))
    }
}

/// A refusal of the control plane, as gRPC tells it.
pub(super) fn status(error: &ControlError) -> Status {
    let code = match error.status {
        400 | 413 => Code::InvalidArgument,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::NotFound,
        409 => Code::AlreadyExists,
        503 | 507 => Code::Unavailable,
        _ => Code::Internal,
    };
    Status::new(code, error.message.clone())
}

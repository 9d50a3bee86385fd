//! Between the words of the protocol and those of the control plane.

use data_encoding::HEXLOWER;
use palisade_control::fleet::{HostReport, Interface, NicStatus};
use palisade_sync::limits::{FLOW_WINDOW, INTERFACES_MAX, NICS_MAX};
use palisade_sync::{Change, FlowsKept, FromServer, Hash, InSync, Inventory, Report, Reset, from_server};
use tonic::Status;

/// A report as the board keeps it.
pub(super) fn report(report: Report) -> Result<HostReport, Status> {
    if report.nics.len() > NICS_MAX {
        return Err(too_many("NICs in a report", report.nics.len(), NICS_MAX));
    }
    let nic = |nic: palisade_sync::NicReport| NicStatus {
        id: nic.id,
        interface: nic.interface,
        error: nic.error,
        policy: HEXLOWER.encode(&nic.policy),
    };
    Ok(HostReport {
        applied: report.applied_revision,
        hash: HEXLOWER.encode(&report.applied_hash),
        seen: report.seen_revision,
        error: report.error,
        nics: report.nics.into_iter().map(nic).collect(),
    })
}

/// An inventory as the store keeps it; the control plane checks the rest.
pub(super) fn inventory(inventory: Inventory) -> Result<Vec<Interface>, Status> {
    let count = inventory.interfaces.len();
    if count > INTERFACES_MAX {
        return Err(too_many("interfaces in an inventory", count, INTERFACES_MAX));
    }
    let interface = |own: palisade_sync::Interface| Interface {
        name: own.name,
        alias: own.alias,
        macs: own.macs,
        note: own.note,
    };
    Ok(inventory.interfaces.into_iter().map(interface).collect())
}

/// How far a host's flow records are durable; at first no stream has any.
pub(super) fn flows_kept(stream: Vec<u8>, sequence: u64) -> FromServer {
    let kept = FlowsKept { window: FLOW_WINDOW, stream, sequence };
    FromServer { message: Some(from_server::Message::FlowsKept(kept)) }
}

fn too_many(what: &str, count: usize, limit: usize) -> Status {
    Status::invalid_argument(format!("{count} {what}, more than {limit}"))
}

pub(super) const fn reset() -> FromServer {
    FromServer { message: Some(from_server::Message::Reset(Reset {})) }
}

pub(super) const fn change(change: Change) -> FromServer {
    FromServer { message: Some(from_server::Message::Change(change)) }
}

pub(super) fn in_sync(revision: u64, hash: &Hash) -> FromServer {
    let in_sync = InSync { revision, hash: hash.to_vec() };
    FromServer { message: Some(from_server::Message::InSync(in_sync)) }
}

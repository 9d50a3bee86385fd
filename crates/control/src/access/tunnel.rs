//! Tunnels as documents: `Palisade.Access/tunnels`, one for each that is open, in the group of the interface that it leads to.
//!
//! A tunnel opens one way: from one address and port of the host to one port of the machine, until its end. The document is what
//! opens it, so it is gone from the kernel when the document is, and at its end if nobody is left to take it away. Who moves
//! the bytes is a server's to say. Reference: docs/connect.md.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use palisade_guard::access::AccessRule;
use palisade_model::{ResourceId, calendar::Moment};
use palisade_net::{Prefix, ProtocolMatch};
use serde_json::Value;

use super::doors::interfaces;
use super::ledger;
use crate::fleet::HostName;
use crate::kinds::{NIC, TUNNEL, VM};
use crate::world::Document;
use crate::{ControlError, World};

/// Tunnels that are open at the same time, of all servers of a store.
pub const TUNNELS_MAX: usize = 256;
/// Those to the machines of one host.
pub const TUNNELS_PER_HOST_MAX: usize = 64;
/// Those of one principal.
pub const TUNNELS_PER_PRINCIPAL_MAX: usize = 16;

/// What is done with a tunnel.
#[derive(Debug, Clone, PartialEq)]
pub enum TunnelVerb {
    /// It begins: the way is opened.
    Begin(Box<Opening>),
    /// It has ended: the way is closed, and the audit log is told what it was.
    End(Summary),
}

/// A tunnel that is about to begin.
#[derive(Debug, Clone, PartialEq)]
pub struct Opening {
    /// The virtual machine or interface that was asked for.
    pub target: ResourceId,
    /// Where it leads.
    pub way: Way,
    /// The port.
    pub port: u16,
    /// Where the host will connect from: nobody else is let in.
    pub source: SocketAddr,
    /// For how many seconds; without it, for the usual time.
    pub seconds: Option<u32>,
    /// After how many seconds without a byte it ends.
    pub idle: u32,
    /// Why.
    pub reason: String,
    /// The ticket that it belongs to.
    pub ticket: Option<String>,
}

/// Where a tunnel to a machine leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// The interface.
    pub nic: ResourceId,
    /// Its address.
    pub address: IpAddr,
    /// The host that it is on.
    pub host: HostName,
}

/// What became of a tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Why it ended.
    pub why: &'static str,
    /// Bytes that the machine was sent.
    pub to_machine: u64,
    /// Bytes that came from it.
    pub from_machine: u64,
}

/// Why a tunnel may not stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// Somebody has deleted it.
    Revoked,
    /// The request that it rests on is open no more.
    RequestEnded,
}

/// Where a tunnel to a virtual machine or an interface leads.
///
/// # Errors
/// There is no such resource, or it has no interface, address or host.
pub fn way(world: &World, target: &ResourceId) -> Result<Way, ControlError> {
    let nic = nic_of(world, target)?;
    let unready =
        |code: &'static str, what: String| ControlError::new(409, code, what).about(nic.id().as_str());
    let address = address_of(nic).ok_or_else(|| {
        unready(
            "TunnelWithoutAddress",
            format!("Interface {} has no private address that is known.", nic.id()),
        )
    })?;
    let hosts: Vec<HostName> = world.bindings().hosts(nic).into_iter().collect();
    match &hosts[..] {
        [host] => Ok(Way { nic: nic.id().clone(), address, host: host.clone() }),
        [] => Err(unready("TunnelWithoutHost", format!("Interface {} is on no host.", nic.id()))),
        _ => Err(unready(
            "TunnelWithoutHost",
            format!("Interface {} is on several hosts: tag it with the one (palisade-host).", nic.id()),
        )),
    }
}

/// The interface that is meant: itself, or of a machine the primary one, else the first.
fn nic_of<'w>(world: &'w World, target: &ResourceId) -> Result<&'w Document, ControlError> {
    let missing = || ControlError::not_found(target);
    if let Some(nic) = world.document(target).filter(|document| document.kind().name == NIC) {
        return Ok(nic);
    }
    let machine = world.document(target).filter(|document| document.kind().name == VM);
    let all: BTreeSet<ResourceId> = interfaces(world, target);
    if machine.is_none() && all.is_empty() {
        return Err(missing());
    }
    let named = machine.into_iter().flat_map(|machine| {
        machine.properties()["networkProfile"]["networkInterfaces"].as_array().into_iter().flatten()
    });
    let is_primary = |entry: &&Value| entry["primary"] == true || entry["properties"]["primary"] == true;
    let primary = named.filter(is_primary).find_map(|entry| Some(ResourceId::new(entry["id"].as_str()?)));
    let nic = primary.filter(|id| all.contains(id)).or_else(|| all.first().cloned());
    let without = || {
        let message = format!("No network interface belongs to {target}.");
        ControlError::new(409, "TunnelWithoutInterface", message).about(target.as_str())
    };
    nic.and_then(|id| world.document(&id)).map(|nic| &**nic).ok_or_else(without)
}

/// The address of an interface: of its primary configuration, else of the first that has one.
fn address_of(nic: &Document) -> Option<IpAddr> {
    let all = || nic.properties()["ipConfigurations"].as_array().into_iter().flatten();
    let address = |one: &Value| one["properties"]["privateIPAddress"].as_str()?.parse().ok();
    let primary = all().filter(|one| one["properties"]["primary"] == true).find_map(address);
    primary.or_else(|| all().find_map(address))
}

/// Whether a tunnel may stay.
pub fn stands(world: &World, id: &ResourceId, now: u64) -> Result<(), Gone> {
    let tunnel = world.document(id).filter(|document| document.kind().name == TUNNEL).ok_or(Gone::Revoked)?;
    let own = tunnel.properties();
    let (Some(policy), Some(request)) = (own["policy"].as_str(), own["request"].as_str()) else {
        return Ok(());
    };
    let holds = || {
        let policy = world.document(&ResourceId::new(policy))?;
        let machine = ResourceId::new(own["virtualMachine"]["id"].as_str()?);
        Some(ledger(policy.properties()).ok()?.holds(
            request,
            &machine,
            port_of(tunnel)?,
            super::seconds(now),
        ))
    };
    if holds() == Some(true) { Ok(()) } else { Err(Gone::RequestEnded) }
}

/// All tunnels that are written down.
pub fn tunnels(world: &World) -> Vec<ResourceId> {
    world.of_kind(TUNNEL).cloned().collect()
}

/// The ways that tunnels open at an interface.
pub(super) fn rules(world: &World, nic: &Document) -> Vec<AccessRule> {
    let tunnels = world.naming(nic.id()).filter(|document| document.kind().name == TUNNEL);
    tunnels.filter_map(|tunnel| rule(tunnel)).collect()
}

fn rule(tunnel: &Document) -> Option<AccessRule> {
    let own = tunnel.properties();
    let source: IpAddr = own["sourceAddress"].as_str()?.parse().ok()?;
    Some(AccessRule {
        name: format!("tunnel-{}", tunnel.id().name()),
        port: port_of(tunnel)?,
        protocol: ProtocolMatch::TCP,
        open: Some((vec![Prefix::host(source)], end_of(tunnel)?)),
        source_port: Some(own["sourcePort"].as_u64().and_then(|port| u16::try_from(port).ok())?),
    })
}

fn port_of(tunnel: &Document) -> Option<u16> {
    tunnel.properties()["port"].as_u64().and_then(|port| u16::try_from(port).ok())
}

/// The first second in which a tunnel is closed.
pub(crate) fn end_of(tunnel: &Document) -> Option<u32> {
    Moment::parse(tunnel.properties()["endTimeUtc"].as_str()?).and_then(Moment::rounded_down)
}

//! What the lab asks of those who know policy: put this estate in force, and say what should happen.
//!
//! The lab itself has no opinion. The command line wires these traits to the agent and to the oracle.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::probe::Transport;

/// The files that describe a lab's estate, on disk and ready to be read.
#[derive(Debug, Clone)]
pub struct EstateFiles {
    /// The ARM template.
    pub template: PathBuf,
    /// Its parameters. Only this file changes when a lab changes its policy.
    pub parameters: PathBuf,
    /// The service tags, in Microsoft's format.
    pub service_tags: PathBuf,
}

/// Puts policy in force on the machines of a lab.
pub trait Enforcer {
    /// Returns when all of the estate, and nothing of an earlier one, is in force; the answer is its generation.
    fn enforce(&mut self, estate: &EstateFiles) -> anyhow::Result<u64>;
}

/// Says what policy decides, without sending anything.
pub trait Predictor {
    /// Reads the estate; later questions are about this one.
    fn load(&mut self, estate: &EstateFiles) -> anyhow::Result<()>;

    /// Judges a new connection at one NIC.
    fn predict(&mut self, flow: &Flow) -> anyhow::Result<Prediction>;
}

/// Seen from the machine that has the NIC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Towards the machine.
    Inbound,
    /// From the machine.
    Outbound,
}

/// A new connection as one NIC sees it: private addresses, whatever the router translates outside.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Flow {
    /// The NIC's name in the template.
    pub nic: &'static str,
    /// Which way the first packet goes.
    pub direction: Direction,
    /// The protocol. An echo request is ICMP over IPv4 and ICMPv6 over IPv6, as the addresses tell.
    pub transport: Transport,
    /// The machine's own address.
    pub local: IpAddr,
    /// The other side's address.
    pub remote: IpAddr,
    /// The port that is knocked at, on whichever side the destination is; for ICMP the type of an echo request.
    pub destination_port: u16,
    /// The port of the sender, on the other side; any value of the ephemeral range stands for all of them.
    pub source_port: u16,
}

/// What policy decides about a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prediction {
    /// Whether it may pass.
    pub is_allowed: bool,
    /// Which rule decided, as people should read it: `web-nsg/allow-web`.
    pub rule: String,
}

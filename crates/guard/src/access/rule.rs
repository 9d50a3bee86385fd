//! What follows for packets to a machine: doors are closed, and grants open them.

use palisade_net::{Prefix, ProtocolMatch};

/// A rule for connections to a machine. Of several that match a packet, the first decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRule {
    /// Its name: the request's and the port for one that opens, the port for one that closes.
    pub name: String,
    /// The port.
    pub port: u16,
    /// The protocol.
    pub protocol: ProtocolMatch,
    /// From whom until when, if it opens the door; `None` if it closes it to everybody.
    pub open: Option<(Vec<Prefix>, u32)>,
    /// The only port that it opens the door to, if it is one connection's.
    pub source_port: Option<u16>,
}

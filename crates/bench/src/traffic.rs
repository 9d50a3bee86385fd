//! The packets that are measured: TCP between clients and the machine's service.

use palisade_net::{
    Family,
    packet::{Packet, TcpFlags, Transport},
};

use crate::{
    kernel::flows::Flows,
    rules::{SERVICE_PORT, clients, machine},
    site::Site,
};

/// Flows whose packets all differ: 2^30, of 32,768 clients with 32,768 ports each.
pub const NEW: Flows = Flows { bits: 30, port_bits: 15, port: 32_768, address: 0 };

/// 2 to the power of `bits` connections from 2 to the power of `port_bits` ports of as many clients as that takes; none of
/// them is among [`NEW`].
pub const fn connections(bits: u32, port_bits: u32) -> Flows {
    Flows { bits, port_bits, port: 1_024, address: 0 }
}

/// A packet from the first client to the machine's service.
pub fn inward(family: Family, flows: Flows, flags: TcpFlags) -> Packet {
    let transport = Transport::Tcp { source_port: flows.port, destination_port: SERVICE_PORT, flags };
    let (source, destination) = Site::inward_macs();
    Packet::new(clients(family).address(), machine(family), transport).between(source, destination)
}

/// A packet from the machine's service to the first client.
pub fn outward(family: Family, flows: Flows, flags: TcpFlags) -> Packet {
    let transport = Transport::Tcp { source_port: SERVICE_PORT, destination_port: flows.port, flags };
    let (source, destination) = Site::outward_macs();
    Packet::new(machine(family), clients(family).address(), transport).between(source, destination)
}

/// A datagram from the first client to the machine's service.
pub fn datagram(family: Family, flows: Flows) -> Packet {
    let transport = Transport::Udp { source_port: flows.port, destination_port: SERVICE_PORT };
    let (source, destination) = Site::inward_macs();
    Packet::new(clients(family).address(), machine(family), transport).between(source, destination)
}

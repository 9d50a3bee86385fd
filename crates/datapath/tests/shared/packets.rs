//! Packets in one line. What is not said is as `palisade_net::packet::Packet` has it.

use std::net::SocketAddr;

use palisade_net::{
    Family, Protocol,
    packet::{IcmpBody, Packet, TcpFlags, Transport},
};

fn socket(text: &str) -> SocketAddr {
    text.parse().expect("address:port")
}

fn between(source: SocketAddr, destination: SocketAddr, transport: Transport) -> Packet {
    Packet::new(source.ip(), destination.ip(), transport)
}

/// A TCP segment; flags by their first letters: `S`, `SA`, `A`, `FA`, `R`.
pub fn tcp(source: &str, destination: &str, flags: &str) -> Packet {
    let (source, destination) = (socket(source), socket(destination));
    let flags = flags.chars().fold(TcpFlags::default(), |all, flag| {
        all.with(match flag {
            'S' => TcpFlags::SYN,
            'A' => TcpFlags::ACK,
            'F' => TcpFlags::FIN,
            'R' => TcpFlags::RST,
            other => panic!("no flag: {other}"),
        })
    });
    let ports = (source.port(), destination.port());
    between(source, destination, Transport::Tcp { source_port: ports.0, destination_port: ports.1, flags })
}

/// A UDP datagram.
pub fn udp(source: &str, destination: &str) -> Packet {
    let (source, destination) = (socket(source), socket(destination));
    let ports = (source.port(), destination.port());
    between(source, destination, Transport::Udp { source_port: ports.0, destination_port: ports.1 })
}

/// An ICMP message of the addresses' family.
pub fn icmp(source: &str, destination: &str, kind: u8, body: IcmpBody) -> Packet {
    let (source, destination) =
        (source.parse().expect("an address"), destination.parse().expect("an address"));
    Packet::new(source, destination, Transport::Icmp { family: Family::of(source), kind, code: 0, body })
}

/// A packet of another protocol.
pub fn other(source: &str, destination: &str, protocol: u8) -> Packet {
    let (source, destination) =
        (source.parse().expect("an address"), destination.parse().expect("an address"));
    Packet::new(source, destination, Transport::Other(Protocol(protocol)))
}

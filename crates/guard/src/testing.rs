//! Connections for tests, from few words.

use std::net::{IpAddr, Ipv4Addr};

use palisade_model::FlowTraffic;
use palisade_net::{Direction, Flow, Protocol};

use crate::{Alert, Connection, Outcome, Stage, connection::Sight};

/// An address of the guarded network for small numbers, and one outside for numbers from 65,536.
pub(crate) fn host(number: u32) -> IpAddr {
    let base = if number < 65_536 { 0x0a00_0000 } else { 0xcb00_0000 };
    Ipv4Addr::from_bits(base + number % 65_536).into()
}

/// A TCP connection that starts at a second and lasts another.
pub(crate) fn tcp(
    second: u64,
    source: IpAddr,
    destination: IpAddr,
    port: u16,
    outcome: Outcome,
) -> Connection {
    let direction = if is_home(source) { Direction::Outbound } else { Direction::Inbound };
    let flow =
        Flow::new(direction, Protocol::TCP, (source, 40_000), (destination, port)).expect("one family");
    let start_ms = second * 1_000;
    Connection { start_ms, end_ms: start_ms + 1_000, flow, outcome, traffic: None, stage: Stage::Over }
}

/// The same with packets and bytes each way.
pub(crate) fn counted(connection: Connection, there: (u64, u64), back: (u64, u64)) -> Connection {
    let traffic = FlowTraffic {
        packets_to_destination: there.0,
        bytes_to_destination: there.1,
        packets_to_source: back.0,
        bytes_to_source: back.1,
    };
    Connection { traffic: Some(traffic), ..connection }
}

fn is_home(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(v4) if v4.octets()[0] == 10)
}

/// What a detector says of connections, one after the other.
pub(crate) fn told(
    connections: impl IntoIterator<Item = Connection>,
    mut observe: impl FnMut(&Sight<'_>, &mut Vec<Alert>),
) -> Vec<Alert> {
    let mut alerts = Vec::new();
    for connection in connections {
        observe(&Sight::new(&connection, connection.end_ms), &mut alerts);
    }
    alerts
}

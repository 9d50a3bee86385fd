//! Where a tunnel leads, and from where this host connects there.
//!
//! The address must be one of the interface as the documents that this host enforces have it: who asks for another is refused, so
//! that a tunnel is no way into the host's own network.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use palisade_sync::{Documents, TunnelWanted};
use serde_json::Value;
use tokio::net::{TcpSocket, TcpStream};

/// A port of a machine of this host.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place(SocketAddr);

/// A socket that has an address and is not connected yet.
#[derive(Debug)]
pub(super) struct Bound {
    socket: TcpSocket,
    source: SocketAddr,
    to: SocketAddr,
}

impl Place {
    /// The place that is asked for, if it is a machine's of these documents.
    pub(super) fn find(wanted: &TunnelWanted, documents: &Documents) -> Result<Self, String> {
        let address: IpAddr =
            wanted.address.parse().map_err(|_| format!("\"{}\" is no address", wanted.address))?;
        let port = u16::try_from(wanted.port).ok().filter(|port| *port > 0);
        let port = port.ok_or_else(|| format!("{} is no port", wanted.port))?;
        let nic = documents.get(&wanted.nic.to_ascii_lowercase());
        let nic = nic.and_then(|entry| serde_json::from_slice::<Value>(entry.body()).ok());
        let nic = nic.ok_or_else(|| format!("interface {} is not enforced by this host", wanted.nic))?;
        let configurations = nic["properties"]["ipConfigurations"].as_array().into_iter().flatten();
        let mut own = configurations.filter_map(|one| one["properties"]["privateIPAddress"].as_str());
        if own.any(|own| own.parse() == Ok(address)) {
            return Ok(Self(SocketAddr::new(address, port)));
        }
        Err(format!("{address} is no address of interface {}", wanted.nic))
    }

    /// Takes an address and a port of this host to connect from.
    pub(super) fn bind(self) -> Result<Bound, String> {
        bind(self.0).map_err(|error| format!("this host has no way to {}: {error}", self.0))
    }
}

fn bind(to: SocketAddr) -> io::Result<Bound> {
    let (any, socket) = match to {
        SocketAddr::V4(_) => (IpAddr::V4(Ipv4Addr::UNSPECIFIED), TcpSocket::new_v4()?),
        SocketAddr::V6(_) => (IpAddr::V6(Ipv6Addr::UNSPECIFIED), TcpSocket::new_v6()?),
    };
    // The kernel tells the address that it would send from; no packet is sent.
    let route = UdpSocket::bind((any, 0))?;
    route.connect(to)?;
    socket.bind(SocketAddr::new(route.local_addr()?.ip(), 0))?;
    socket.set_nodelay(true)?;
    Ok(Bound { source: socket.local_addr()?, socket, to })
}

impl Bound {
    /// Where the connection will come from.
    pub(super) const fn source(&self) -> SocketAddr {
        self.source
    }

    /// Connects.
    pub(super) async fn connect(self) -> io::Result<TcpStream> {
        self.socket.connect(self.to).await
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use palisade_sync::{Change, Document};
    use serde_json::json;

    use super::*;

    const NIC: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkInterfaces/n";

    fn documents() -> Documents {
        let address = json!({"privateIPAddress": "10.0.0.4"});
        let body = json!({"properties": {"ipConfigurations": [{"properties": {}}, {"properties": address}]}});
        let mut documents = Documents::default();
        let document = Document { key: NIC.to_ascii_lowercase(), body: Bytes::from(body.to_string()) };
        let change = Change { documents: vec![document], removed: Vec::new() };
        documents.apply(change).expect("it is small");
        documents
    }

    #[test]
    fn a_tunnel_leads_to_an_address_of_an_interface_of_this_host_only() {
        let find = |nic: &str, address: &str, port| {
            let wanted =
                TunnelWanted { id: Vec::new(), nic: nic.to_owned(), address: address.to_owned(), port };
            Place::find(&wanted, &documents())
        };
        assert_eq!(find(NIC, "10.0.0.4", 22), Ok(Place("10.0.0.4:22".parse().expect("an address"))));
        for (nic, address, port) in [
            (NIC, "10.0.0.5", 22),
            (NIC, "127.0.0.1", 22),
            (NIC, "", 22),
            (NIC, "10.0.0.4", 0),
            (NIC, "10.0.0.4", 65_536),
            ("/subscriptions/s", "10.0.0.4", 22),
        ] {
            assert!(find(nic, address, port).is_err(), "{nic} {address} {port}");
        }
    }

    #[test]
    fn the_port_is_known_before_anybody_is_connected_to() {
        let bound = bind("127.0.0.1:1".parse().expect("an address")).expect("there is a way to oneself");
        assert_eq!(bound.source().ip(), IpAddr::V4(Ipv4Addr::LOCALHOST));
        assert_ne!(bound.source().port(), 0);
    }
}

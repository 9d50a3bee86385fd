//! Transport headers, of whole packets and of packets that an ICMP error quotes.

use super::{
    Fragment, ICMP_BYTES, IcmpBody, ParseError, Quoted, TCP_BYTES, TcpFlags, Transport, UDP_BYTES,
    icmp::Class,
    network::{self, Extent},
};
use crate::{Family, Protocol};

/// Reads the transport header at the start of `body`; also returns its size.
pub(super) fn whole(
    family: Family,
    protocol: Protocol,
    body: &[u8],
    fragment: Fragment,
) -> Result<(Transport, usize), ParseError> {
    match protocol {
        Protocol::TCP => tcp(body),
        Protocol::UDP => udp(body, fragment == Fragment::None).map(|udp| (udp, UDP_BYTES)),
        _ => match protocol.icmp_family() {
            Some(own) => icmp(family, own, body).map(|icmp| (icmp, ICMP_BYTES)),
            None => Ok((Transport::Other(protocol), 0)),
        },
    }
}

fn tcp(body: &[u8]) -> Result<(Transport, usize), ParseError> {
    let short = ParseError::Malformed("the TCP header is cut off");
    let fixed = body.first_chunk::<TCP_BYTES>().ok_or(short)?;
    let size = usize::from(fixed[12] >> 4) * 4;
    if size < TCP_BYTES || size > body.len() {
        return Err(ParseError::Malformed("the TCP header has an impossible length"));
    }
    let (source_port, destination_port) = ports(fixed);
    Ok((Transport::Tcp { source_port, destination_port, flags: TcpFlags(fixed[13]) }, size))
}

/// Reads a UDP header; if all of the datagram `is_there`, it must be as long as it says.
fn udp(body: &[u8], is_there: bool) -> Result<Transport, ParseError> {
    let short = ParseError::Malformed("the UDP header is cut off");
    let header = body.first_chunk::<UDP_BYTES>().ok_or(short)?;
    let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
    if length < UDP_BYTES || (is_there && length > body.len()) {
        return Err(ParseError::Malformed("the UDP length contradicts the packet's"));
    }
    let (source_port, destination_port) = ports(header);
    Ok(Transport::Udp { source_port, destination_port })
}

/// Reads an ICMP message of the family `own` in a packet of `family`, and what it quotes if it belongs there.
fn icmp(family: Family, own: Family, body: &[u8]) -> Result<Transport, ParseError> {
    let mut message = icmp_header(own, body)?;
    if let Transport::Icmp { body: IcmpBody::Error(about), .. } = &mut message
        && own == family
    {
        *about = quoted(family, &body[ICMP_BYTES..]).ok().map(Box::new);
    }
    Ok(message)
}

/// Reads an ICMP header without what an error quotes.
fn icmp_header(family: Family, body: &[u8]) -> Result<Transport, ParseError> {
    let short = ParseError::Malformed("the ICMP header is cut off");
    let [kind, code, _, _, id_high, id_low, _, _] = *body.first_chunk::<ICMP_BYTES>().ok_or(short)?;
    let body = match Class::of(family, kind) {
        Class::Query => IcmpBody::Query { id: u16::from_be_bytes([id_high, id_low]) },
        Class::Error => IcmpBody::Error(None),
        Class::Other => IcmpBody::Other,
    };
    Ok(Transport::Icmp { family, kind, code, body })
}

/// Reads the packet that an ICMP error quotes: its IP header and at least 8 bytes of what follows (RFC 792).
fn quoted(family: Family, packet: &[u8]) -> Result<Quoted, ParseError> {
    let network = network::read(family, packet, Extent::Quoted)?;
    if network.fragment == Fragment::Later {
        return Err(ParseError::Malformed("the quoted packet is a later fragment"));
    }
    let body = &packet[network.body];
    let transport = match network.protocol {
        Protocol::TCP => {
            let short = ParseError::Malformed("the quoted TCP header is cut off");
            let (source_port, destination_port) = ports(body.first_chunk::<8>().ok_or(short)?);
            Transport::Tcp { source_port, destination_port, flags: TcpFlags::default() }
        }
        Protocol::UDP => udp(body, false)?,
        other => match other.icmp_family() {
            Some(own) => icmp_header(own, body)?,
            None => Transport::Other(other),
        },
    };
    Ok(Quoted { source: network.source, destination: network.destination, transport })
}

/// The first four bytes of TCP and UDP alike.
const fn ports<const N: usize>(header: &[u8; N]) -> (u16, u16) {
    (u16::from_be_bytes([header[0], header[1]]), u16::from_be_bytes([header[2], header[3]]))
}

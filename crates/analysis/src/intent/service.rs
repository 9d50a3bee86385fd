//! The words by which an intent names what is said: a protocol, and ports or types.

use std::str::FromStr;

use palisade_net::{PortError, PortRange, PortSet, Protocol, ProtocolMatch};

/// A protocol and its destination ports, or types of ICMP.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Service {
    /// The protocol.
    pub protocol: ProtocolMatch,
    /// Ports or types; full where none is named.
    pub ports: PortSet,
}

/// Why a text is no service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServiceError {
    /// No such protocol.
    #[error(
        "\"{0}\" is not a service (write 443, tcp/443, udp/53-54, tcp, udp, icmp, icmp/8, esp, ah, protocol/47 or *)"
    )]
    Syntax(String),
    /// The ports are no ports.
    #[error(transparent)]
    Ports(#[from] PortError),
    /// A protocol without ports has some.
    #[error("\"{0}\" gives ports to a protocol that has none (write {1} alone)")]
    NoPorts(String, ProtocolMatch),
    /// A type of ICMP above 255.
    #[error("\"{0}\" is beyond the types of ICMP (0 to 255)")]
    Type(String),
}

impl Service {
    /// The services of a text; ports without a protocol are those of TCP and of UDP.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub fn parse(text: &str) -> Result<Vec<Self>, ServiceError> {
        let syntax = || ServiceError::Syntax(text.to_owned());
        let all = |protocol| vec![Self { protocol, ports: PortSet::full() }];
        let (word, rest) = match text.split_once('/') {
            Some((word, rest)) => (word, Some(rest)),
            None => (text, None),
        };
        if word.eq_ignore_ascii_case("protocol") {
            let number: u8 = rest.and_then(|rest| rest.parse().ok()).ok_or_else(syntax)?;
            return Ok(all(ProtocolMatch::Number(Protocol(number))));
        }
        let is_number = word.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
        let protocol = ProtocolMatch::from_str(word).ok().filter(|_| !is_number);
        match (protocol, rest) {
            (None, None) if is_number => {
                let ports: PortSet = [text.parse::<PortRange>()?].into_iter().collect();
                let both = [ProtocolMatch::TCP, ProtocolMatch::UDP];
                Ok(both.map(|protocol| Self { protocol, ports: ports.clone() }).into())
            }
            (None, _) | (Some(ProtocolMatch::Any), Some(_)) => Err(syntax()),
            (Some(protocol), None) => Ok(all(protocol)),
            (Some(protocol), Some(ports)) => Ok(vec![Self::with_ports(text, protocol, ports)?]),
        }
    }

    fn with_ports(text: &str, protocol: ProtocolMatch, ports: &str) -> Result<Self, ServiceError> {
        let range: PortRange = ports.parse()?;
        let is_icmp = match protocol {
            ProtocolMatch::Icmp => true,
            ProtocolMatch::Number(number) => number.is_icmp(),
            ProtocolMatch::Any => false,
        };
        let has_ports = matches!(protocol, ProtocolMatch::Number(number) if number.has_ports());
        if !is_icmp && !has_ports {
            return Err(ServiceError::NoPorts(text.to_owned(), protocol));
        }
        if is_icmp && range != PortRange::ALL && range.last() > u16::from(u8::MAX) {
            return Err(ServiceError::Type(text.to_owned()));
        }
        Ok(Self { protocol, ports: [range].into_iter().collect() })
    }

    /// Services that mean the same and share no packet: one a protocol, and none if everything is meant.
    pub(super) fn joined(services: Vec<Self>) -> Vec<Self> {
        if services.iter().any(|service| service.protocol == ProtocolMatch::Any) {
            return Vec::new();
        }
        let mut joined: Vec<Self> = Vec::new();
        for service in services.into_iter().flat_map(Self::of_numbers) {
            match joined.iter_mut().find(|known| known.protocol == service.protocol) {
                Some(known) => known.ports = known.ports.union(&service.ports),
                None => joined.push(service),
            }
        }
        joined
    }

    /// `Icmp` is that of both families.
    fn of_numbers(self) -> Vec<Self> {
        match self.protocol {
            ProtocolMatch::Icmp => [Protocol::ICMP, Protocol::ICMPV6]
                .map(|number| Self { protocol: ProtocolMatch::Number(number), ports: self.ports.clone() })
                .into(),
            _ => vec![self],
        }
    }
}

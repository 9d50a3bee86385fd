//! A question: which flow, at which interface.

use std::net::IpAddr;

use palisade_net::{Direction, Family, Flow, Protocol, ProtocolMatch};
use serde::{Deserialize, Serialize};

use super::{DYNAMIC_PORT, port};
use crate::commands::target::TargetArgs;

/// Why a line has no answer.
#[derive(Debug, Serialize)]
pub struct LineError {
    /// Machine-readable code.
    pub code: &'static str,
    /// What is wrong and what to write.
    pub message: String,
}

impl LineError {
    fn invalid(message: impl Into<String>) -> Self {
        Self { code: "InvalidFlow", message: message.into() }
    }
}

/// One flow, by options.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Flow")]
pub struct FlowArgs {
    /// Inbound or Outbound, seen from the machine
    #[arg(long, required_unless_present = "flows")]
    direction: Option<String>,
    /// Tcp, Udp, Icmp, Esp, Ah or a protocol number
    #[arg(long, required_unless_present = "flows")]
    protocol: Option<String>,
    /// Address of the machine; by default the interface's own
    #[arg(long, value_name = "ADDR")]
    local_address: Option<String>,
    /// Port of the machine, or the ICMP type of an inbound flow
    #[arg(long, value_name = "PORT")]
    local_port: Option<String>,
    /// Address of the other side
    #[arg(long, value_name = "ADDR", required_unless_present = "flows")]
    remote_address: Option<String>,
    /// Port of the other side, or the ICMP type of an outbound flow
    #[arg(long, value_name = "PORT")]
    remote_port: Option<String>,
}

impl FlowArgs {
    /// The question that the options ask; names the option that is missing or wrong.
    pub fn question(&self) -> Result<Question, String> {
        let port_of = |text: &Option<String>| text.clone().map_or(Port::Absent, Port::Text);
        Ok(Question {
            nic: None,
            nsg: None,
            direction: self.direction.clone().ok_or("--direction is missing (write Inbound or Outbound)")?,
            protocol: ProtocolField::Name(self.protocol.clone().ok_or("--protocol is missing (write Tcp)")?),
            local_address: self.local_address.clone(),
            local_port: port_of(&self.local_port),
            remote_address: self.remote_address.clone().ok_or("--remote-address is missing")?,
            remote_port: port_of(&self.remote_port),
        })
    }
}

/// One line of a flow file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Question {
    #[serde(default)]
    nic: Option<String>,
    #[serde(default)]
    nsg: Option<String>,
    direction: String,
    protocol: ProtocolField,
    #[serde(default)]
    local_address: Option<String>,
    #[serde(default)]
    local_port: Port,
    remote_address: String,
    #[serde(default)]
    remote_port: Port,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum ProtocolField {
    Number(u8),
    Name(String),
}

#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
enum Port {
    Number(u16),
    Text(String),
    #[default]
    Absent,
}

impl Question {
    /// Reads a line.
    pub fn parse(line: &str) -> Result<Self, LineError> {
        serde_json::from_str(line)
            .map_err(|error| LineError { code: "InvalidJson", message: error.to_string() })
    }

    /// What the question is about, `(true, name)` for an interface; the options stand in where the line says nothing.
    pub fn target<'a>(&'a self, arguments: &'a TargetArgs) -> Result<(bool, &'a str), LineError> {
        match (&self.nic, &self.nsg, &arguments.nic, &arguments.nsg) {
            (Some(_), Some(_), _, _) => Err(LineError::invalid("give nic or nsg, not both")),
            (Some(nic), None, _, _) | (None, None, Some(nic), _) => Ok((true, nic)),
            (None, Some(nsg), _, _) | (None, None, None, Some(nsg)) => Ok((false, nsg)),
            (None, None, None, None) => {
                Err(LineError::invalid("no interface or NSG is named (give nic or nsg)"))
            }
        }
    }

    /// The flow; `local` gives the machine's address of a family where the question gives none.
    pub fn flow(&self, local: impl Fn(Family) -> Option<IpAddr>) -> Result<Flow, LineError> {
        let direction: Direction = self.direction.parse().map_err(|()| {
            LineError::invalid(format!("direction \"{}\" is not Inbound or Outbound", self.direction))
        })?;
        let remote = address("remoteAddress", &self.remote_address)?;
        let family = Family::of(remote);
        let local = match &self.local_address {
            Some(text) => address("localAddress", text)?,
            None => local(family).ok_or_else(|| {
                LineError::invalid("the machine's address is not known (give localAddress or --address)")
            })?,
        };
        let protocol = self.protocol(family)?;
        let (from_local, from_remote) = (direction == Direction::Outbound, direction == Direction::Inbound);
        let local_port = self.local_port.resolve("localPort", protocol, from_local)?;
        let remote_port = self.remote_port.resolve("remotePort", protocol, from_remote)?;
        Flow::between(direction, protocol, (local, local_port), (remote, remote_port)).ok_or_else(|| {
            LineError::invalid(format!(
                "{local} and {remote} are of different families (use two addresses of one)"
            ))
        })
    }

    fn protocol(&self, family: Family) -> Result<Protocol, LineError> {
        let name = match &self.protocol {
            ProtocolField::Number(number) => return Ok(Protocol(*number)),
            ProtocolField::Name(name) => name,
        };
        match name.parse() {
            Ok(ProtocolMatch::Number(protocol)) => Ok(protocol),
            Ok(ProtocolMatch::Icmp) => Ok(Protocol::icmp_of(family)),
            Ok(ProtocolMatch::Any) | Err(()) => Err(LineError::invalid(format!(
                "protocol \"{name}\" is not one protocol (write Tcp, Udp, Icmp, Esp, Ah or a number 0 to 255)"
            ))),
        }
    }
}

impl Port {
    /// The port's number. The sending side's may be left out; the receiving side's must be given where there is one.
    fn resolve(&self, field: &str, protocol: Protocol, sends: bool) -> Result<u16, LineError> {
        let given = match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => port(text).ok_or_else(|| {
                LineError::invalid(format!("{field} \"{text}\" is not a port (write 0 to 65535)"))
            })?,
            Self::Absent => None,
        };
        let icmp_type = protocol.is_icmp() && !sends;
        match given {
            Some(number) if icmp_type && number > u16::from(u8::MAX) => {
                Err(LineError::invalid(format!("{field} {number} is not an ICMP type (write 0 to 255)")))
            }
            Some(number) if protocol.has_ports() || icmp_type => Ok(number),
            None if protocol.has_ports() && sends => Ok(DYNAMIC_PORT),
            None if protocol.has_ports() || icmp_type => Err(LineError::invalid(format!(
                "{field} is missing (give the port or ICMP type that is asked for)"
            ))),
            _ => Ok(0),
        }
    }
}

fn address(field: &str, text: &str) -> Result<IpAddr, LineError> {
    text.parse().map_err(|_| LineError::invalid(format!("{field} \"{text}\" is not an IP address")))
}

//! A question: which flow, at which interface.

use std::net::IpAddr;

use palisade_net::{Direction, Family, Flow, Protocol, ProtocolMatch};
use serde::{Deserialize, Serialize};
use serde_json::{Value, error::Category};

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

    /// A line that passes the limit.
    pub fn too_long(limit: u64) -> Self {
        Self { code: "LineTooLong", message: format!("the line is longer than {limit} bytes") }
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
        let port_of = |text: &Option<String>| text.clone().map_or(Value::Null, Value::String);
        Ok(Question {
            nic: None,
            nsg: None,
            direction: self.direction.clone().ok_or("--direction is missing (write Inbound or Outbound)")?,
            protocol: Value::String(self.protocol.clone().ok_or("--protocol is missing (write Tcp)")?),
            local_address: self.local_address.clone(),
            local_port: port_of(&self.local_port),
            remote_address: self.remote_address.clone().ok_or("--remote-address is missing")?,
            remote_port: port_of(&self.remote_port),
        })
    }
}

/// One line of a flow file. Numbers are taken as texts too, so they are checked when the flow is made, by name.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Question {
    #[serde(default)]
    nic: Option<String>,
    #[serde(default)]
    nsg: Option<String>,
    direction: String,
    protocol: Value,
    #[serde(default)]
    local_address: Option<String>,
    #[serde(default)]
    local_port: Value,
    remote_address: String,
    #[serde(default)]
    remote_port: Value,
}

impl Question {
    /// Reads a line.
    pub fn parse(line: &[u8]) -> Result<Self, LineError> {
        // serde would read the elements of an array as the fields.
        let is_object = line.trim_ascii_start().starts_with(b"{");
        match serde_json::from_slice(line) {
            Ok(question) if is_object => Ok(question),
            Err(error) if error.classify() != Category::Data => {
                Err(LineError { code: "InvalidJson", message: without_line(&error) })
            }
            Err(error) if is_object => Err(LineError::invalid(without_line(&error))),
            _ => Err(LineError::invalid("a flow is a JSON object")),
        }
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
        let local_port = port_number(&self.local_port, "localPort", protocol, from_local)?;
        let remote_port = port_number(&self.remote_port, "remotePort", protocol, from_remote)?;
        Flow::between(direction, protocol, (local, local_port), (remote, remote_port)).ok_or_else(|| {
            LineError::invalid(format!(
                "{local} and {remote} are of different families (use two addresses of one)"
            ))
        })
    }

    fn protocol(&self, family: Family) -> Result<Protocol, LineError> {
        let named = match &self.protocol {
            Value::String(name) => name.parse().ok(),
            other => number(other).map(|number| ProtocolMatch::Number(Protocol(number))),
        };
        match named {
            Some(ProtocolMatch::Number(protocol)) => Ok(protocol),
            Some(ProtocolMatch::Icmp) => Ok(Protocol::icmp_of(family)),
            Some(ProtocolMatch::Any) | None => Err(LineError::invalid(format!(
                "protocol {} is not one protocol (write Tcp, Udp, Icmp, Esp, Ah or a number 0 to 255)",
                self.protocol
            ))),
        }
    }
}

/// What is wrong, and in which column: the line is always the first of the text that was parsed.
fn without_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or_default();
    format!("{what} (column {})", error.column())
}

/// A port's number. The sending side's may be left out; the receiving side's must be given where there is one.
fn port_number(value: &Value, field: &str, protocol: Protocol, sends: bool) -> Result<u16, LineError> {
    let wrong = || LineError::invalid(format!("{field} {value} is not a port (write 0 to 65535)"));
    let given = match value {
        Value::Null => None,
        Value::String(text) => port(text).ok_or_else(wrong)?,
        other => Some(number(other).ok_or_else(wrong)?),
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

fn number<T: TryFrom<u64>>(value: &Value) -> Option<T> {
    value.as_u64().and_then(|number| T::try_from(number).ok())
}

fn address(field: &str, text: &str) -> Result<IpAddr, LineError> {
    text.parse().map_err(|_| LineError::invalid(format!("{field} \"{text}\" is not an IP address")))
}

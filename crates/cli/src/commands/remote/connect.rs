//! `palisade connect`: a local port, or this very process, becomes a port of a machine.
//!
//! The machine has no open port for it: the server lets one connection of the machine's own host through, for whom it is and as long
//! as it may last. With `--stdio` it is what `ssh` wants of a ProxyCommand. Reference: docs/connect.md.

mod serve;

use std::net::SocketAddr;

use palisade_client::{Client, tunnel::Wanted};

use super::{
    RequestArgs,
    answers::TARGETS,
    jit::{
        door,
        find::{resource, string},
    },
    overriding::OverrideArgs,
};
use crate::{exit::Exit, exit::Failure};

/// Options of `connect`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The server is asked before anything listens: a refusal ends the command with exit code 2. Each local connection is asked for \
                        again; one that is refused later is closed, and why is told on stderr.\n\nExamples:\n  palisade connect vm1 3389                         # prints the local address to open\n  palisade connect \
                        vm1 22 --listen 127.0.0.1:2222 --for 8h\n  ssh -o ProxyCommand='palisade connect vm1 22 --stdio' ada@vm1"
)]
pub struct Arguments {
    /// Virtual machine or network interface, by name or id
    #[arg(value_name = "VM")]
    target: String,
    /// TCP port of the machine
    #[arg(value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// Local address to listen at; port 0 takes a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0", value_parser = local)]
    listen: SocketAddr,
    /// Carry standard input and output, and listen nowhere
    #[arg(long, conflicts_with = "listen")]
    stdio: bool,
    /// How long it may last, such as 30m or 2h; without it, an hour or as long as the port's policy allows
    #[arg(long = "for", value_name = "TIME", value_parser = door::time)]
    time: Option<door::Time>,
    /// End it when no byte has passed for so long; without it, 15 minutes
    #[arg(long, value_name = "TIME", value_parser = door::time)]
    idle: Option<door::Time>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    /// Ticket that it belongs to
    #[arg(long, value_name = "TEXT")]
    ticket: Option<String>,
    /// Resource group of the machine
    #[arg(long, short = 'g', value_name = "NAME")]
    resource_group: Option<String>,
    #[command(flatten)]
    overriding: OverrideArgs,
    #[command(flatten)]
    request: RequestArgs,
}

/// An address at which nobody but this machine can connect.
fn local(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr =
        text.parse().map_err(|_| format!("{text:?} is no address (write 127.0.0.1:PORT)"))?;
    if address.ip().is_loopback() {
        return Ok(address);
    }
    Err(format!("{address} can be reached by others, who would come through as you (listen at 127.0.0.1)"))
}

/// Opens tunnels until it is told to stop, or one for standard input and output.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let client = arguments.overriding.on(arguments.request.client()?);
    let wanted = Wanted {
        target: target(&client, &arguments.target, arguments.resource_group.as_deref())?,
        port: arguments.port,
        seconds: arguments.time.map(door::Time::seconds),
        idle: arguments.idle.map(door::Time::seconds),
        reason: arguments.why.clone(),
        ticket: arguments.ticket.clone(),
    };
    if arguments.stdio {
        return serve::stdio(&client, &wanted);
    }
    serve::listen(client, wanted, arguments.listen, arguments.request.form())
}

/// The machine or interface of this name, as its id.
fn target(client: &Client, name: &str, group: Option<&str>) -> Result<String, Failure> {
    if name.starts_with('/') {
        return Ok(name.to_owned());
    }
    Ok(string(&resource(client, name, group, &TARGETS)?, "id"))
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn nobody_else_can_connect_to_where_it_listens() {
        for text in ["127.0.0.1:0", "127.9.9.9:22", "[::1]:3389"] {
            assert!(local(text).is_ok(), "{text}");
        }
        for text in ["0.0.0.0:22", "192.0.2.1:22", "[::]:22", "22", "localhost:22"] {
            assert!(local(text).is_err(), "{text}");
        }
    }
}

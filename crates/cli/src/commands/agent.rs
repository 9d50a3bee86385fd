//! `palisade agent`: enforces an estate on this host, from files or from a server.

mod discover;
mod server;

use std::io::{self, Write};
use std::time::Duration;

use clap::ArgGroup;
use palisade_agent::{Applied, DEFAULT_NAME, Event, Instance, Options, Sources, Tuning, load::Problem};

use crate::{args::EstateArgs, commands::estate, exit::Exit, exit::Failure, output::Format};
use discover::Subnet;
use server::ServerArgs;

/// Options of the command.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A NIC of the estate is the interface that its tag `palisade-interface` names, else the one whose \
                        alias is its name or id, else the one with its MAC address.\n\nEnforcement does not need the \
                        agent: it goes on when the agent ends, however it ends. SIGHUP reads the files again.\n\nWith \
                        --server, the server gives the estate. A token is needed once: the host then has a key and a \
                        certificate, which the agent renews. Without the server it enforces what it was given last."
)]
#[command(args_conflicts_with_subcommands = true)]
#[command(group = ArgGroup::new("fleet").args(["server", "register"]))]
#[command(mut_arg("estate", |estate| estate.required(false).required_unless_present_any(["server", "discover"])))]
pub struct Arguments {
    #[command(flatten)]
    estate: EstateArgs,
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    discover: DiscoverArgs,
    #[command(flatten)]
    instance: InstanceArgs,
    /// Bring the estate into force once, and leave it to the kernel
    #[arg(long)]
    once: bool,
    /// Release every interface at the end: it opens the machines
    #[arg(long, conflicts_with = "once")]
    detach_on_exit: bool,
    #[command(flatten)]
    tuning: TuningArgs,
}

/// How much the flows of machines may take.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Limits")]
pub struct TuningArgs {
    /// Flows of the whole host; a table that is there already keeps its size until `palisade detach`
    #[arg(long, value_name = "N", default_value_t = Tuning::default().flows, value_parser = clap::value_parser!(u32).range(1..))]
    flows: u32,
    /// Flows of one NIC at one time
    #[arg(long, value_name = "N", default_value_t = Tuning::default().nic_flows, value_parser = clap::value_parser!(u32).range(1..))]
    nic_flows: u32,
    /// TCP connections of one NIC at one time whose handshake is not over
    #[arg(long, value_name = "N", default_value_t = Tuning::default().nic_half_open, value_parser = clap::value_parser!(u32).range(1..))]
    nic_half_open: u32,
    /// How long TCP connections that are under way when an interface is new here go by the rules, though nobody saw them
    /// begin; 0: not at all
    #[arg(long, value_name = "SECONDS", default_value_t = Tuning::GRACE.as_secs(), value_parser = clap::value_parser!(u64).range(..=86_400))]
    grace: u64,
}

impl TuningArgs {
    /// The same as the agent takes it.
    pub const fn tuning(&self) -> Tuning {
        Tuning {
            flows: self.flows,
            nic_flows: self.nic_flows,
            nic_half_open: self.nic_half_open,
            grace: Duration::from_secs(self.grace),
        }
    }
}

/// Which agent of this machine.
#[derive(Debug, Clone, clap::Args)]
pub struct InstanceArgs {
    /// Name of the agent; several can live on one machine
    #[arg(long, value_name = "NAME", default_value = DEFAULT_NAME)]
    pub instance: String,
}

impl InstanceArgs {
    /// Where that agent lives.
    pub fn places(&self) -> Result<Instance, Failure> {
        Instance::named(&self.instance).map_err(Failure::input)
    }
}

/// What `--discover` takes.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Machines of this host")]
pub struct DiscoverArgs {
    /// List the interfaces of running machines (QEMU, libvirt, Firecracker, Cloud Hypervisor), and enforce nothing
    #[arg(long, conflicts_with_all = ["estate", "server", "once", "detach_on_exit"])]
    discover: bool,
    /// Print the commands that make a NIC in this subnet for each of them
    #[arg(long, value_name = "GROUP/NETWORK/SUBNET", requires = "discover")]
    register: Option<Subnet>,
    /// Form of the list
    #[arg(long, value_enum, default_value_t = Format::Table, requires = "discover", conflicts_with = "register")]
    format: Format,
}

impl Arguments {
    /// The files, or the server.
    fn sources(&self) -> Result<Sources, Failure> {
        match self.server.options(&self.instance, &self.estate)? {
            Some(server) => Ok(Sources::Server(Box::new(server))),
            None => Ok(estate::sources(&self.estate).into()),
        }
    }
}

/// Runs the agent.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    if arguments.discover.discover {
        return discover::run(&arguments.discover, &arguments.server);
    }
    let options = Options {
        instance: arguments.instance.places()?,
        sources: arguments.sources()?,
        detach_on_exit: arguments.detach_on_exit,
        tuning: arguments.tuning.tuning(),
    };
    if !arguments.once {
        return palisade_agent::run(&options, tell).map(|()| Exit::Clean).map_err(Failure::caused_by);
    }
    let mut refused = false;
    let applied = palisade_agent::apply_once(&options, |event| {
        refused |= matches!(event, Event::Refused(_));
        tell(event);
    });
    Ok(match applied.map_err(Failure::caused_by)? {
        Applied::InForce(_) => Exit::Clean,
        Applied::NotInForce if refused => Exit::Input,
        Applied::NotInForce => Exit::OtherSide,
    })
}

/// A reader of the log that went away must not end the agent, so what cannot be said is left unsaid.
pub fn tell(event: &Event) {
    let mut text = format!("{event}\n");
    if let Event::Refused(error) = event {
        for problem in others(&error.problems) {
            text.push_str(&format!("  {problem}\n"));
        }
    }
    let _unheard = io::stderr().write_all(text.as_bytes());
}

/// Every problem of a refusal whose sentence does not say it all.
pub fn others(problems: &[Problem]) -> &[Problem] {
    if problems.len() > 1 { problems } else { &[] }
}

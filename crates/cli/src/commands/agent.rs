//! `palisade agent`: enforces an estate on this host.

use std::io::{self, Write};

use std::time::Duration;

use palisade_agent::{Applied, DEFAULT_NAME, Event, Instance, Options, Tuning, load::Problem};

use crate::{args::EstateArgs, commands::estate, exit::Exit, exit::Failure};

/// Options of the command.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A NIC of the estate is the interface that its tag `palisade-interface` names, else the one whose \
                        alias is its name or id, else the one with its MAC address.\n\nEnforcement does not need the \
                        agent: it goes on when the agent ends, however it ends. SIGHUP reads the files again."
)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(flatten)]
    estate: EstateArgs,
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

/// Runs the agent.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let options = Options {
        instance: arguments.instance.places()?,
        sources: estate::sources(&arguments.estate).into(),
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

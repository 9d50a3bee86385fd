//! `palisade agent`: enforces an estate on this host.

use std::io::{self, Write};

use palisade_agent::{Applied, DEFAULT_NAME, Event, Instance, Options, load::Problem};

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
        sources: estate::sources(&arguments.estate),
        detach_on_exit: arguments.detach_on_exit,
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
fn tell(event: &Event) {
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

//! `palisade agent`: enforces an estate on this host.

use palisade_agent::{Applied, DEFAULT_NAME, Event, Instance, Options};

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
        return palisade_agent::run(&options, tell).map(|()| Exit::Clean).map_err(failure);
    }
    let mut refused = false;
    let applied = palisade_agent::apply_once(&options, |event| {
        refused |= matches!(event, Event::Refused(_));
        tell(event);
    });
    Ok(match applied.map_err(failure)? {
        Applied::InForce(_) => Exit::Clean,
        Applied::NotInForce if refused => Exit::Input,
        Applied::NotInForce => Exit::OtherSide,
    })
}

fn tell(event: &Event) {
    eprintln!("{event}");
    if let Event::Refused(error) = event {
        for problem in &error.problems {
            eprintln!("  {problem}");
        }
    }
}

/// A failure of the host, with the whole chain of causes.
pub fn failure(error: palisade_agent::AgentError) -> Failure {
    Failure::other_side(format!("{:#}", anyhow::Error::new(error)))
}

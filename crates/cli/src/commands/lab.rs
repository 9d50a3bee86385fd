//! `palisade lab`: a small cloud of network namespaces, enforced and judged for real.

mod enforcer;
mod predictor;

use std::{
    io::{self, Write},
    process::{Command, Stdio},
};

use palisade_lab::{
    Lab, LabError, Lifetime, estate::Situation, interrupt::Interrupt, lab::DEFAULT_NAME, matrix::Matrix,
    policy::EstateFiles, probe::server::Servers, show, tour,
};

use self::{enforcer::AgentProcess, predictor::Oracle};
use crate::{args::FormatArgs, exit::Exit, exit::Failure, output, output::Format};

/// Options of the command.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A lab lives in network namespaces of its own and never touches the machine's interfaces. It needs \
                        root."
)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Build a lab, enforce its estate, try everything, and stay until Ctrl-C
    Run(LabArgs),
    /// The same in the background: returns when the lab is up, and leaves it up
    Up(LabArgs),
    /// Remove a lab, also after a crash
    Down(NameArgs),
    /// Two stories with real packets: an open administration port, and a machine that calls out
    Tour(NameArgs),
}

#[derive(Debug, Clone, clap::Args)]
struct NameArgs {
    /// Name of the lab; labs of different names do not meet
    #[arg(long, default_value = DEFAULT_NAME)]
    name: String,
}

#[derive(Debug, clap::Args)]
struct LabArgs {
    #[command(flatten)]
    name: NameArgs,
    /// Leave when everything was tried instead of waiting for Ctrl-C
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    format: FormatArgs,
}

/// Runs one action.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.action {
        Action::Run(lab) => show(lab),
        Action::Up(lab) => background(lab),
        Action::Down(name) => down(&name.name),
        Action::Tour(name) => tell(&name.name),
    }
}

/// A lab with its servers and its agent; everything ends with the value.
struct Running {
    agent: AgentProcess,
    _servers: Servers,
    lab: Lab,
}

impl Running {
    fn start(name: &str) -> Result<Self, Failure> {
        // A lab that crashed may have left its programs pinned.
        enforcer::remove_pins(name)?;
        let mut lab = Lab::up(name, Lifetime::Process).map_err(failure)?;
        let servers = lab.serve().map_err(failure)?;
        let agent = AgentProcess::new(name, &mut lab)?;
        Ok(Self { agent, _servers: servers, lab })
    }

    /// Removes everything and says whether that worked.
    fn stop(self) -> Result<(), Failure> {
        let Self { agent, _servers, lab } = self;
        agent.stop()?;
        drop(_servers);
        lab.down().map_err(failure)
    }
}

fn show(arguments: &LabArgs) -> Result<Exit, Failure> {
    let interrupt = Interrupt::take_over().map_err(failure)?;
    eprintln!("building the lab ...");
    let mut running = Running::start(&arguments.name.name)?;
    let files = EstateFiles::write(&running.lab.stage().folder(), Situation::Default).map_err(failure)?;
    eprintln!("enforcing {} and trying every pair and service ...", files.template.display());
    let mut oracle = Oracle::default();
    let matrix =
        show::enforce_and_observe(&running.lab, &files, &mut running.agent, &mut oracle).map_err(failure)?;
    print(&matrix, arguments.format.format)?;
    let agrees = matrix.mismatches().next().is_none();
    if !arguments.once {
        eprint!("\n{}", show::hints(&running.lab, &files));
        interrupt.wait().map_err(failure)?;
        eprintln!("removing the lab ...");
    }
    running.stop()?;
    Ok(if agrees { Exit::Clean } else { Exit::Found })
}

fn print(matrix: &Matrix, format: Format) -> io::Result<()> {
    match format {
        Format::Json => output::json(&matrix.to_json())?,
        Format::Table => print!("{}", matrix.render()),
    }
    io::stdout().flush()
}

/// Starts `lab run` as a process of its own session, and returns when it has tried everything.
fn background(arguments: &LabArgs) -> Result<Exit, Failure> {
    use std::os::unix::process::CommandExt as _;
    let program = std::env::current_exe()?;
    let mut command = Command::new(program);
    command.args(["lab", "run", "--format", "json", "--name", &arguments.name.name]);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .process_group(0)
        .spawn()?;
    let out = child.stdout.take().expect("standard output is a pipe");
    let answer: Result<serde_json::Value, _> =
        serde_json::Deserializer::from_reader(out).into_iter().next().unwrap_or(Ok(serde_json::Value::Null));
    match answer {
        Ok(matrix) if !matrix.is_null() => {
            if arguments.format.format == Format::Json {
                output::json(&matrix)?;
            }
            eprintln!("lab \"{0}\" is up; `palisade lab down --name {0}` removes it", arguments.name.name);
            Ok(Exit::Clean)
        }
        _ => {
            let status = child.wait()?;
            Err(Failure::other_side(format!("the lab did not come up ({status})")))
        }
    }
}

fn down(name: &str) -> Result<Exit, Failure> {
    Lab::remove(name).map_err(failure)?;
    enforcer::remove_pins(name)?;
    Ok(Exit::Clean)
}

fn tell(name: &str) -> Result<Exit, Failure> {
    let interrupt = Interrupt::take_over().map_err(failure)?;
    let mut running = Running::start(name)?;
    let report =
        tour::tell(&running.lab, &mut running.agent, Some(&interrupt), &mut io::stdout()).map_err(failure)?;
    running.stop()?;
    println!("\n{} steps held, {} did not.", report.held, report.failures.len());
    for failure in &report.failures {
        println!("  did not hold: {failure}");
    }
    Ok(if report.failures.is_empty() { Exit::Clean } else { Exit::Found })
}

/// A failure of the lab: the machine's fault, with the whole chain of causes.
fn failure(error: LabError) -> Failure {
    Failure::other_side(format!("{:#}", anyhow::Error::new(error)))
}

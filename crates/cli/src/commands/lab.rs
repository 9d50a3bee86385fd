//! `palisade lab`: a small cloud of network namespaces, enforced and judged for real.

use std::{
    fs::{self, File},
    io,
    process::{Command, Stdio},
};

use palisade_agent::Instance;
use palisade_lab::{
    Lab, Lifetime,
    estate::Situation,
    interrupt::Interrupt,
    lab::DEFAULT_NAME,
    matrix::Matrix,
    policy::EstateFiles,
    probe::server::Servers,
    show, tour,
    wiring::{agent, control::ControlPlane, oracle::Oracle},
};
use serde_json::Value;

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
    /// Build a lab, deploy its estate to `palisade up` in it, try everything, and stay until Ctrl-C
    Run(LabArgs),
    /// The same in the background: returns when the lab is up, and leaves it up
    Up(LabArgs),
    /// Remove a lab, also after a crash
    Down(NameArgs),
    /// Three stories with real packets: an open administration port, a machine that calls out, and one that was taken
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
    /// Set by `lab up` for the process that it leaves behind
    #[arg(long, hide = true)]
    detached: bool,
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

/// A lab with its servers and its control plane; everything ends with the value.
struct Running {
    control: ControlPlane,
    servers: Servers,
    lab: Lab,
}

impl Running {
    fn start(name: &str) -> Result<Self, Failure> {
        let lab = Lab::up(name, Lifetime::Process).map_err(Failure::caused_by)?;
        // A lab of this name that crashed may have left its programs pinned.
        remove_pins(name)?;
        let servers = lab.serve().map_err(Failure::caused_by)?;
        let control = control_of(&lab)?;
        Ok(Self { control, servers, lab })
    }

    /// Removes everything and says whether that worked.
    fn stop(self) -> Result<(), Failure> {
        let Self { control, servers, lab } = self;
        control.stop().map_err(Failure::caused_by)?;
        drop(servers);
        lab.down().map_err(Failure::caused_by)
    }
}

fn show(arguments: &LabArgs) -> Result<Exit, Failure> {
    let interrupt = Interrupt::take_over().map_err(Failure::caused_by)?;
    eprintln!("building the lab ...");
    let mut running = Running::start(&arguments.name.name)?;
    let files =
        EstateFiles::write(&running.lab.stage().folder(), Situation::Default).map_err(Failure::caused_by)?;
    eprintln!("deploying {} and trying every pair and service ...", files.template.display());
    let mut oracle = Oracle::default();
    let matrix = show::enforce_and_observe(&running.lab, &files, &mut running.control, &mut oracle)
        .map_err(Failure::caused_by)?;
    print(&matrix, arguments.format.format)?;
    let agrees = matrix.mismatches().next().is_none();
    if !arguments.once {
        if !arguments.detached {
            eprintln!("\n{}Ctrl-C removes it.", show::hints(&arguments.name.name, &files, &program()?));
        }
        interrupt.wait().map_err(Failure::caused_by)?;
        eprintln!("removing the lab ...");
    }
    running.stop()?;
    Ok(if agrees { Exit::Clean } else { Exit::Found })
}

fn print(matrix: &Matrix, format: Format) -> io::Result<()> {
    match format {
        Format::Json => output::json(&matrix.to_json()),
        Format::Table => output::line(matrix.render().trim_end()),
    }
}

/// Starts `lab run` as a process of its own, and returns when that has tried everything.
///
/// What the process says goes to a file: a terminal or pipe of the caller must not be kept open by it.
fn background(arguments: &LabArgs) -> Result<Exit, Failure> {
    use std::os::unix::process::CommandExt as _;
    let name = &arguments.name.name;
    let log = instance(name)?.state_dir.join("lab.log");
    fs::create_dir_all(log.parent().expect("the log is in a directory"))?;
    let mut child = Command::new(std::env::current_exe()?)
        .args(["lab", "run", "--detached", "--format", "json", "--name", name])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(File::create(&log)?)
        .process_group(0)
        .spawn()?;
    let out = child.stdout.take().expect("standard output is a pipe");
    let Some(Ok(matrix)) = serde_json::Deserializer::from_reader(out).into_iter::<Value>().next() else {
        let status = child.wait()?;
        let said = fs::read_to_string(&log).unwrap_or_default();
        return Err(Failure::other_side(format!("the lab did not come up ({status}):\n{}", said.trim_end())));
    };
    if arguments.format.format == Format::Json {
        output::json(&matrix)?;
    }
    let files = EstateFiles::of_lab(name);
    eprintln!("{}`palisade lab down --name {name}` removes it.", show::hints(name, &files, &program()?));
    Ok(Exit::Clean)
}

fn down(name: &str) -> Result<Exit, Failure> {
    Lab::remove(name).map_err(Failure::caused_by)?;
    remove_pins(name)?;
    Ok(Exit::Clean)
}

fn tell(name: &str) -> Result<Exit, Failure> {
    let interrupt = Interrupt::take_over().map_err(Failure::caused_by)?;
    let mut running = Running::start(name)?;
    let report = tour::tell(&running.lab, &mut running.control, Some(&interrupt), &mut io::stdout())
        .map_err(Failure::caused_by)?;
    running.stop()?;
    output::line(format_args!("\n{} steps held, {} did not.", report.held, report.failures.len()))?;
    for failure in &report.failures {
        output::line(format_args!("  did not hold: {failure}"))?;
    }
    Ok(if report.failures.is_empty() { Exit::Clean } else { Exit::Found })
}

/// The control plane of a lab: this very program, in the namespace where every machine's interface ends.
fn control_of(lab: &Lab) -> Result<ControlPlane, Failure> {
    let (name, program) = (lab.stage().name(), std::env::current_exe()?);
    ControlPlane::of_lab(lab, &program, &instance_name(name), instance(name)?).map_err(Failure::caused_by)
}

/// Takes what a lab of this name left in the kernel out of it.
fn remove_pins(lab: &str) -> Result<(), Failure> {
    agent::remove_pins(&instance(lab)?).map_err(Failure::caused_by)
}

/// This program, as somebody types it.
fn program() -> io::Result<String> {
    Ok(std::env::current_exe()?.display().to_string())
}

/// Where the agent of a lab lives.
fn instance(lab: &str) -> Result<Instance, Failure> {
    Instance::named(&instance_name(lab)).map_err(Failure::input)
}

fn instance_name(lab: &str) -> String {
    format!("lab-{lab}")
}

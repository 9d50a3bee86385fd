//! `palisade bench`: measurements of this machine, in one run.

use std::{
    fs,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
};

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use palisade_bench::{
    Group, Options, Report, analysis, control, flows, plot, recovery,
    report::{Case, Goal},
};

use crate::{args::FormatArgs, exit::Exit, exit::Failure, output, output::Format};

/// Options of the command.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    subject: Subject,
}

#[derive(Debug, clap::Subcommand)]
enum Subject {
    /// What exact analysis takes: volumes, dead and redundant rules and differences of large rule lists
    Analysis(AnalysisArgs),
    /// What the kernel program costs, alone and beside plain forwarding, nftables, iptables with ipset, and tc flower
    Datapath(DatapathArgs),
    /// What the control plane takes: a rule until it is in force, writes, a thousand hosts, a large estate, kills
    Control(ControlArgs),
    /// What watching flows takes: the detectors over a day, what they find in recordings, and the store that keeps flows
    Flows(FlowsArgs),
    /// What the way back to a clean state takes: verification, a revert, the audit of a guest, and flipped bits
    Recovery(RecoveryArgs),
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Times are of the clock, on two processors, while the cache has what is read. Peers and QEMU are used \
                        if they are installed. Figures of a debug build say nothing."
)]
struct RecoveryArgs {
    /// Fewer rounds, smaller disks: under a minute
    #[arg(long)]
    quick: bool,
    /// Measure only these cases
    #[arg(long = "case", value_name = "NAME", value_parser = recovery_groups())]
    cases: Vec<recovery::Group>,
    /// Folder for what is written and removed again, 9 GB, quick 600 MB; that for temporary files if it is not given
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Folder of the public collection, for its hives; without it their audit is left out
    #[arg(long, value_name = "DIR", env = "PALISADE_REAL_DATA")]
    collection: Option<PathBuf>,
    #[command(flatten)]
    format: FormatArgs,
}

fn recovery_groups() -> impl clap::builder::TypedValueParser<Value = recovery::Group> {
    PossibleValuesParser::new(recovery::Group::ALL.map(recovery::Group::name))
        .map(|name| recovery::Group::named(&name).expect("only names of groups are possible"))
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Times are of one thread's processor time. Figures of a debug build say nothing.")]
struct FlowsArgs {
    /// Fewer rounds, fewer flows: under a minute
    #[arg(long)]
    quick: bool,
    /// Measure only these cases
    #[arg(long = "case", value_name = "NAME", value_parser = flows_groups())]
    cases: Vec<flows::Group>,
    /// Folder of recorded attacks, for the case scores; without it that is left out
    #[arg(long, value_name = "DIR", env = "PALISADE_REAL_DATA")]
    recordings: Option<PathBuf>,
    /// Folder for what is written and removed again, 3 GB, quick 100 MB; that for temporary files if it is not given
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
    #[command(flatten)]
    format: FormatArgs,
}

fn flows_groups() -> impl clap::builder::TypedValueParser<Value = flows::Group> {
    PossibleValuesParser::new(flows::Group::ALL.map(flows::Group::name))
        .map(|name| flows::Group::named(&name).expect("only names of groups are possible"))
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Times are of one thread's processor time. Figures of a debug build say nothing.")]
struct AnalysisArgs {
    /// Fewer rounds: under a minute
    #[arg(long)]
    quick: bool,
    /// Measure only these cases
    #[arg(long = "case", value_name = "NAME", value_parser = analysis_groups())]
    cases: Vec<analysis::Group>,
    /// Microsoft's service tag file, whose tags the rules then name; without it tags are made up
    #[arg(long, value_name = "FILE", env = "PALISADE_SERVICE_TAGS")]
    service_tags: Option<PathBuf>,
    /// Folder whose entries are estates, such as templates, for the case check; without it that is not measured
    #[arg(long, value_name = "DIR", env = "PALISADE_ESTATES")]
    estates: Option<PathBuf>,
    #[command(flatten)]
    format: FormatArgs,
}

fn analysis_groups() -> impl clap::builder::TypedValueParser<Value = analysis::Group> {
    PossibleValuesParser::new(analysis::Group::ALL.map(analysis::Group::name))
        .map(|name| analysis::Group::named(&name).expect("only names of groups are possible"))
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Servers and agents are processes of their own, in network namespaces of their own where they enforce, \
                        which needs root. Figures of a debug build say nothing."
)]
struct ControlArgs {
    /// Fewer rounds, fewer hosts, a smaller estate: under a minute
    #[arg(long)]
    quick: bool,
    /// Measure only these cases
    #[arg(long = "case", value_name = "NAME", value_parser = control_groups())]
    cases: Vec<control::Group>,
    /// Folder for the data of servers; on a disk, or nothing durable is measured
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
    #[command(flatten)]
    format: FormatArgs,
}

fn control_groups() -> impl clap::builder::TypedValueParser<Value = control::Group> {
    PossibleValuesParser::new(control::Group::ALL.map(control::Group::name))
        .map(|name| control::Group::named(&name).expect("only names of groups are possible"))
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Everything is measured in network namespaces of its own, which needs root. Peers that are not \
                        installed, or that the kernel lacks, are left out and listed without a figure."
)]
struct DatapathArgs {
    /// Fewer and shorter rounds: under a minute
    #[arg(long)]
    quick: bool,
    /// Measure only these cases
    #[arg(long = "case", value_name = "NAME", value_parser = groups())]
    cases: Vec<Group>,
    /// Microsoft's service tag file, whose tags the rules then name; without it tags are made up
    #[arg(long, value_name = "FILE", env = "PALISADE_SERVICE_TAGS")]
    service_tags: Option<PathBuf>,
    /// Also draw the figures, as SVG files in this folder
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,
    #[command(flatten)]
    format: FormatArgs,
}

fn groups() -> impl clap::builder::TypedValueParser<Value = Group> {
    PossibleValuesParser::new(Group::ALL.map(Group::name))
        .map(|name| Group::named(&name).expect("only names of groups are possible"))
}

/// Measures and tells.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.subject {
        Subject::Analysis(arguments) => exact_analysis(arguments),
        Subject::Datapath(arguments) => datapath(arguments),
        Subject::Control(arguments) => control_plane(arguments),
        Subject::Flows(arguments) => watching(arguments),
        Subject::Recovery(arguments) => way_back(arguments),
    }
}

fn exact_analysis(arguments: &AnalysisArgs) -> Result<Exit, Failure> {
    let options = analysis::Options {
        quick: arguments.quick,
        groups: arguments.cases.clone(),
        service_tags: arguments.service_tags.clone(),
        estates: arguments.estates.clone(),
    };
    let report = analysis::run(&options, &mut progress()).map_err(Failure::caused_by)?;
    print(&report, arguments.format.format)
}

fn control_plane(arguments: &ControlArgs) -> Result<Exit, Failure> {
    let options = control::Options {
        quick: arguments.quick,
        groups: arguments.cases.clone(),
        program: std::env::current_exe()?,
        scratch: arguments.scratch.clone().unwrap_or_else(std::env::temp_dir),
    };
    let report = control::run(&options, &mut progress()).map_err(Failure::caused_by)?;
    print(&report, arguments.format.format)
}

fn watching(arguments: &FlowsArgs) -> Result<Exit, Failure> {
    let options = flows::Options {
        quick: arguments.quick,
        groups: arguments.cases.clone(),
        recordings: arguments.recordings.clone(),
        scratch: arguments.scratch.clone(),
    };
    let report = flows::run(&options, &mut progress()).map_err(Failure::caused_by)?;
    print(&report, arguments.format.format)
}

fn way_back(arguments: &RecoveryArgs) -> Result<Exit, Failure> {
    let options = recovery::Options {
        quick: arguments.quick,
        groups: arguments.cases.clone(),
        scratch: arguments.folder.clone().unwrap_or_else(std::env::temp_dir),
        collection: arguments.collection.clone(),
    };
    let report = recovery::run(&options, &mut progress()).map_err(Failure::caused_by)?;
    print(&report, arguments.format.format)
}

fn datapath(arguments: &DatapathArgs) -> Result<Exit, Failure> {
    let options = Options {
        quick: arguments.quick,
        groups: arguments.cases.clone(),
        service_tags: arguments.service_tags.clone(),
    };
    let report = palisade_bench::run(&options, &mut progress()).map_err(Failure::caused_by)?;
    if let Some(folder) = &arguments.plots {
        draw(&report, folder)?;
    }
    print(&report, arguments.format.format)
}

fn print(report: &Report, format: Format) -> Result<Exit, Failure> {
    match format {
        Format::Json => output::json(&report.to_json())?,
        Format::Table => table(report)?,
    }
    Ok(Exit::Clean)
}

/// Says on a terminal what is measured now.
fn progress() -> impl FnMut(&str) {
    let is_seen = io::stderr().is_terminal();
    move |what| {
        if is_seen {
            eprintln!("measuring {what} ...");
        }
    }
}

fn draw(report: &Report, folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder)?;
    for plot in plot::plots(report) {
        fs::write(folder.join(plot.file), plot.text)?;
    }
    Ok(())
}

/// A paragraph for each case: ours with its goals, then the peers.
fn table(report: &Report) -> io::Result<()> {
    for case in &report.cases {
        output::line(format_args!("{}, {}: {}", case.name, case.unit, parameters(case)))?;
        let goals: Vec<String> = case.goals.iter().map(goal).collect();
        row("palisade", &figure(case.ours), &goals.join("; "))?;
        for peer in &case.peers {
            let median = peer.median.map_or_else(|| "absent".to_owned(), figure);
            let ratio = case.ratio(&peer.name).map(|ratio| format!("ours is {ratio:.3}x of it"));
            row(&peer.name, &median, &ratio.unwrap_or_default())?;
        }
    }
    Ok(())
}

fn row(name: &str, figure: &str, remark: &str) -> io::Result<()> {
    output::line(format!("  {name:<28}{figure:>10}  {remark}").trim_end())
}

fn goal(goal: &Goal) -> String {
    format!("{}: {}", goal.text, if goal.met { "reached" } else { "missed" })
}

fn parameters(case: &Case) -> String {
    let one = |name: &String| format!("{name} {}", case.parameter(name));
    case.parameters.keys().map(one).collect::<Vec<_>>().join(", ")
}

/// Three digits at least.
fn figure(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

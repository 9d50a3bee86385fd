//! The command line, as clap reads it.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};
use palisade_model::calendar::Moment;

use crate::{commands, output::Format};

/// Network security groups in Azure's format, enforced at every virtual machine's interface.
#[derive(Debug, Parser)]
#[command(name = "palisade", version, max_term_width = 110)]
#[command(
    after_help = "Exit codes: 0 done, nothing found wrong; 1 done, something found; 2 bad usage or input, nothing \
                        changed; 3 the kernel, a guest or a file failed."
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

/// Every command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Would this flow pass, and which rule decides?
    Verify(commands::verify::Arguments),
    /// The rules that hold at an interface, with tags expanded
    Effective(commands::effective::Arguments),
    /// The effective rules of an interface as those of a machine's own firewall
    Export(commands::export::Arguments),
    /// Findings: what is open, what never holds, what does not mean what it seems to
    Check(commands::check::Arguments),
    /// What traffic two estates judge differently, with an example of each kind
    Diff(commands::diff::Arguments),
    /// Do intents hold, or what violates them
    Prove(commands::prove::Arguments),
    /// Who can reach whom on what, as a table or a picture
    Matrix(commands::matrix::Arguments),
    /// Which flows of a log a change would break or open, and whether the rules say what the log says
    Whatif(commands::whatif::Arguments),
    /// Nothing leaves for the Internet but what a log shows is needed
    Lockdown(commands::lockdown::Arguments),
    /// The least rules of an NSG that the flows of a log need
    Learn(commands::learn::Arguments),
    /// Server and agent of one machine in one process
    Up(commands::up::Arguments),
    /// The control plane: resources, logins, and the hosts that join
    Server(commands::server::Arguments),
    /// Create and change resources from files: templates, `az` output, bodies with ids
    Apply(commands::remote::apply::Arguments),
    /// A resource of the server, or a list of them
    Get(commands::remote::get::Arguments),
    /// Delete a resource, or a group with all that is in it
    Delete(commands::remote::delete::Arguments),
    /// What changes at the server, as it changes
    Watch(commands::remote::watch::Arguments),
    /// Become known to a server, and keep it as a profile
    Login(commands::remote::login::LoginArgs),
    /// Forget a profile
    Logout(commands::remote::login::LogoutArgs),
    /// The machines that enforce, and what each has in force
    #[command(subcommand)]
    Hosts(commands::remote::hosts::Action),
    /// What a host needs once to become one of the fleet
    #[command(subcommand)]
    JoinToken(commands::remote::join_token::Action),
    /// A way to a TCP port of a machine that is open to nobody else
    Connect(commands::remote::connect::Arguments),
    /// Public ports that lead to ports of machines
    #[command(subcommand)]
    Endpoint(commands::remote::endpoint::Action),
    /// Doors that open to one source for a time, and close themselves
    #[command(subcommand)]
    Jit(commands::remote::jit::Action),
    /// Isolate a machine: nothing passes but forensic paths, until it is released
    Quarantine(commands::remote::answers::Isolate),
    /// Free a machine from quarantine or a throttle, or a source that is locked out
    Release(commands::remote::answers::Release),
    /// Sources that are locked out for a time, and pairs that are blocked
    #[command(subcommand)]
    Lockouts(commands::remote::answers::Lockouts),
    /// Machines that find new destinations at no more than a rate, for a time
    #[command(subcommand)]
    Throttles(commands::remote::answers::Throttles),
    /// What is done about alerts by itself
    #[command(subcommand)]
    Answers(commands::remote::answers::Answers),
    /// What the live detectors raised: who scans, guesses passwords, asks for orders or carries data away
    #[command(subcommand)]
    Alerts(commands::remote::alerts::Action),
    /// Programs and people that may log in
    #[command(subcommand)]
    Principal(commands::remote::principal::Action),
    /// Who may do what, where
    #[command(subcommand)]
    Role(commands::remote::role::Action),
    /// The log of who did what, and whether it is whole
    #[command(subcommand)]
    Audit(commands::remote::audit::Action),
    /// Copies of a server's store, and the way back
    #[command(subcommand)]
    Store(commands::store::Action),
    /// Enforce an estate on this host
    Agent(commands::agent::Arguments),
    /// Stop enforcing on this host: every machine is open afterwards
    Detach(commands::detach::Arguments),
    /// What is in force on this host: policies, flows, drops
    Status(commands::status::Arguments),
    /// Flows of this host as they begin, end and are denied, and flow records in a store
    #[command(subcommand)]
    Flows(commands::flows::Action),
    /// Who scans, guesses passwords, asks for orders or carries data away, by recorded flows
    Detect(commands::detect::Arguments),
    /// What a machine's own files tell of how it is guarded
    #[command(subcommand)]
    Guest(commands::guest::Action),
    /// States of disks that are known to be clean, and the way back to them
    #[command(subcommand)]
    CleanState(commands::recovery::clean_state::Action),
    /// What machines were when they were taken
    #[command(subcommand)]
    Evidence(commands::recovery::evidence::Action),
    /// How hard a passphrase is to guess, or one that is
    Password(commands::password::Arguments),
    /// What this kernel and host can do, what is missing, and how to get it
    Doctor(commands::doctor::Arguments),
    /// A small estate of network namespaces to try things on
    Lab(commands::lab::Arguments),
    /// Measurements of this machine
    Bench(commands::bench::Arguments),
    /// Shell completions
    Completions(commands::completions::Arguments),
    /// Version of the program and of the layout it shares with the kernel program
    Version(commands::version::Arguments),
}

/// Files that make up an estate.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Estate")]
pub struct EstateArgs {
    /// Files or folders: ARM templates, `az ... -o json` output, REST bodies, Resource Graph exports, Terraform plans
    #[arg(value_name = "ESTATE", required = true)]
    pub estate: Vec<PathBuf>,
    #[command(flatten)]
    pub reading: ReadingArgs,
}

/// What the files of an estate are read with.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Estate")]
pub struct ReadingArgs {
    /// Parameters file of the templates; without it, `X.parameters.json` beside `X.json` is used
    #[arg(long, value_name = "FILE")]
    pub parameters: Vec<PathBuf>,
    /// Microsoft's service tag file
    #[arg(long, value_name = "FILE", env = "PALISADE_SERVICE_TAGS")]
    pub service_tags: Vec<PathBuf>,
    /// Subscription that templates are evaluated in
    #[arg(long, value_name = "ID")]
    pub subscription: Option<String>,
    /// Resource group that templates are evaluated in
    #[arg(long, value_name = "NAME")]
    pub resource_group: Option<String>,
    /// Region that templates are evaluated in
    #[arg(long, value_name = "REGION")]
    pub location: Option<String>,
}

/// The form of the answer.
#[derive(Debug, Clone, Copy, Args)]
pub struct FormatArgs {
    /// Form of the answer
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// A time as a person types it.
pub fn time(text: &str) -> Result<u32, String> {
    let moment = Moment::parse(text).and_then(Moment::rounded_down);
    moment.ok_or_else(|| "not a time between 1970 and 2106 (write 2026-01-31T08:00Z)".to_owned())
}

/// An age in days, from one on.
pub fn days(text: &str) -> Result<Duration, String> {
    let count = text.parse::<u32>().ok().filter(|count| *count > 0);
    let age = count.map(|count| Duration::from_secs(u64::from(count) * 86_400));
    age.ok_or_else(|| format!("{text} is no number of days (give a whole number from 1 on)"))
}

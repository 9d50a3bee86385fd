//! `palisade detect`: who scans, guesses passwords, asks for orders or carries data away, by recorded flows and by what guests tell of
//! logons.
//!
//! Everything is read before anything is judged, and the same files give the same answer.

mod gather;
mod related;
mod said;
mod stored;

use std::{io::IsTerminal as _, path::PathBuf};

use palisade_control::alerts::document;
use palisade_guard::{Alert, Connection, Guard, Guest, Logon, Severity};
use palisade_net::Prefix;

use crate::{
    args::FormatArgs,
    commands::flows::store::moment,
    exit::{Exit, Failure},
    output::{self, Format},
};
use gather::Gathered;
use related::Related;

/// Flows that are judged at once unless `--max-flows` says otherwise: about a gigabyte.
const FLOWS_MAX: usize = 8_000_000;

/// Options of the command.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Files are told apart by content, compressed or not: NSG flow logs (versions 1 and 2), virtual network flow logs, \
                  what `palisade flows tail --format json` prints, Zeek's conn.log, Argus binetflow, and pcap; and what guests \
                  tell of logons: Windows event logs (Security, RdpCoreTS, OpenSSH, SQL Server), and lines of sshd and dropbear in syslog or \
                  of `journalctl`, with -o json or without. Folders are read with all below; - is standard input, and \
                  a named pipe is waited for until somebody writes to it. A flow store \
                  (a folder of one, s3://BUCKET/PATH or az://CONTAINER/PATH) is read as it is.\n\nA failed \
                  logon without an address, as network level authentication leaves it, gets that of another event or of the \
                  only flow of the same second.\n\nAlerts are named and graded as Defender for Cloud's for the network, \
                  where it has them. With --format json each is one object a line.\n\nExit code 1 means that there are alerts, \
                  0 that there are none, 2 that something could not be read."
)]
pub struct Arguments {
    /// Flow logs, captures, and logs of logons: files, folders, flow stores, or - for standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Prefixes of the guarded machines, for formats that do not say which end is guarded; by default private networks
    #[arg(long, value_name = "PREFIX", value_delimiter = ',')]
    guarded: Vec<Prefix>,
    /// Leave out alerts that are less grave
    #[arg(long, value_enum, value_name = "SEVERITY", default_value_t = Least::Informational)]
    min_severity: Least,
    /// Of flow stores: from this moment on (2026-11-22T13:00:00Z, or milliseconds since 1970)
    #[arg(long, value_name = "TIME", value_parser = moment)]
    from: Option<u64>,
    /// Of flow stores: before this moment
    #[arg(long, value_name = "TIME", value_parser = moment)]
    to: Option<u64>,
    /// Flows that are judged at once, at most; more are refused
    #[arg(long, value_name = "COUNT", default_value_t = FLOWS_MAX)]
    max_flows: usize,
    #[command(flatten)]
    format: FormatArgs,
}

/// The least grave alerts that are told.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum Least {
    /// For the record
    Informational,
    /// Worth a look some day
    Low,
    /// Worth a look today
    Medium,
    /// Worth a look now
    High,
    /// A machine is likely taken
    Critical,
}

impl From<Least> for Severity {
    fn from(least: Least) -> Self {
        match least {
            Least::Informational => Self::Informational,
            Least::Low => Self::Low,
            Least::Medium => Self::Medium,
            Least::High => Self::High,
            Least::Critical => Self::Critical,
        }
    }
}

/// Reads, judges and tells.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let span = arguments.from.unwrap_or(0)..arguments.to.unwrap_or(u64::MAX);
    let gathered = gather::read(&arguments.files, &arguments.guarded, arguments.max_flows, span)?;
    let alerts = judge(&gathered.log.connections, &gathered.logons.logons, arguments.min_severity.into());
    let related = Related::of(&alerts, &gathered.log.connections);
    match arguments.format.format {
        Format::Json => {
            for alert in &alerts {
                output::line(document(alert, &related.about(alert)))?;
            }
        }
        Format::Table => print(&alerts, &related, &gathered)?,
    }
    Ok(if alerts.is_empty() { Exit::Clean } else { Exit::Found })
}

/// What the detectors say, in the order of time.
fn judge(connections: &[Connection], logons: &[Logon], least: Severity) -> Vec<Alert> {
    progress(&format!("judging {} flows and {} logons", connections.len(), logons.len()));
    let (mut guard, mut alerts) = (Guard::default(), Vec::new());
    let mut rest = connections;
    for logon in logons {
        let (before, after) =
            rest.split_at(rest.partition_point(|connection| connection.end_ms <= logon.time_ms));
        guard.observe_all(before, &mut alerts);
        guard.observe_logon(logon, &mut alerts);
        rest = after;
    }
    guard.observe_all(rest, &mut alerts);
    guard.finish(&mut alerts);
    let losses = guard.losses().to_string();
    if !losses.is_empty() {
        eprintln!("warning: at the limits of memory: {losses} (judge fewer machines at a time)");
    }
    alerts.retain(|alert| alert.severity() >= least);
    alerts.sort_by_cached_key(|alert| {
        let guest = alert.guest.as_ref().map(Guest::name);
        (alert.time_ms, alert.name(), alert.source, alert.destination, alert.port, guest)
    });
    alerts
}

fn print(alerts: &[Alert], related: &Related<'_>, gathered: &Gathered) -> Result<(), Failure> {
    for alert in alerts {
        said::text(alert, &related.about(alert)).iter().try_for_each(output::line)?;
    }
    output::line(said::summary(alerts, gathered))?;
    Ok(())
}

/// Says on a terminal what is done now.
fn progress(step: &str) {
    if std::io::stderr().is_terminal() {
        eprintln!("{step} ...");
    }
}

//! `palisade alerts`: what the live detectors raised, and that somebody has looked at it.

mod inside;

use std::path::PathBuf;

use palisade_client::Client;
use palisade_control::time::rfc3339;
use palisade_guard::Severity;
use palisade_model::calendar::Moment;
use serde_json::Value;

use super::{
    RequestArgs,
    jit::find,
    rows::{self, Column, NOTHING, text},
};
use crate::{commands::detect::Least, exit::Exit, exit::Failure, output, output::Format};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Alerts, those seen last first; exit code 1 if one of them is open
    ///
    /// With --format json, one object a line, as `palisade detect` prints them.
    List(ListArgs),
    /// One alert, with the numbers that made it
    Show(ShowArgs),
    /// Say that somebody has looked at an alert: the next one of the same is a new alert
    Ack(AckArgs),
    /// What happened to a machine, in what order: flows, grants, changes, alerts and answers
    Timeline(TimelineArgs),
}

/// Options of `list`.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Acknowledged ones too
    #[arg(long)]
    all: bool,
    /// Leave out alerts that are less grave
    #[arg(long, value_enum, value_name = "SEVERITY")]
    min_severity: Option<Least>,
    /// Only this deed: scan, bruteforce, compromise, beacon, exfiltration or deviation
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Only of this virtual machine, by name or id
    #[arg(long = "vm", value_name = "VM")]
    machine: Option<String>,
    #[command(flatten)]
    span: SpanArgs,
    #[command(flatten)]
    request: RequestArgs,
}

/// A span of time.
#[derive(Debug, clap::Args)]
pub struct SpanArgs {
    /// From this time on, such as 2026-01-31T08:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<String>,
    /// Before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<String>,
}

/// Options of `show`.
#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// Id of the alert, as `alerts list` prints it
    #[arg(value_name = "ALERT")]
    id: String,
    #[command(flatten)]
    request: RequestArgs,
}

/// Options of `ack`.
#[derive(Debug, clap::Args)]
pub struct AckArgs {
    /// Ids of alerts, as `alerts list` prints them
    #[arg(value_name = "ALERT", required = true)]
    ids: Vec<String>,
    /// Why it is no concern any more
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    #[command(flatten)]
    request: RequestArgs,
}

/// Options of `timeline`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Without --since it is the last day. Flows that are alike are one line; they come from the server's flow store."
)]
pub struct TimelineArgs {
    /// Virtual machine, by name or id
    #[arg(value_name = "VM")]
    machine: String,
    /// Event logs of its Windows (.evtx), folders of them, or its disk, to be told with the rest
    #[arg(long = "guest", value_name = "LOG|IMAGE")]
    guest: Vec<PathBuf>,
    #[command(flatten)]
    span: SpanArgs,
    #[command(flatten)]
    request: RequestArgs,
}

/// A time as the server reads it.
fn time(text: &str) -> Result<String, String> {
    let moment = Moment::parse(text).and_then(|moment| u64::try_from(moment.seconds).ok());
    moment.map(rfc3339).ok_or_else(|| "not a time (write 2026-01-31T08:00Z)".to_owned())
}

/// Runs one action.
pub fn run(action: &Action) -> Result<Exit, Failure> {
    match action {
        Action::List(arguments) => list(arguments),
        Action::Show(arguments) => {
            let alert = arguments.request.client()?.alert(&arguments.id)?;
            match arguments.request.form() {
                Format::Json => output::json(&alert)?,
                Format::Table => describe(&alert)?,
            }
            Ok(Exit::Clean)
        }
        Action::Ack(arguments) => acknowledge(arguments),
        Action::Timeline(arguments) => timeline(arguments),
    }
}

const COLUMNS: [Column; 9] = [
    ("ALERT", |alert| text(alert, "/id")),
    ("SEVERITY", |alert| text(alert, "/severity")),
    ("NAME", |alert| text(alert, "/name")),
    ("BY", |alert| text(alert, "/subject")),
    ("AT", at),
    ("PORT", |alert| text(alert, "/port")),
    ("LAST", |alert| text(alert, "/last")),
    ("COUNT", |alert| text(alert, "/count")),
    ("STATE", |alert| text(alert, "/state")),
];

/// The machine that is concerned, or else whom it was done to.
fn at(alert: &Value) -> String {
    let machine = text(alert, "/machine");
    match machine.rsplit('/').next().filter(|name| *name != NOTHING) {
        Some(name) => name.to_owned(),
        None if alert["victimCount"] == 1 => text(alert, "/victims/0"),
        None => format!("{} addresses", alert["victimCount"]),
    }
}

fn list(arguments: &ListArgs) -> Result<Exit, Failure> {
    let ListArgs { all, min_severity, kind, machine, span, request } = arguments;
    let severity = min_severity.map(|least| Severity::from(least).to_string());
    let wanted = [
        ("state", (!all).then_some("Open")),
        ("severity", severity.as_deref()),
        ("kind", kind.as_deref()),
        ("machine", machine.as_deref()),
        ("since", span.since.as_deref()),
        ("until", span.until.as_deref()),
    ];
    let parameters: Vec<(&str, &str)> =
        wanted.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let client = request.client()?;
    let alerts = client.alerts(&parameters)?;
    if let (Some(machine), []) = (machine, alerts.as_slice()) {
        find::must_be_known(&client, machine)?;
    }
    match request.form() {
        // As `palisade detect` prints them: one object a line.
        Format::Json => alerts.iter().try_for_each(output::line)?,
        Format::Table => rows::table(COLUMNS, &alerts)?,
    }
    let is_open = |alert: &Value| alert["state"] == "Open";
    Ok(if alerts.iter().any(is_open) { Exit::Found } else { Exit::Clean })
}

fn acknowledge(arguments: &AckArgs) -> Result<Exit, Failure> {
    let client: Client = arguments.request.client()?;
    // All are looked for before any is written.
    arguments.ids.iter().try_for_each(|id| client.alert(id).map(drop))?;
    for id in &arguments.ids {
        let alert = client.acknowledge_alert(id, arguments.note.as_deref())?;
        match arguments.request.form() {
            Format::Json => output::line(&alert)?,
            Format::Table => output::line(format_args!(
                "{}: acknowledged by {} at {}",
                text(&alert, "/id"),
                text(&alert, "/acknowledgedBy"),
                text(&alert, "/acknowledgedAt")
            ))?,
        }
    }
    Ok(Exit::Clean)
}

fn timeline(arguments: &TimelineArgs) -> Result<Exit, Failure> {
    let TimelineArgs { machine, guest, span, request } = arguments;
    let wanted = [
        ("machine", Some(machine.as_str())),
        ("since", span.since.as_deref()),
        ("until", span.until.as_deref()),
    ];
    let parameters: Vec<(&str, &str)> =
        wanted.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let mut told = request.client()?.timeline(&parameters)?;
    inside::join(&mut told, guest)?;
    match request.form() {
        Format::Json => output::json(&told)?,
        Format::Table => {
            for item in told["value"].as_array().into_iter().flatten() {
                let [time, what, summary] = ["/time", "/what", "/summary"].map(|field| text(item, field));
                output::line(format_args!("{time:<24}  {what:<16} {summary}"))?;
            }
        }
    }
    if told["isCutOff"] == true {
        eprintln!(
            "warning: there is more than one answer can hold (ask for less time with --since and --until)"
        );
    }
    if told["hasFlows"] == false {
        eprintln!("warning: the server keeps no flow records (see its option --flow-store)");
    }
    Ok(Exit::Clean)
}

/// An alert for people: what, who and whom, when, and the numbers.
fn describe(alert: &Value) -> std::io::Result<()> {
    rows::members(
        alert,
        &[
            ("alert", "/id"),
            ("name", "/name"),
            ("severity", "/severity"),
            ("state", "/state"),
            ("by", "/subject"),
            ("sources", "/sourceCount"),
            ("victims", "/victims"),
            ("port", "/port"),
            ("direction", "/direction"),
            ("machine", "/machine"),
            ("interface", "/nic"),
            ("host", "/host"),
            ("first", "/first"),
            ("last", "/last"),
            ("raised", "/count"),
            ("flows", "/flows"),
            ("because", "/evidence"),
            ("acknowledged by", "/acknowledgedBy"),
            ("at", "/acknowledgedAt"),
            ("note", "/note"),
        ],
    )?;
    output::line("numbers")?;
    for (name, value) in alert["explain"].as_object().into_iter().flatten() {
        output::line(format_args!("  {name:<20} {value}"))?;
    }
    Ok(())
}

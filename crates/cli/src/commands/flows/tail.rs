//! `palisade flows tail`: listens at the agent's socket and prints what it tells.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use palisade_agent::events::Kind;
use serde_json::Value;

use super::cells::{self, NicArgs};
use crate::commands::agent::InstanceArgs;
use crate::{args::FormatArgs, exit::Exit, exit::Failure, output::Format};

/// Options of the command.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A line of kind `lost` says how many lines are missing: `by` the kernel, which had no room for them, or \
                        `by` the reader, who was too slow. Lines begin when the command does; what was before is not told."
)]
pub struct Arguments {
    #[command(flatten)]
    instance: InstanceArgs,
    #[command(flatten)]
    nic: NicArgs,
    /// Only these kinds, with commas between them
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = kind)]
    kind: Vec<Kind>,
    #[command(flatten)]
    format: FormatArgs,
}

fn kind(word: &str) -> Result<Kind, String> {
    let found = Kind::ALL.into_iter().find(|kind| kind.word().eq_ignore_ascii_case(word.trim()));
    found.ok_or_else(|| {
        let words: Vec<&str> = Kind::ALL.into_iter().map(Kind::word).collect();
        format!("it is none of {}", words.join(", "))
    })
}

/// Prints until the agent ends.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let path = arguments.instance.places()?.events_socket();
    let stream = UnixStream::connect(&path).map_err(|error| {
        Failure::other_side(format!(
            "nobody tells of flows at {}: {error} (start the agent: palisade agent ESTATE)",
            path.display()
        ))
    })?;
    let mut out = io::stdout().lock();
    if arguments.format.format == Format::Table {
        writeln!(out, "{}", heading())?;
    }
    for line in BufReader::new(stream).lines() {
        let line = line?;
        let told: Value = serde_json::from_str(&line)?;
        if arguments.wants(&told) {
            match arguments.format.format {
                Format::Json => writeln!(out, "{line}")?,
                Format::Table => writeln!(out, "{}", row(&told))?,
            }
            out.flush()?;
        }
    }
    Err(Failure::other_side("the agent has ended, or sent this reader away"))
}

impl Arguments {
    /// Whether a line is among those that were asked for. Those that are about the lines themselves always are.
    fn wants(&self, told: &Value) -> bool {
        let Some(kind) = Kind::ALL.into_iter().find(|kind| told["kind"] == kind.word()) else { return true };
        (self.kind.is_empty() || self.kind.contains(&kind)) && self.nic.wants(told)
    }
}

/// What the columns are called.
const HEADING: [&str; 10] =
    ["KIND", "NIC", "DIRECTION", "PROTO", "SOURCE", "DESTINATION", "PACKETS", "BYTES", "REASON", "RULES"];

/// What the columns are called, in a row.
pub fn heading() -> String {
    columns(HEADING)
}

/// Cells in columns. Widths are fixed: nobody knows what comes next.
fn columns(cells: [&str; 10]) -> String {
    let [kind, nic, direction, protocol, source, destination, packets, bytes, reason, rules] = cells;
    format!(
        "{kind:<9}  {nic:<15}  {direction:<9}  {protocol:<6}  {source:<21}  {destination:<21}  {packets:<11}  \
         {bytes:<11}  {reason:<20}  {rules}"
    )
}

/// A line as a row; one that is not about a flow as it is.
pub fn row(told: &Value) -> String {
    if told["direction"].is_null() {
        return told.to_string();
    }
    let text = |field| cells::text(told, field);
    columns([
        text("kind"),
        text("nic"),
        text("direction"),
        text("protocol"),
        &cells::source(told),
        &cells::destination(told),
        &cells::packets(told),
        &cells::bytes(told),
        text("reason"),
        &rules(&told["rules"]),
    ])
}

fn rules(rules: &Value) -> String {
    let one = |rule: &Value| match (rule["list"].as_str(), rule["rule"].as_str()) {
        (Some(list), Some(rule)) => format!("{list}/{}", rule.rsplit('/').next().unwrap_or(rule)),
        (None, Some(rule)) => rule.to_owned(),
        _ => format!("row {}", rule["row"]),
    };
    let all: Vec<String> = rules.as_array().into_iter().flatten().map(one).collect();
    if all.is_empty() { "-".to_owned() } else { all.join(", ") }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn wants(options: &[&str], told: &Value) -> bool {
        let line = ["tail"].iter().chain(options);
        Line::try_parse_from(line).expect("the options are right").arguments.wants(told)
    }

    fn denied() -> Value {
        json!({
            "kind": "wouldDeny", "nic": "web1", "nicId": "/nics/web1", "direction": "Inbound", "protocol": "Tcp",
            "source": "2001:db8::1", "sourcePort": 50000, "destination": "10.0.0.4", "destinationPort": 443,
            "packetsToDestination": 5, "packetsToSource": 0, "bytesToDestination": 300, "bytesToSource": 0,
            "reason": "SubnetDeny", "rules": [
                { "layer": "Subnet", "list": "web-nsg", "rule": "securityRules/deny-tls", "row": 4 }, { "row": 7 }
            ]
        })
    }

    #[test]
    fn lines_are_chosen_by_nic_and_kind() {
        let told = denied();
        for (options, expect) in [
            (&[][..], true),
            (&["--nic", "WEB1"], true),
            (&["--nic", "/nics/web1"], true),
            (&["--nic", "web2"], false),
            (&["--nic", "web2", "--nic", "web1"], true),
            (&["--kind", "deny"], false),
            (&["--kind", "deny, wouldDeny"], true),
            (&["--kind", "WOULDDENY", "--nic", "web2"], false),
        ] {
            assert_eq!(wants(options, &told), expect, "{options:?}");
            assert!(wants(options, &json!({ "kind": "lost", "count": 3 })), "{options:?}");
        }
        let error = Line::try_parse_from(["tail", "--kind", "denied"]).unwrap_err().to_string();
        assert!(error.contains("it is none of begin, continue, end, deny, cut, wouldDeny, limit"), "{error}");
    }

    #[test]
    fn a_row_has_a_column_for_everything() {
        let row = row(&denied());
        let words: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(
            words,
            [
                "wouldDeny",
                "web1",
                "Inbound",
                "Tcp",
                "[2001:db8::1]:50000",
                "10.0.0.4:443",
                "5/0",
                "300/0",
                "SubnetDeny",
                "web-nsg/deny-tls,",
                "row",
                "7"
            ]
        );
        assert_eq!(columns(HEADING).find("RULES"), row.find("web-nsg"), "columns stand under their names");
        assert_eq!(super::row(&json!({ "kind": "lost", "count": 3 })), r#"{"count":3,"kind":"lost"}"#);
    }
}

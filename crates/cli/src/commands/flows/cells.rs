//! Parts of a line that tells of a flow, as cells of a table.

use serde_json::Value;

/// Which NICs are meant.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct NicArgs {
    /// Only this NIC, by name or resource id; may be given several times
    #[arg(long, value_name = "NIC")]
    nic: Vec<String>,
}

impl NicArgs {
    /// Whether a line is about one of them.
    pub(super) fn wants(&self, told: &Value) -> bool {
        let is = |field: &str, wanted: &String| {
            told[field].as_str().is_some_and(|found| found.eq_ignore_ascii_case(wanted))
        };
        self.nic.is_empty() || self.nic.iter().any(|wanted| is("nic", wanted) || is("nicId", wanted))
    }
}

/// A text of the line.
pub(super) fn text<'v>(told: &'v Value, field: &str) -> &'v str {
    told[field].as_str().unwrap_or("-")
}

/// Who sent the first packet.
pub(super) fn source(told: &Value) -> String {
    end(told, "source", "sourcePort")
}

/// Who received it.
pub(super) fn destination(told: &Value) -> String {
    end(told, "destination", "destinationPort")
}

fn end(told: &Value, address: &str, port: &str) -> String {
    let address = text(told, address);
    let port = &told[port];
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

/// Packets there and back.
pub(super) fn packets(told: &Value) -> String {
    there_and_back([&told["packetsToDestination"], &told["packetsToSource"]])
}

/// Bytes there and back.
pub(super) fn bytes(told: &Value) -> String {
    there_and_back([&told["bytesToDestination"], &told["bytesToSource"]])
}

/// Two counters, if they were told.
fn there_and_back([there, back]: [&Value; 2]) -> String {
    if there.is_null() { "-".to_owned() } else { format!("{there}/{back}") }
}

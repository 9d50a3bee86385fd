//! `palisade watch`: what changes, as it changes, until Ctrl-C.

use serde_json::Value;

use super::{
    RequestArgs,
    rows::{NOTHING, text},
};
use crate::{exit::Exit, exit::Failure, output, output::Format};

/// Options of the command.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Begin after this revision instead of now, as far back as the server remembers
    #[arg(long, value_name = "REVISION")]
    after: Option<u64>,
    /// Only ids with this in them, whatever the case
    #[arg(long, value_name = "TEXT")]
    matching: Option<String>,
    #[command(flatten)]
    request: RequestArgs,
}

/// Prints changes until the server ends the stream.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let client = arguments.request.client()?;
    let wanted = arguments.matching.as_ref().map(|text| text.to_lowercase());
    for notice in client.watch(arguments.after)? {
        let notice = notice.map_err(|error| {
            Failure::other_side(format!("the connection to {} broke: {error}", client.endpoint()))
        })?;
        if wanted.as_ref().is_some_and(|wanted| !notice.data.to_string().to_lowercase().contains(wanted)) {
            continue;
        }
        match arguments.request.form() {
            Format::Json => output::line(serde_json::json!({
                "event": notice.kind, "id": notice.id, "data": notice.data,
            }))?,
            Format::Table => output::line(sentence(&notice.kind, &notice.data))?,
        }
    }
    Err(Failure::other_side(format!("{} ended the stream (watch again with --after)", client.endpoint())))
}

/// An event in one line.
fn sentence(kind: &str, data: &Value) -> String {
    match kind {
        "commit" => {
            let changes = data["changes"].as_array().into_iter().flatten();
            let changes: Vec<_> = changes
                .map(|one| format!("{} {}", text(one, "/effect").to_lowercase(), text(one, "/id")))
                .collect();
            format!(
                "revision {} by {}: {}",
                text(data, "/revision"),
                text(data, "/caller"),
                changes.join(", ")
            )
        }
        "operation" => {
            let message = text(data, "/error/message");
            let why = if message == NOTHING { String::new() } else { format!(": {message}") };
            format!("operation {} {}{why}", text(data, "/id"), text(data, "/status"))
        }
        "host" => format!(
            "host {} {}, revision {} in force",
            text(data, "/name"),
            text(data, "/state").to_lowercase(),
            text(data, "/appliedRevision")
        ),
        other => format!("{other} {data}"),
    }
}

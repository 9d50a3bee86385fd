//! `palisade flows list`: the flows that the kernel knows now.

use std::io::{self, Write};

use serde_json::Value;

use super::cells::{self, NicArgs};
use crate::commands::agent::InstanceArgs;
use crate::{args::FormatArgs, exit::Exit, exit::Failure, output, output::Format};

/// Options of the command.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    instance: InstanceArgs,
    #[command(flatten)]
    nic: NicArgs,
    #[command(flatten)]
    format: FormatArgs,
}

/// Prints the flows, in no order; JSON is one object a line.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let (mut rows, mut written) = (Vec::new(), Ok(()));
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut sink = |line: &str| {
        let Ok(told) = serde_json::from_str::<Value>(line) else { return };
        match arguments.format.format {
            _ if written.is_err() || !arguments.nic.wants(&told) => {}
            Format::Json => written = out.write_all(line.as_bytes()),
            Format::Table => rows.push(row(&told)),
        }
    };
    palisade_agent::list_flows(&arguments.instance.places()?, &mut sink).map_err(Failure::caused_by)?;
    written.and_then(|()| out.flush())?;
    drop(out);
    if arguments.format.format == Format::Table {
        output::table(
            ["NIC", "DIRECTION", "PROTO", "STATE", "SOURCE", "DESTINATION", "PACKETS", "BYTES"],
            &rows,
        )?;
    }
    Ok(Exit::Clean)
}

fn row(told: &Value) -> [String; 8] {
    [
        cells::text(told, "nic").to_owned(),
        cells::text(told, "direction").to_owned(),
        cells::text(told, "protocol").to_owned(),
        cells::text(told, "state").to_owned(),
        cells::source(told),
        cells::destination(told),
        cells::packets(told),
        cells::bytes(told),
    ]
}

//! `palisade flows export`: records of a store as a flow log of Azure's, or as lines of our hosts.

use std::{
    io::{self, BufWriter, Write},
    path::PathBuf,
};

use palisade_flowstore::exchange::{self, ExportError, Exported, Shape};
use palisade_model::FlowLogFormat;

use super::{StoreArgs, failure, filter::FilterArgs, threads};
use crate::{exit::Exit, exit::Failure, whole};

/// Options of the command.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    filter: FilterArgs,
    /// The format
    #[arg(long = "as", value_name = "FORMAT")]
    shape: Format,
    /// The file to write; without it stdout
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    /// Virtual network flow log, schema 4
    Vnet4,
    /// NSG flow log, version 2
    Nsg2,
    /// NSG flow log, version 1
    Nsg1,
    /// Lines as `palisade flows tail --format json` prints them
    Lines,
}

impl Format {
    const fn shape(self) -> Shape {
        match self {
            Self::Vnet4 => Shape::Azure(FlowLogFormat::VirtualNetwork),
            Self::Nsg2 => Shape::Azure(FlowLogFormat::Nsg2),
            Self::Nsg1 => Shape::Azure(FlowLogFormat::Nsg1),
            Self::Lines => Shape::Lines,
        }
    }
}

/// Exports; says on stderr what the format has nothing for, and ends with 1 then.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let store = arguments.store.open()?;
    let filter = arguments.filter.filter();
    let export = |out: &mut dyn Write| -> Result<Exported, Failure> {
        let mut out = BufWriter::new(out);
        let shape = arguments.shape.shape();
        let exported = exchange::export(&store, &filter, shape, threads(), &mut out).map_err(failed)?;
        out.flush()?;
        Ok(exported)
    };
    let exported = match &arguments.output {
        None => export(&mut io::stdout().lock())?,
        Some(path) => whole::write(path, export)?,
    };
    if exported.left_out > 0 {
        eprintln!("warning: {} records are left out: the format has nothing for them", exported.left_out);
        return Ok(Exit::Found);
    }
    Ok(Exit::Clean)
}

/// A reader that went away is no failure worth a message.
pub fn failed(error: ExportError) -> Failure {
    match error {
        ExportError::Store(error) => failure(error),
        ExportError::Io(error) => error.into(),
    }
}

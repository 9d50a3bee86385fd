//! `palisade flows query`: records of a store, or what groups of them come to.

use std::io::{self, BufWriter, Write};

use palisade_flowstore::{
    exchange::{Shape, export},
    query::{self, Key, Measure, Question},
};
use serde_json::Value;

use super::{StoreArgs, failure, filter::FilterArgs, key, print, threads};
use crate::{
    args::FormatArgs,
    commands::flows::{store::export::failed, tail},
    exit::{Exit, Failure},
    output::Format,
};

/// Options of the command.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Without --by it prints records, as `palisade flows tail` does; with it, groups of them, those with most bytes first."
)]
pub struct Arguments {
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    filter: FilterArgs,
    /// Group by columns of the store, or by minute, hour or day, with commas between them
    #[arg(long, value_name = "COLUMN", value_delimiter = ',', value_parser = key)]
    by: Vec<Key>,
    /// Groups that are printed at most
    #[arg(long, value_name = "COUNT", default_value_t = 1_000, requires = "by")]
    limit: usize,
    #[command(flatten)]
    format: FormatArgs,
}

/// Asks and prints.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let store = arguments.store.open()?;
    let filter = arguments.filter.filter();
    if !arguments.by.is_empty() {
        let measures = vec![Measure::Bytes, Measure::Packets, Measure::Records];
        let question = Question { filter, by: arguments.by.clone(), measures, limit: arguments.limit };
        let answer = query::ask(&store, &question, threads()).map_err(failure)?;
        print(&answer, &question.by, &question.measures, arguments.format.format)?;
        return Ok(Exit::Clean);
    }
    let mut out = BufWriter::new(io::stdout().lock());
    match arguments.format.format {
        Format::Json => export(&store, &filter, Shape::Lines, threads(), &mut out).map(drop),
        Format::Table => {
            export(&store, &filter, Shape::Lines, threads(), &mut Rows::new(&mut out)?).map(drop)
        }
    }
    .map_err(failed)?;
    out.flush()?;
    Ok(Exit::Clean)
}

/// Takes lines of JSON and writes rows.
struct Rows<W> {
    out: W,
    line: Vec<u8>,
}

impl<W: Write> Rows<W> {
    fn new(mut out: W) -> io::Result<Self> {
        writeln!(out, "{}", tail::heading())?;
        Ok(Self { out, line: Vec::new() })
    }
}

impl<W: Write> Write for Rows<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                let told: Value = serde_json::from_slice(&self.line)?;
                self.line.clear();
                writeln!(self.out, "{}", tail::row(&told))?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

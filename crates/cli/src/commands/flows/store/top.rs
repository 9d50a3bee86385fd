//! `palisade flows top`: who talks most.

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use palisade_flowstore::query::{self, Key, Measure, Question};

use super::{StoreArgs, failure, filter::FilterArgs, key, print, threads};
use crate::{args::FormatArgs, exit::Exit, exit::Failure};

/// Options of the command.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    filter: FilterArgs,
    /// Columns of the store, or minute, hour or day, with commas between them
    #[arg(long, value_name = "COLUMN", value_delimiter = ',', value_parser = key, default_value = "remote_address")]
    by: Vec<Key>,
    /// What is summed up
    #[arg(long, value_name = "MEASURE", default_value = "bytes", value_parser = measures())]
    measure: Measure,
    /// Groups that are printed at most
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    limit: usize,
    #[command(flatten)]
    format: FormatArgs,
}

fn measures() -> impl clap::builder::TypedValueParser<Value = Measure> {
    PossibleValuesParser::new(Measure::ALL.map(Measure::word)).map(|word| {
        let found = Measure::ALL.into_iter().find(|measure| measure.word() == word);
        found.expect("only words of measures are possible")
    })
}

/// Asks and prints.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let store = arguments.store.open()?;
    let mut measures = vec![arguments.measure];
    if arguments.measure != Measure::Records {
        measures.push(Measure::Records);
    }
    let question = Question {
        filter: arguments.filter.filter(),
        by: arguments.by.clone(),
        measures,
        limit: arguments.limit,
    };
    let answer = query::ask(&store, &question, threads()).map_err(failure)?;
    print(&answer, &question.by, &question.measures, arguments.format.format)?;
    Ok(Exit::Clean)
}

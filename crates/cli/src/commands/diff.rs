//! `palisade diff`: what traffic two estates judge differently.

pub mod document;
pub mod text;

use std::{
    path::{Path, PathBuf},
    rc::Rc,
};

use palisade_agent::clock::window_s;
use palisade_analysis::{Change, Class, EstateDiff, Limits, Names, Side, diff_estates};
use palisade_classify::{Decision, Verdict};
use palisade_model::{EffectivePolicy, Estate};
use palisade_net::Direction;

use super::said::Said;
use crate::{
    args::{self, EstateArgs, FormatArgs, ReadingArgs},
    commands::estate,
    exit::{Exit, Failure},
    output::{self, Format},
};

/// Options of the command.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Interfaces are compared by resource id, one for all that have the same rules; NSGs at no interface alone. \
                  Traffic is told by the rules that decide it before and after. Tags, subnets and application security \
                  groups are named where they mean exactly that traffic in both estates; otherwise prefixes are. An estate \
                  compared with itself under another tag file shows what the tags' drift changes.\n\nExit code 1 means \
                  that they differ, 2 that one could not be read."
)]
pub struct Arguments {
    /// The estate before: a file or folder
    before: PathBuf,
    /// The estate after: a file or folder
    after: PathBuf,
    /// When to compare, for rules with a window: a time in ISO 8601 such as 2026-01-31T08:00Z; by default now
    #[arg(long, value_name = "TIME", value_parser = args::time)]
    at: Option<u32>,
    #[command(flatten)]
    format: FormatArgs,
    #[command(flatten)]
    reading: ReadingArgs,
    /// The service tag file after, if it is another one
    #[arg(long, value_name = "FILE", help_heading = "Estate")]
    service_tags_after: Vec<PathBuf>,
}

/// Compares two estates.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let mut reading = arguments.reading.clone();
    let before = load(&arguments.before, &reading)?;
    if !arguments.service_tags_after.is_empty() {
        reading.service_tags.clone_from(&arguments.service_tags_after);
    }
    let after = load(&arguments.after, &reading)?;
    let now = arguments.at.unwrap_or_else(window_s);
    let found = diff_estates(&before, &after, now, Limits::default()).map_err(Failure::input)?;
    let compared = Compared { estates: [&before, &after], found: &found };
    match arguments.format.format {
        Format::Json => output::json(&document::document(&compared))?,
        Format::Table => text::print(&compared)?,
    }
    Ok(if found.is_identical() { Exit::Clean } else { Exit::Found })
}

/// One of the estates.
fn load(path: &Path, reading: &ReadingArgs) -> Result<Estate, Failure> {
    let arguments = EstateArgs { estate: vec![path.to_owned()], reading: reading.clone() };
    Ok(estate::load(&arguments)?.estate)
}

/// What is printed.
struct Compared<'a> {
    estates: [&'a Estate; 2],
    found: &'a EstateDiff,
}

impl<'a> Compared<'a> {
    /// Every change, with its class, direction, and the names that it is told in, which a class finds once.
    fn changes(&self) -> impl Iterator<Item = (&'a Class, Direction, &'a Change, Rc<Names>)> {
        let estates = self.estates;
        self.found.classes.iter().filter(|class| has_changes(class)).flat_map(move |class| {
            let names = Rc::new(Names::of([&class.before, &class.after], estates));
            Direction::ALL.into_iter().flat_map(move |direction| {
                let names = names.clone();
                let changes = class.diff(direction).changes.iter();
                changes.map(move |change| (class, direction, change, names.clone()))
            })
        })
    }

    /// Classes and directions with packets whose verdict neither estate tells.
    fn open(&self) -> impl Iterator<Item = (&'a Class, Direction)> {
        let classes = self.found.classes.iter();
        let both = classes.flat_map(|class| Direction::ALL.map(|direction| (class, direction)));
        both.filter(|(class, direction)| !class.diff(*direction).open.is_zero())
    }
}

fn has_changes(class: &Class) -> bool {
    Direction::ALL.into_iter().any(|direction| !class.diff(direction).changes.is_empty())
}

/// What one of the policies says.
fn said<'a>(policy: &'a EffectivePolicy, direction: Direction, side: Side) -> Said<'a> {
    let Decision { verdict, hit, reason, .. } = match side.verdict {
        Verdict::Unknown => Decision::UNDETERMINED,
        known => Decision::of(known, side.hit, policy, direction),
    };
    Said::new(policy, direction, verdict, hit, reason)
}

/// Names of the members of a class.
fn members(class: &Class) -> Vec<&str> {
    class.members.iter().map(palisade_model::ResourceId::name).collect()
}

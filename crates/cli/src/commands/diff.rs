//! `palisade diff`: what traffic two estates judge differently.

mod document;
mod text;

use std::path::PathBuf;

use palisade_agent::clock::window_s;
use palisade_analysis::{Change, Class, EstateDiff, Limits, Names, Side, diff_estates};
use palisade_classify::{Decision, Verdict};
use palisade_model::{EffectivePolicy, Estate};
use palisade_net::Direction;

use super::said::Said;
use crate::{
    args::{self, EstateArgs, FormatArgs},
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
    /// Parameters file of the templates of both
    #[arg(long, value_name = "FILE", help_heading = "Estate")]
    parameters: Vec<PathBuf>,
    /// Microsoft's service tag file
    #[arg(long, value_name = "FILE", env = "PALISADE_SERVICE_TAGS", help_heading = "Estate")]
    service_tags: Vec<PathBuf>,
    /// The service tag file after, if it is another one
    #[arg(long, value_name = "FILE", help_heading = "Estate")]
    service_tags_after: Vec<PathBuf>,
    /// Subscription that templates are evaluated in
    #[arg(long, value_name = "ID", help_heading = "Estate")]
    subscription: Option<String>,
    /// Resource group that templates are evaluated in
    #[arg(long, value_name = "NAME", help_heading = "Estate")]
    resource_group: Option<String>,
    /// Region that templates are evaluated in
    #[arg(long, value_name = "REGION", help_heading = "Estate")]
    location: Option<String>,
    /// When to compare, for rules with a window: a time in ISO 8601 such as 2026-01-31T08:00Z; by default now
    #[arg(long, value_name = "TIME", value_parser = args::time)]
    at: Option<u32>,
    #[command(flatten)]
    format: FormatArgs,
}

/// Compares two estates.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let tags_after = match arguments.service_tags_after.as_slice() {
        [] => &arguments.service_tags,
        _ => &arguments.service_tags_after,
    };
    let before = estate::load(&arguments.estate(&arguments.before, &arguments.service_tags))?.estate;
    let after = estate::load(&arguments.estate(&arguments.after, tags_after))?.estate;
    let now = arguments.at.unwrap_or_else(window_s);
    let found = diff_estates(&before, &after, now, Limits::default()).map_err(Failure::input)?;
    let compared = Compared { estates: [&before, &after], found: &found };
    match arguments.format.format {
        Format::Json => output::json(&document::document(&compared))?,
        Format::Table => text::print(&compared)?,
    }
    Ok(if found.is_identical() { Exit::Clean } else { Exit::Found })
}

impl Arguments {
    /// One of the estates, as other commands are given theirs.
    fn estate(&self, path: &std::path::Path, service_tags: &[PathBuf]) -> EstateArgs {
        EstateArgs {
            estate: vec![path.to_owned()],
            parameters: self.parameters.clone(),
            service_tags: service_tags.to_owned(),
            subscription: self.subscription.clone(),
            resource_group: self.resource_group.clone(),
            location: self.location.clone(),
        }
    }
}

/// What is printed.
struct Compared<'a> {
    estates: [&'a Estate; 2],
    found: &'a EstateDiff,
}

impl<'a> Compared<'a> {
    /// Every change, with its class and direction.
    fn changes(&self) -> impl Iterator<Item = (&'a Class, Direction, &'a Change)> {
        self.found.classes.iter().flat_map(|class| {
            Direction::ALL.into_iter().flat_map(move |direction| {
                class.diff(direction).changes.iter().map(move |change| (class, direction, change))
            })
        })
    }

    /// Classes and directions with packets whose verdict neither estate tells.
    fn open(&self) -> impl Iterator<Item = (&'a Class, Direction)> {
        let classes = self.found.classes.iter();
        let both = classes.flat_map(|class| Direction::ALL.map(|direction| (class, direction)));
        both.filter(|(class, direction)| !class.diff(*direction).open.is_zero())
    }

    /// The names that a class is told in.
    fn names(&self, class: &Class) -> Names {
        Names::of([&class.before, &class.after], self.estates)
    }
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

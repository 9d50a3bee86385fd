//! `palisade diff`: what traffic two estates judge differently.

pub mod document;
pub mod text;

use std::{
    io,
    path::{Path, PathBuf},
    rc::Rc,
};

use palisade_agent::{clock::window_s, load::EstateSources};
use palisade_analysis::{Change, Class, EstateDiff, Limits, Names, Side, diff_estates};
use palisade_arm::{estate::PlanSide, json};
use palisade_classify::Decision;
use palisade_model::{EffectivePolicy, Estate};
use palisade_net::Direction;
use serde_json::Value;

use super::said::Said;
use crate::{
    args::{self, FormatArgs, ReadingArgs},
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
                  compared with itself under another tag file shows what the tags' drift changes. A Terraform plan holds both \
                  estates: what it replaces is told as the traffic that changes.\n\nExit code 1 means \
                  that they differ, 2 that one could not be read."
)]
pub struct Arguments {
    /// The estate before and the estate after: a file or folder each
    #[arg(value_names = ["BEFORE", "AFTER"], num_args = 2, required_unless_present_any = ["before", "terraform_plan"])]
    pair: Vec<PathBuf>,
    /// Files and folders that are the estate before, where they are several
    #[arg(long, value_name = "PATH", num_args = 1.., requires = "after", conflicts_with = "pair")]
    before: Vec<PathBuf>,
    /// Files and folders that are the estate after
    #[arg(long, value_name = "PATH", num_args = 1.., requires = "before", conflicts_with = "pair")]
    after: Vec<PathBuf>,
    /// Terraform plans as JSON: what there is before they are applied is compared with what there will be
    #[arg(long, value_name = "PLAN", num_args = 1.., conflicts_with_all = ["pair", "before", "after"])]
    terraform_plan: Vec<PathBuf>,
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
    let [old, new] = sides(arguments)?;
    let before = load(&old, &reading)?;
    if !arguments.service_tags_after.is_empty() {
        reading.service_tags.clone_from(&arguments.service_tags_after);
    }
    let after = load(&new, &reading)?;
    let now = arguments.at.unwrap_or_else(window_s);
    let found = diff_estates(&before, &after, now, Limits::default()).map_err(Failure::input)?;
    let compared = Compared { estates: [&before, &after], found: &found };
    match arguments.format.format {
        Format::Json => output::json(&compared.document())?,
        Format::Table => compared.print()?,
    }
    Ok(if found.is_identical() { Exit::Clean } else { Exit::Found })
}

/// Where one of the estates is.
struct Where {
    paths: Vec<PathBuf>,
    plans: PlanSide,
}

/// Where both estates are.
fn sides(arguments: &Arguments) -> Result<[Where; 2], Failure> {
    let plans = &arguments.terraform_plan;
    if !plans.is_empty() {
        plans.iter().try_for_each(|path| check_plan(path))?;
        return Ok(
            [PlanSide::Before, PlanSide::After].map(|side| Where { paths: plans.clone(), plans: side })
        );
    }
    let place = |paths: &[PathBuf]| Where { paths: paths.to_vec(), plans: PlanSide::After };
    Ok(match &arguments.pair[..] {
        [before, after] => [before, after].map(|path| place(std::slice::from_ref(path))),
        _ => [&arguments.before, &arguments.after].map(|paths| place(paths)),
    })
}

/// Refuses a file that tells no changes, since it would be compared with itself.
fn check_plan(path: &Path) -> Result<(), Failure> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|error| Failure::input(format!("{name}: {error}")))?;
    let document = json::parse(&name, &bytes).map_err(|error| Failure::input(format!("{name}: {error}")))?;
    match document.root.get("resource_changes") {
        Some(_) => Ok(()),
        None => Err(Failure::input(format!(
            "{name}: this is no Terraform plan: it has no resource_changes (write terraform show -json PLAN > {name})"
        ))),
    }
}

/// One of the estates.
fn load(place: &Where, reading: &ReadingArgs) -> Result<Estate, Failure> {
    let sources = EstateSources { plans: place.plans, ..estate::sources_of(&place.paths, reading) };
    Ok(estate::read(&sources)?.estate)
}

/// What is printed.
#[derive(Debug, Clone, Copy)]
pub struct Compared<'a> {
    /// Before and after.
    pub estates: [&'a Estate; 2],
    /// What differs between them.
    pub found: &'a EstateDiff,
}

impl<'a> Compared<'a> {
    /// Prints all that differs, a paragraph each.
    pub fn print(&self) -> io::Result<()> {
        text::print(self)
    }

    /// All that differs, as one document.
    pub fn document(&self) -> Value {
        document::document(self)
    }

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
pub fn said<'a>(policy: &'a EffectivePolicy, direction: Direction, side: Side) -> Said<'a> {
    let Decision { verdict, hit, reason, .. } = side.decision(policy, direction);
    Said::new(policy, direction, verdict, hit, reason)
}

/// Names of the members of a class.
fn members(class: &Class) -> Vec<&str> {
    class.members.iter().map(palisade_model::ResourceId::name).collect()
}

//! Reads estates, asks them, and puts what was found beside its place in a file.

use std::{num::NonZero, thread};

use palisade_agent::load::{self, EstateSources, LeftOut, Problem, Salvaged};
use palisade_analysis::{
    AnalysisError, Limits,
    findings::{Finding, Findings, Open, Subject, findings},
};
use palisade_model::{Place, Places, TagCatalog, spec::Unknown};

use super::{
    select::Selection,
    suppressions::{Accepted, Suppressions},
};
use crate::exit::Failure;

/// A finding, where it stands, and whether somebody accepted it.
#[derive(Debug, Clone)]
pub struct Told {
    /// The estate, if several are checked.
    pub estate: Option<String>,
    /// The finding.
    pub finding: Finding,
    /// Where its cause stands.
    pub place: Option<Place>,
    /// Who accepted it, and until when.
    pub accepted: Option<Accepted>,
}

impl Told {
    /// Whether nobody accepted it.
    pub const fn is_open(&self) -> bool {
        self.accepted.is_none()
    }
}

/// Something of one of the estates.
#[derive(Debug, Clone)]
pub struct Of<T> {
    /// The estate, if several are checked.
    pub estate: Option<String>,
    /// What it is.
    pub what: T,
}

/// Everything that is answered.
#[derive(Debug, Default)]
pub struct Answer {
    /// Findings, the worst first in each estate.
    pub told: Vec<Told>,
    /// What could not be told.
    pub open: Vec<Of<Open>>,
    /// What the input leaves open.
    pub unknowns: Vec<Of<Unknown>>,
    /// What was left out because of an error.
    pub left_out: Vec<Of<LeftOut>>,
    /// Estates.
    pub estates: usize,
    /// Interfaces of all estates.
    pub nics: usize,
    /// NSGs of all estates.
    pub nsgs: usize,
}

/// One estate, read and asked.
struct Asked {
    salvaged: Salvaged,
    found: Findings,
}

/// Warnings of an estate that are printed before the rest is only counted.
const WARNINGS_SHOWN: usize = 5;

impl Answer {
    /// Asks every estate. They are shared among the processors; the order of the answer is that of the estates.
    pub fn of(
        estates: &[(Option<String>, EstateSources)],
        tags: &TagCatalog,
        now: u32,
    ) -> Result<Self, Failure> {
        let workers = thread::available_parallelism().map_or(1, NonZero::get).min(estates.len()).max(1);
        let ask_all = |worker: usize| {
            let mine = estates.iter().enumerate().skip(worker).step_by(workers);
            mine.map(|(number, (_, sources))| (number, ask(sources, tags, now))).collect::<Vec<_>>()
        };
        let mut asked: Vec<(usize, Result<Asked, AnalysisError>)> = thread::scope(|scope| {
            let others: Vec<_> = (1..workers).map(|worker| scope.spawn(move || ask_all(worker))).collect();
            let mut all = ask_all(0);
            for other in others {
                all.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
            all
        });
        asked.sort_by_key(|(number, _)| *number);
        let mut answer = Self { estates: estates.len(), ..Self::default() };
        for ((estate, _), (_, asked)) in estates.iter().zip(asked) {
            answer.add(estate, asked.map_err(Failure::other_side)?);
        }
        Ok(answer)
    }

    fn add(&mut self, estate: &Option<String>, Asked { salvaged, found }: Asked) {
        warn(&salvaged.warnings);
        let of = |what| Of { estate: estate.clone(), what };
        self.nics += salvaged.estate.nics().count();
        self.nsgs += salvaged.estate.nsgs().count();
        self.told.extend(found.findings.into_iter().map(|finding| Told {
            estate: estate.clone(),
            place: place(&finding.subject, &salvaged.places).cloned(),
            finding,
            accepted: None,
        }));
        self.open.extend(found.open.into_iter().map(|what| Of { estate: estate.clone(), what }));
        self.unknowns.extend(salvaged.unknowns.into_iter().map(|what| Of { estate: estate.clone(), what }));
        self.left_out.extend(salvaged.left_out.into_iter().map(of));
    }

    /// Keeps the findings that are asked for.
    pub fn select(&mut self, selection: &Selection) {
        self.told.retain(|told| selection.wants(told.finding.check));
    }

    /// Marks what is accepted, and adds what there is to say about suppressions themselves.
    pub fn suppress(&mut self, suppressions: &Suppressions, now: u32) {
        for told in &mut self.told {
            told.accepted = suppressions.accept(&told.finding, now);
        }
        let about = suppressions.findings(&self.told.iter().map(|told| &told.finding), now);
        self.told.extend(about.into_iter().map(|(finding, place)| Told {
            estate: None,
            finding,
            place: Some(place),
            accepted: None,
        }));
    }
}

fn ask(sources: &EstateSources, tags: &TagCatalog, now: u32) -> Result<Asked, AnalysisError> {
    let salvaged = load::leniently(sources, tags.clone());
    // What an answer to an alert closes is open again when it ends, and must not be found only then.
    let found = findings(&salvaged.estate.without_answers(), now, Limits::default())?;
    Ok(Asked { salvaged, found })
}

/// Where the rule of a finding stands, or the resource that it is about.
fn place<'p>(subject: &Subject, places: &'p Places) -> Option<&'p Place> {
    let anchor = subject.anchor()?;
    let found = match subject.rule.as_deref() {
        None => places.resource(anchor),
        Some(path) => match path.split_once('/') {
            Some(("securityRules", name)) => places.rule(anchor, name),
            Some(_) => places.resource(anchor),
            None => places.admin_rule(anchor, path),
        },
    };
    found.or_else(|| subject.nics.iter().chain(&subject.subnet).find_map(|id| places.resource(id)))
}

fn warn(warnings: &[Problem]) {
    for (shown, warning) in warnings.iter().enumerate() {
        if shown == WARNINGS_SHOWN {
            eprintln!("warning: and {} more", warnings.len() - shown);
            break;
        }
        eprintln!("warning: {warning}");
    }
}

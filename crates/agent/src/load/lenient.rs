//! The rest of an estate in error, for commands that only ask.
//!
//! What cannot be read, or is in error, is left out or unknown, and stands in a list; the answers about everything else are
//! what they would be without it. Nothing of this may be enforced: [`super::estate`] refuses such an estate as a whole.

use palisade_arm::estate as arm;
use palisade_model::{Estate, Places, TagCatalog, spec::Unknown};

use super::{EstateSources, Problem, documents, files::Reader};

/// An estate, and what there is to say about it.
#[derive(Debug, Clone)]
pub struct Salvaged {
    /// The estate.
    pub estate: Estate,
    /// Where its resources and rules stand.
    pub places: Places,
    /// What is left out or unknown because of an error.
    pub left_out: Vec<LeftOut>,
    /// What surprises.
    pub warnings: Vec<Problem>,
    /// What the input leaves open.
    pub unknowns: Vec<Unknown>,
}

/// Something that is not part of the answers because of an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// A file, a resource, or a rule of one.
    pub what: String,
    /// The error.
    pub problem: Problem,
}

/// Reads an estate of files and takes as much of it as is sound. The tags are the caller's, who reads them once for many
/// estates; files of tags among the sources are not read.
pub fn leniently(sources: &EstateSources, tags: TagCatalog) -> Salvaged {
    let mut reader = Reader::default();
    let inputs = reader.read_all(&sources.paths);
    let parameters = reader.read_all(&sources.parameters);
    let mut problems = reader.problems;
    let documents = documents(inputs, parameters, &mut problems);
    let read = arm::read(&documents, &sources.options());
    problems.extend(read.problems.into_iter().map(Problem::from));
    let (errors, mut warnings): (Vec<_>, Vec<_>) = problems.into_iter().partition(|problem| problem.is_error);
    let mut left_out: Vec<LeftOut> = errors.into_iter().map(about_file).collect();
    let checked = Estate::validate_leniently(&read.spec, tags);
    left_out.extend(checked.left_out.iter().map(about_resource));
    for problem in checked.problems {
        let is_named = checked.left_out.iter().any(|left| left.problem == problem);
        let problem = Problem::from(problem);
        match problem.is_error {
            true if is_named => {}
            true => left_out.push(about_file(problem)),
            false => warnings.push(problem),
        }
    }
    let unknowns = checked.estate.unknowns().to_vec();
    Salvaged { estate: checked.estate, places: Places::of(&read.spec), left_out, warnings, unknowns }
}

/// An error about a file, or about something in it that has no id.
fn about_file(problem: Problem) -> LeftOut {
    let what = if problem.file.is_empty() { "the input".to_owned() } else { problem.file.clone() };
    LeftOut { what, problem }
}

fn about_resource(left: &palisade_model::LeftOut) -> LeftOut {
    let rule = left.rule.as_ref().map(|rule| format!(", rule {rule}")).unwrap_or_default();
    LeftOut { what: format!("{}{rule}", left.resource), problem: left.problem.clone().into() }
}

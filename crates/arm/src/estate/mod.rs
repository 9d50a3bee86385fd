//! Files of every shape that Azure's tools write become one estate: what the user has, in the model's words.
//!
//! [`read`] takes texts: ARM templates and their parameters, what `az` prints, REST bodies, Resource Graph exports and
//! Terraform plans. It tells them apart by content, evaluates what must be evaluated, maps resources to
//! [`EstateSpec`], and merges. It reads no file and judges no rule; that is `palisade-model`'s part.
//!
//! Invariant: nothing is guessed or dropped in silence. What cannot be resolved is unknown with its reason, what cannot
//! be read is a problem with its place, and every value says where it stands.

mod bundle;
mod fields;
mod identity;
mod index;
mod item;
mod load;
mod map;
mod problem;
mod recognise;
mod settle;
mod terraform;
#[cfg(test)]
mod tests;
mod walk;

use palisade_model::spec::EstateSpec;
use palisade_model::{ResourceId, Severity};

pub use problem::{ArmProblem, Code, PROBLEMS_MAX};
pub use settle::{Summary, UnresolvedRule};

use crate::template::DeploymentContext;
use bundle::Bundle;
use fields::Reader;
use item::Item;
use load::{Evaluated, Sources};
use map::{Gathered, Resource};
use problem::Problems;

/// A text and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// The name as the user gave it, a path with `/`; messages use it, and links between templates follow it.
    pub name: String,
    /// The contents.
    pub text: String,
}

/// A file of the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The file.
    pub file: File,
    /// Parameters, if the file is a template and they are given explicitly. Otherwise a parameter file beside the
    /// template is used, if the input has one: `X.parameters.json` for `X.json`.
    pub parameters: Option<File>,
}

impl Document {
    /// A file without explicit parameters.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { file: File { name: name.into(), text: text.into() }, parameters: None }
    }
}

/// How to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Where templates are deployed to, and where resources without an id are.
    pub context: DeploymentContext,
    /// Which side of Terraform plans is meant.
    pub plans: PlanSide,
}

/// A Terraform plan tells two estates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PlanSide {
    /// What there is before it is applied.
    Before,
    /// What there will be.
    #[default]
    After,
}

/// What was read.
#[derive(Debug, Clone, Default)]
pub struct ReadResult {
    /// The estate, to be validated.
    pub spec: EstateSpec,
    /// What is wrong with the input. An error means that the spec lacks something that the input has.
    pub problems: Vec<ArmProblem>,
    /// How much was read, and how much of it is known.
    pub summary: Summary,
}

impl ReadResult {
    /// Whether the input is refused.
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }
}

/// Reads files into one estate. Templates that others of the input link to are evaluated as part of these.
pub fn read(documents: &[Document], options: &Options) -> ReadResult {
    let mut problems = Problems::default();
    let bundle = Bundle::new(documents, &mut problems);
    let deployments = bundle.deployments(&options.context, &mut problems);
    let mut reader = Reader { problems, ..Reader::default() };
    let mut summary = Summary { files: documents.len(), templates: deployments.len(), ..Summary::default() };

    let plans = bundle.plans(options);
    let sources = Sources::new(&bundle, &deployments);
    let evaluated = Evaluated { deployments: &deployments, plans: &plans, sources: &sources };
    let resources = load::resources(&bundle, &evaluated, &options.context, &mut reader);
    map_with(Gathered::default(), &mut reader, resources, &mut summary);
    settle::references(&mut reader.spec, &reader.symbols);
    summary.count(&reader.spec);
    ReadResult { spec: reader.spec, problems: reader.problems.into_vec(), summary }
}

/// A resource of a store: its id and type are known, and its keys are spelt as Azure spells them.
#[derive(Debug, Clone, Copy)]
pub struct Stored<'a> {
    /// The id.
    pub id: &'a ResourceId,
    /// The full type, in any case.
    pub kind: &'a str,
    /// The body.
    pub body: &'a serde_json::Value,
}

/// Reads resources of a store. Nothing else exists: a network group has no members but those given.
pub fn read_stored<'a>(resources: impl IntoIterator<Item = Stored<'a>>) -> ReadResult {
    let mut reader = Reader::default();
    let mut summary = Summary::default();
    let resources = resources.into_iter().map(|stored| Resource {
        kind: stored.kind.to_ascii_lowercase(),
        id: stored.id.clone(),
        item: Item::stored(stored.body),
        uncertain: None,
        repeated: false,
    });
    let resources = resources.collect();
    map_with(Gathered::complete(), &mut reader, resources, &mut summary);
    ReadResult { spec: reader.spec, problems: reader.problems.into_vec(), summary }
}

/// Maps resources, parents before children, in the order of the files otherwise.
fn map_with(
    mut gathered: Gathered,
    reader: &mut Reader,
    mut resources: Vec<Resource<'_>>,
    summary: &mut Summary,
) {
    resources.sort_by_key(Resource::depth);
    for resource in resources {
        summary.resources += 1;
        if !map::resource(reader, &mut gathered, &resource) {
            *summary.ignored.entry(resource.kind).or_default() += 1;
        }
    }
    gathered.gateways.finish(reader);
    gathered.groups.finish(reader);
}

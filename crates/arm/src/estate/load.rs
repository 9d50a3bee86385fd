//! From parsed files to resources, one function for each shape of file.

use std::collections::BTreeMap;

use palisade_model::spec::Unknown;
use palisade_model::{Place, Severity};

use super::bundle::{Bundle, Loaded, whole_file};
use super::fields::Reader;
use super::identity::{identify, is_only_listed};
use super::item::{Item, Source, phrase, symbolic_id};
use super::map::Resource;
use super::problem::{ArmProblem, Code};
use super::recognise::{self, Shape};
use super::terraform::Translation;
use crate::template::{self, Condition, Deployment, DeploymentContext, Location};

/// The files that places point into, for each file of the bundle: itself, or everything its evaluation read.
pub(super) struct Sources<'a>(Vec<Vec<Source<'a>>>);

impl<'a> Sources<'a> {
    pub(super) fn new(bundle: &'a Bundle, deployments: &BTreeMap<usize, Deployment>) -> Self {
        let several = deployments.len() > 1;
        let of_file = |(at, file): (usize, &'a Loaded)| match deployments.get(&at) {
            None => vec![Source::new(&file.document)],
            Some(deployment) => {
                let source = |name: &String| {
                    let source = bundle.named(name).map_or_else(|| Source::named(name), Source::new);
                    if several { source.scoped(&file.document.name) } else { source }
                };
                deployment.sources.iter().map(source).collect()
            }
        };
        Self(bundle.files().iter().enumerate().map(of_file).collect())
    }
}

/// What was made of the files before resources are taken from them.
pub(super) struct Evaluated<'a> {
    pub(super) deployments: &'a BTreeMap<usize, Deployment>,
    pub(super) plans: &'a BTreeMap<usize, Translation>,
    pub(super) sources: &'a Sources<'a>,
}

/// The resources of all files, in the order of the files.
pub(super) fn resources<'a>(
    bundle: &'a Bundle,
    evaluated: &Evaluated<'a>,
    context: &DeploymentContext,
    reader: &mut Reader,
) -> Vec<Resource<'a>> {
    let mut resources = Vec::new();
    for (at, file) in bundle.files().iter().enumerate() {
        let sources = evaluated.sources.0[at].as_slice();
        match file.shape {
            Shape::Template => {
                if let Some(deployment) = evaluated.deployments.get(&at) {
                    of_deployment(deployment, sources, reader, &mut resources);
                }
            }
            Shape::Dump => of_dump(file, &sources[0], context, reader, &mut resources),
            Shape::Terraform => {
                if let Some(plan) = evaluated.plans.get(&at) {
                    of_plan(plan, &sources[0], reader, &mut resources);
                }
            }
            Shape::Parameters => {}
            Shape::Other(what) => {
                let message = format!("the file is skipped: it is {what}");
                reader.problems.warning(Code::PalSkippedFile, whole_file(&file.document.name), message);
            }
            Shape::Unknown => {
                let message = "the file is skipped: it is neither a template, nor resources as az, the REST API or \
                               Resource Graph print them, nor a Terraform plan";
                reader.problems.warning(Code::PalUnrecognisedInput, whole_file(&file.document.name), message);
            }
        }
    }
    resources
}

fn of_dump<'a>(
    file: &'a Loaded,
    source: &'a Source<'a>,
    context: &DeploymentContext,
    reader: &mut Reader,
    out: &mut Vec<Resource<'a>>,
) {
    let name = file.document.name.as_str();
    let stem = name.rsplit('/').next().and_then(|file| file.split('.').next()).unwrap_or(name);
    let (nodes, more) = recognise::resources(&file.document.root);
    if more {
        let message =
            "the list goes on in a further page, which is not in the input (follow its link, or use az)";
        reader.problems.error(Code::PalIncompleteList, whole_file(name), message);
    }
    for duplicate in &file.document.duplicates {
        let message = format!("the key \"{}\" stands twice in one object; the first counts", duplicate.key);
        let place = Place { line: duplicate.second.line, ..whole_file(name) };
        reader.problems.error(Code::InvalidRequestContent, place, message);
    }
    for node in nodes {
        let item = Item::json(node, source);
        match identify(node, item, stem, context) {
            Ok((kind, id)) if is_only_listed(node, &kind) => {
                let message = format!(
                    "{id} is listed without its properties, so it is skipped (use `az network ... list` or \
                     `az graph query`)"
                );
                reader.problems.warning(Code::PalSkippedFile, item.place(), message);
            }
            Ok((kind, id)) => out.push(Resource { kind, id, item, uncertain: None, repeated: false }),
            Err(message) => reader.problems.error(Code::PalUnrecognisedInput, item.place(), message),
        }
    }
}

fn of_deployment<'a>(
    deployment: &'a Deployment,
    sources: &'a [Source<'a>],
    reader: &mut Reader,
    out: &mut Vec<Resource<'a>>,
) {
    for problem in &deployment.problems {
        reader.problems.push(of_template(problem));
    }
    for link in &deployment.unresolved_links {
        let reason = "the linked template is not in the input, so what it deploys is not known";
        reader.spec.unknowns.push(Unknown {
            what: format!("deployment {}", link.deployment),
            reason: reason.to_owned(),
            place: place(link.at, sources),
        });
    }
    for resource in &deployment.resources {
        let (id, holes) = symbolic_id(&resource.id, sources);
        if let Some(reason) = holes {
            reader.symbols.insert(id.clone(), reason);
        }
        let condition = match &resource.condition {
            Condition::Yes => None,
            Condition::Unknown(unknown) => Some(phrase(unknown.reasons())),
        };
        let repeat = resource.repeat.as_ref().map(|unknown| phrase(unknown.reasons()));
        out.push(Resource {
            kind: resource.kind.to_ascii_lowercase(),
            id,
            item: Item::value(&resource.body, sources),
            repeated: repeat.is_some(),
            uncertain: condition.or(repeat),
        });
    }
}

fn of_plan<'a>(
    plan: &'a Translation,
    source: &'a Source<'a>,
    reader: &mut Reader,
    out: &mut Vec<Resource<'a>>,
) {
    for loose in &plan.loose {
        reader.unknown(loose.what.as_str(), loose.reason.as_str(), loose.place.clone());
    }
    for resource in &plan.resources {
        let id = resource.id.clone();
        if let Some(reason) = &resource.holes {
            reader.symbols.insert(id.clone(), reason.clone());
        }
        let item = Item::plan(&resource.value, Some(&resource.unknown), source);
        out.push(Resource { kind: resource.kind.clone(), id, item, uncertain: None, repeated: false });
    }
}

fn place(at: Location, sources: &[Source<'_>]) -> Place {
    sources.get(at.source.0 as usize).map(|source| source.place(at.line, at.offset)).unwrap_or_default()
}

/// A problem of an evaluation. One that does not affect resources is a warning.
fn of_template(problem: &template::Problem) -> ArmProblem {
    let harmless = problem.code.leaves_resources_alone();
    ArmProblem {
        code: Code::Template(problem.code),
        severity: if harmless { Severity::Warning } else { Severity::Error },
        message: problem.message.clone(),
        place: Place {
            file: problem.source.as_str().into(),
            line: problem.at.line,
            pointer: problem.pointer.clone(),
        },
    }
}

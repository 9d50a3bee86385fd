//! The files of one input and what they have to do with one another.
//!
//! Parameter files belong to templates by name, as Azure's tools pair them: `X.parameters.json` to `X.json`, else the one
//! other parameter file whose name begins with `X.`, else the only one beside the only template of a folder if it fits.
//! A template that another one links to is evaluated as part of that one and not by itself.

use std::collections::{BTreeMap, BTreeSet};

use palisade_model::{Place, Severity};

use super::problem::{ArmProblem, Code, Problems};
use super::recognise::{Shape, shape};
use super::terraform::{self, Translation};
use super::{Document, File, Options};
use crate::json;
use crate::template::{self, Deployment, DeploymentContext, Folder, Input, Link, Links};

/// A file that could be parsed.
pub(super) struct Loaded {
    pub(super) document: json::Document,
    pub(super) shape: Shape,
    /// Explicit parameters.
    parameters: Option<json::Document>,
}

/// The parsed files, in the order they were given.
pub(super) struct Bundle {
    files: Vec<Loaded>,
}

impl Bundle {
    /// Parses the files; those that are no JSON become problems.
    pub(super) fn new(documents: &[Document], problems: &mut Problems) -> Self {
        let mut files = Vec::with_capacity(documents.len());
        for document in documents {
            let parameters = document.parameters.as_ref().and_then(|file| parse(file, problems));
            if let Some(parsed) = parse(&document.file, problems) {
                let shape = shape(&parsed.root);
                files.push(Loaded { document: parsed, shape, parameters });
            }
        }
        Self { files }
    }

    /// The files, in order.
    pub(super) fn files(&self) -> &[Loaded] {
        &self.files
    }

    /// The file of this name.
    pub(super) fn named(&self, name: &str) -> Option<&json::Document> {
        self.files
            .iter()
            .flat_map(|file| [Some(&file.document), file.parameters.as_ref()])
            .flatten()
            .find(|document| document.name == name)
    }

    /// Evaluates every template that no other one links to; by the number of its file.
    pub(super) fn deployments(
        &self,
        context: &DeploymentContext,
        problems: &mut Problems,
    ) -> BTreeMap<usize, Deployment> {
        let pairs = self.pairs(problems);
        let templates = self.of_shape(Shape::Template);
        let evaluated: BTreeMap<usize, Deployment> =
            templates.iter().map(|&at| (at, self.evaluate(at, pairs.get(&at).copied(), context))).collect();
        let roots = self.roots(&evaluated);
        evaluated.into_iter().filter(|(at, _)| roots.contains(at)).collect()
    }

    /// Translates every Terraform plan; by the number of its file.
    pub(super) fn plans(&self, options: &Options) -> BTreeMap<usize, Translation> {
        let plans = self.of_shape(Shape::Terraform);
        let several = plans.len() > 1;
        let translate = |at: usize| {
            let document = &self.files[at].document;
            let scope = several.then_some(document.name.as_str());
            (at, terraform::translate(document, options, scope))
        };
        plans.into_iter().map(translate).collect()
    }

    fn of_shape(&self, shape: Shape) -> Vec<usize> {
        (0..self.files.len()).filter(|&at| self.files[at].shape == shape).collect()
    }

    fn evaluate(&self, at: usize, parameters: Option<usize>, context: &DeploymentContext) -> Deployment {
        let file = &self.files[at];
        let parameters: Vec<&json::Document> = match &file.parameters {
            Some(explicit) => vec![explicit],
            None => parameters.map(|at| &self.files[at].document).into_iter().collect(),
        };
        let links = self.links(at);
        let input = Input { template: &file.document, parameters: &parameters, context, links: &links };
        template::evaluate(&input)
    }

    /// The files that a template can link to: those in its folder and below, and any by a relative path.
    fn links(&self, at: usize) -> Beside<'_> {
        let (folder, _) = split(&self.files[at].document.name);
        let mut below = Folder::new(folder.rsplit('/').next().unwrap_or_default(), "");
        let mut all = BTreeMap::new();
        for file in &self.files {
            let name = file.document.name.as_str();
            all.insert(normalize(name), &file.document);
            if let Some(path) = relative(name, folder) {
                below.insert(path, &file.document);
            }
        }
        Beside { below, all }
    }

    /// The templates that are not evaluated through another. Of templates that link to one another in a circle, the first
    /// is one.
    fn roots(&self, evaluated: &BTreeMap<usize, Deployment>) -> BTreeSet<usize> {
        let linked = |at: usize| -> BTreeSet<usize> {
            let names: BTreeSet<&str> = evaluated[&at].sources.iter().map(String::as_str).collect();
            let others = evaluated.keys().copied().filter(|&other| other != at);
            others.filter(|&other| names.contains(self.files[other].document.name.as_str())).collect()
        };
        let links: BTreeMap<usize, BTreeSet<usize>> = evaluated.keys().map(|&at| (at, linked(at))).collect();
        let targets: BTreeSet<usize> = links.values().flatten().copied().collect();
        let mut roots: BTreeSet<usize> = links.keys().copied().filter(|at| !targets.contains(at)).collect();
        // Links of links are among the sources of an evaluation, so one step reaches everything.
        let mut reached: BTreeSet<usize> = roots.iter().flat_map(|at| links[at].iter().copied()).collect();
        for (&at, linked) in &links {
            if !roots.contains(&at) && !reached.contains(&at) {
                roots.insert(at);
                reached.extend(linked);
            }
        }
        roots
    }

    /// The parameter file of each template. Those that belong to none are reported.
    fn pairs(&self, problems: &mut Problems) -> BTreeMap<usize, usize> {
        let (templates, parameters) = (self.of_shape(Shape::Template), self.of_shape(Shape::Parameters));
        let mut pairs = BTreeMap::new();
        for &template in templates.iter().filter(|&&at| self.files[at].parameters.is_none()) {
            if let Some(found) = self.parameters_of(template, &templates, &parameters) {
                pairs.insert(template, found);
            }
        }
        for &at in parameters.iter().filter(|&at| !pairs.values().any(|used| used == at)) {
            let document = &self.files[at].document;
            problems.push(ArmProblem {
                code: Code::PalSkippedFile,
                severity: Severity::Warning,
                message:
                    "the parameter file belongs to no template of the input (name it after its template, as \
                          X.parameters.json to X.json, or give it with --parameters)"
                        .to_owned(),
                place: whole_file(&document.name),
            });
        }
        pairs
    }

    fn parameters_of(&self, template: usize, templates: &[usize], parameters: &[usize]) -> Option<usize> {
        let (folder, file) = split(&self.files[template].document.name);
        let stem = file.strip_suffix(".json").unwrap_or(file).to_ascii_lowercase();
        let beside = |at: &usize| split(&self.files[*at].document.name).0 == folder;
        let named = |at: &usize| split(&self.files[*at].document.name).1.to_ascii_lowercase();
        let here: Vec<usize> = parameters.iter().copied().filter(beside).collect();
        let exact = format!("{stem}.parameters.json");
        let begins = format!("{stem}.");
        let only = |found: Vec<usize>| if let [one] = found[..] { Some(one) } else { None };
        here.iter()
            .copied()
            .find(|at| named(at) == exact)
            .or_else(|| only(here.iter().copied().filter(|at| named(at).starts_with(&begins)).collect()))
            .or_else(|| {
                let alone = templates.iter().filter(|at| beside(at)).count() == 1;
                only(here.clone()).filter(|&at| alone && self.fits(at, template))
            })
    }

    /// Whether the template declares every parameter that the file gives: it may be meant for a template that is absent.
    fn fits(&self, parameters: usize, template: usize) -> bool {
        let names =
            |at: usize| self.files[at].document.root.get("parameters").and_then(json::Node::as_object);
        let (Some(given), Some(declared)) = (names(parameters), names(template)) else { return false };
        given.members().iter().all(|member| declared.get(&member.key).is_some())
    }
}

/// Links to the files of the input.
struct Beside<'a> {
    below: Folder<'a>,
    all: BTreeMap<String, &'a json::Document>,
}

impl<'a> Links<'a> for Beside<'a> {
    fn find(&self, link: &Link) -> Option<&'a json::Document> {
        self.below.find(link).or_else(|| {
            let path = link.relative_path.as_ref()?.known()?;
            let (folder, _) = split(&link.from);
            self.all.get(&normalize(&format!("{folder}/{path}"))).copied()
        })
    }
}

/// A place that is a whole file.
pub(super) fn whole_file(name: &str) -> Place {
    Place { file: name.into(), line: 0, pointer: String::new() }
}

fn parse(file: &File, problems: &mut Problems) -> Option<json::Document> {
    match json::parse_str(&file.name, &file.text) {
        Ok(document) => Some(document),
        Err(error) => {
            let line = match error {
                json::JsonError::TooDeep { line, .. } | json::JsonError::Syntax { line, .. } => line,
                _ => 0,
            };
            let place = Place { line, ..whole_file(&file.name) };
            problems.error(Code::InvalidRequestContent, place, error.to_string());
            None
        }
    }
}

/// Folder and file name of a path.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// The part of `path` below `folder`.
fn relative<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    if folder.is_empty() { Some(path) } else { path.strip_prefix(folder)?.strip_prefix('/') }
}

/// Lower case, without `.` and `..`.
fn normalize(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts.join("/").to_ascii_lowercase()
}

//! The ARM template language: templates and parameters in, resources out, before anything is deployed.
//!
//! [`evaluate`] reads a parsed template as Azure's deployment engine would and gives every resource it would
//! deploy, with names, ids and bodies evaluated. It does no I/O and reads no clock: linked templates come from a
//! [`Links`] the caller provides, and what only a live deployment can say is an [`Unknown`] with its reasons.
//!
//! Order of work: parameters and variables are evaluated when first used; the headers of all resources of a
//! template come before any body, so that `reference()` finds what is declared anywhere; nested deployments are
//! expanded after the headers around them; outputs come last.
//!
//! Invariant: no input makes this panic, overflow the stack or run long; see [`limits`].
//! Reference: <https://learn.microsoft.com/azure/azure-resource-manager/templates/syntax>.

pub mod ast;
mod collection;
mod context;
mod copy;
mod environment;
mod eval;
mod functions;
mod lambda;
mod lexer;
pub mod limits;
mod link;
mod live;
mod nested;
mod parameters;
pub mod parser;
mod problem;
mod reference;
mod resource;
mod resource_id;
mod scope;
mod session;
mod special;
#[cfg(test)]
mod tests;
mod text;
mod unknown;
mod value;
mod variables;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

pub use collection::{List, Map};
pub use context::{DeploymentContext, Level, level};
pub use link::{Folder, Link, Links, NoLinks};
pub use live::{Live, Use};
pub use problem::{Code, Problem};
pub use resource::Condition;
pub use text::{Piece, Text};
pub use unknown::{Reason, Unknown};
pub use value::{Data, Location, SourceId, Type, Value};

use crate::json::Document;
use eval::Cx;
use live::Trace;
use parameters::Given;
use resource::{Declared, Inherited, Site};
use scope::Frame;
use session::Evaluator;

/// What to evaluate.
pub struct Input<'a> {
    /// The template.
    pub template: &'a Document,
    /// Parameter files, in order; later ones replace values of earlier ones.
    pub parameters: &'a [&'a Document],
    /// Where it is deployed to.
    pub context: &'a DeploymentContext,
    /// Where linked templates are found.
    pub links: &'a dyn Links<'a>,
}

/// One resource that would be deployed.
#[derive(Debug, Clone)]
pub struct Resource {
    /// The full type, as `Microsoft.Network/networkSecurityGroups/securityRules`.
    pub kind: String,
    /// The full name, as `nsg/rule`; it may have holes.
    pub name: Text,
    /// The resource id; match ids by [`Text::key`].
    pub id: Text,
    /// The API version as written.
    pub api_version: Option<String>,
    /// The subscription it is deployed to.
    pub subscription: Text,
    /// The resource group, when it is deployed to one.
    pub resource_group: Option<Text>,
    /// Where it is, when the template says.
    pub location: Option<Text>,
    /// Everything the template says of it except loops, conditions and child resources.
    pub body: Value,
    /// Ids and names it depends on; symbolic names are turned into ids.
    pub depends_on: Vec<Text>,
    /// Names of the copy loops it is an iteration of, innermost first; others depend on a whole loop by its name.
    pub loops: Vec<String>,
    /// Whether it is deployed. Resources with a false condition are not listed.
    pub condition: Condition,
    /// Set when this one stands for an unknown number of copies; holds the count.
    pub repeat: Option<Arc<Unknown>>,
    /// The deployments around it, outermost first.
    pub deployments: Vec<String>,
    /// Where it stands.
    pub at: Location,
}

impl Resource {
    /// `properties` of the body.
    pub fn properties(&self) -> Option<&Value> {
        self.body.get("properties")
    }

    /// Whether it is of this type, without regard to case.
    pub fn is(&self, kind: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind)
    }
}

/// An output of the template.
#[derive(Debug, Clone)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// Its declared type.
    pub kind: String,
    /// Its value.
    pub value: Value,
}

/// A link to a template or parameter file that the caller does not have.
#[derive(Debug, Clone)]
pub struct UnresolvedLink {
    /// The link.
    pub link: Link,
    /// The deployment whose resources are therefore not known.
    pub deployment: Text,
    /// Where it stands.
    pub at: Location,
}

/// Everything found in a template.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// Resources that would be deployed, nested deployments' among them, in the order they are declared.
    pub resources: Vec<Resource>,
    /// Resources marked `existing`: referred to, not deployed.
    pub existing: Vec<Resource>,
    /// Outputs of the outermost template.
    pub outputs: Vec<Output>,
    /// Links that could not be followed.
    pub unresolved_links: Vec<UnresolvedLink>,
    /// What is wrong. Everything else is as right as it can be in spite of it.
    pub problems: Vec<Problem>,
    /// Every distinct unknown in names and bodies, by expression.
    pub unknowns: Vec<Arc<Unknown>>,
    /// Names of the files read; [`Location::source`] points into this.
    pub sources: Vec<String>,
    /// Declared resources that others ask for by `reference()`.
    pub uses: Vec<Use>,
    /// Ids and names, in lower case, of resources whose condition is false.
    pub skipped: BTreeSet<String>,
}

/// Evaluates a template as a reader does: what only a deployment can tell is unknown.
pub fn evaluate(input: &Input<'_>) -> Deployment {
    evaluate_among(input, None)
}

/// Evaluates a template that is being deployed among what exists.
pub fn evaluate_live<'a>(input: &Input<'a>, live: &'a dyn Live) -> Deployment {
    evaluate_among(input, Some(live))
}

fn evaluate_among<'a>(input: &Input<'a>, live: Option<&'a dyn Live>) -> Deployment {
    let evaluator = Evaluator::new(input.context, input.links, live);
    let source = evaluator.source(input.template);
    let mut given: HashMap<String, Given> = HashMap::new();
    for file in input.parameters {
        given.extend(evaluator.parameter_file(file));
    }
    let template = &input.template.root;
    let schema = template.get("$schema").and_then(|schema| schema.as_str());
    let target = context::Target::root(input.context, schema);
    let path = vec![input.context.deployment_name.clone()];
    let uri = input.context.template_uri.as_deref().map(|uri| Value::from(Data::from(uri)));
    let scope = evaluator.scope(template, source, target.clone(), path.clone(), uri, given);
    let frame = Frame::new(scope);
    evaluator.check_shape(input.template, source);
    let around = &Inherited::default();
    evaluator.expand(template, &Site { frame: &frame, target: &target, path: &path, around });
    evaluator.settle(&frame);
    let declared = evaluator.declared.borrow().clone();
    let resources: Vec<(bool, Resource)> =
        declared.iter().map(|declared| (declared.existing, evaluator.resource(declared))).collect();
    let outputs = evaluator.outputs(template, &frame);
    let outputs = outputs.into_iter().map(|(name, kind, value)| Output { name, kind, value }).collect();
    drop((declared, frame));
    assemble(evaluator, resources, outputs)
}

fn assemble(evaluator: Evaluator<'_>, resources: Vec<(bool, Resource)>, outputs: Vec<Output>) -> Deployment {
    let (existing, resources): (Vec<_>, Vec<_>) = resources.into_iter().partition(|(existing, _)| *existing);
    let resources: Vec<Resource> = resources.into_iter().map(|(_, resource)| resource).collect();
    let existing = existing.into_iter().map(|(_, resource)| resource).collect();
    let Trace { uses, skipped } = evaluator.trace.take();
    let uses = uses.into_iter().collect();
    let (sources, problems, unresolved_links) = evaluator.finish();
    let unknowns = distinct_unknowns(&resources);
    Deployment { resources, existing, outputs, unresolved_links, problems, unknowns, sources, uses, skipped }
}

fn distinct_unknowns(resources: &[Resource]) -> Vec<Arc<Unknown>> {
    let mut found: BTreeMap<String, Arc<Unknown>> = BTreeMap::new();
    for resource in resources {
        let in_body = resource.body.unknowns().into_iter().map(|(unknown, _)| unknown);
        for unknown in in_body.chain(resource.name.unknowns().cloned()) {
            found.entry(unknown.expression().to_owned()).or_insert(unknown);
        }
    }
    found.into_values().collect()
}

impl<'a> Evaluator<'a> {
    /// A file without resources, or whose root is no object, is no template.
    fn check_shape(&self, document: &Document, source: SourceId) {
        let root = &document.root;
        let resources = root.get("resources");
        let fine = resources.is_some_and(|r| r.as_array().is_some() || r.as_object().is_some());
        if root.as_object().is_some() && fine {
            return;
        }
        let message = "Deployment template validation failed: 'Required property 'resources' not found in JSON. \
                       It must be an array or an object.'.";
        self.report(Code::InvalidTemplate, message.to_owned(), Location::new(source, root.at));
    }

    /// A declared resource with its body evaluated.
    fn resource(&self, declared: &Declared<'a>) -> Resource {
        let body = self.body(declared).unwrap_or_else(|fault| {
            self.report_fault(&fault, &declared.frame, declared.at());
            self.failed("resource", declared.at())
        });
        let cx = Cx { frame: &declared.frame, at: declared.at() };
        let depends_on = body.get("dependsOn").and_then(Value::as_array).unwrap_or_default();
        let depends_on = depends_on.iter().filter_map(Value::text).map(|text| self.resolved_name(text, cx));
        Resource {
            kind: declared.kind.clone(),
            name: declared.name.clone(),
            id: declared.id.clone(),
            api_version: declared.api_version.clone(),
            subscription: declared.target.subscription.clone(),
            resource_group: (declared.target.level == Level::ResourceGroup)
                .then(|| declared.target.resource_group.clone()),
            location: body.get("location").and_then(Value::text),
            depends_on: depends_on.collect(),
            loops: declared.frame.loop_names(),
            body,
            condition: declared.condition.clone(),
            repeat: declared.repeat.clone(),
            deployments: declared.path.clone(),
            at: declared.at(),
        }
    }

    /// The id behind a name of this template; ids and names of loops stay as they are.
    fn resolved_name(&self, name: Text, cx: Cx<'_, 'a>) -> Text {
        match self.lookup(&name, cx) {
            Some(declared) => declared.id.clone(),
            None => name,
        }
    }
}

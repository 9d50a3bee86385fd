//! What a template means to make, in the order in which it is made.
//!
//! A resource waits for what its `dependsOn` names and for what it asks for by `reference()`; where that leaves a choice, it also waits for
//! resources that its body names by id, and for its parent. Whatever cannot be known before something else is made must be known
//! after it: anything else is refused here, before the first write. Invariant: each step waits for earlier steps only.

use std::collections::{BTreeMap, BTreeSet};

use palisade_arm::template::{Condition, Deployment, Reason, Resource, Value};
use palisade_model::ResourceId;

use crate::ControlError;
use crate::kinds::{self, Kind, locate};

/// Members of a declaration that are not part of the resource's body.
const NOT_OF_BODY: [&str; 11] = [
    "apiVersion",
    "asserts",
    "comments",
    "condition",
    "copy",
    "dependsOn",
    "existing",
    "metadata",
    "name",
    "scope",
    "type",
];

/// One resource to make.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) id: ResourceId,
    pub(super) kind: &'static Kind,
    /// Its place among the resources of an evaluation, which is the same each time.
    number: usize,
    /// Its body, or the reasons why it is not known yet.
    pub(super) body: Result<serde_json::Value, Vec<Reason>>,
    /// Earlier steps that must be done before.
    pub(super) waits: BTreeSet<usize>,
    /// Ids that it waits for by the template's own words, for the document.
    pub(super) depends_on: Vec<ResourceId>,
}

impl Step {
    /// Whether it only stands for the resources of a deployment inside.
    pub(super) fn is_deployment(&self) -> bool {
        self.kind.name == kinds::DEPLOYMENT
    }
}

/// The steps, or everything that is wrong.
pub(super) fn steps(deployment: &Deployment) -> Result<Vec<Step>, Vec<ControlError>> {
    let mut problems: Vec<ControlError> = deployment.problems.iter().map(of_template).collect();
    for link in &deployment.unresolved_links {
        let message =
            format!("deployment '{}' links to a template: this server fetches nothing", link.deployment);
        problems.push(ControlError::bad("LinkedTemplateNotSupported", message));
    }
    let mut found = Vec::new();
    for resource in &deployment.resources {
        match located(resource) {
            Ok(target) => found.push(target),
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let graph = Graph::new(deployment)?;
    let order = graph.order()?;
    let place: BTreeMap<usize, usize> = order.iter().enumerate().map(|(place, at)| (*at, place)).collect();
    let step = |at: &usize| {
        let (id, kind) = found[*at].clone();
        let waits = graph.waits[*at].iter().map(|other| place[other]).collect();
        let depends_on = graph.own[*at].iter().map(|other| found[*other].0.clone()).collect();
        Step { id, kind, number: *at, body: body(&deployment.resources[*at]), waits, depends_on }
    };
    Ok(order.iter().map(step).collect())
}

/// Takes the bodies of a later evaluation, which knows more. Which resources there are, and what they wait for, never depends on that.
pub(super) fn refresh(steps: &mut [Step], deployment: &Deployment) -> Result<(), ControlError> {
    if let Some(problem) = ControlError::several(deployment.problems.iter().map(of_template).collect()) {
        return Err(problem);
    }
    for step in steps {
        if let Some(resource) = deployment.resources.get(step.number) {
            step.body = body(resource);
        }
    }
    Ok(())
}

/// The id and the kind of a resource that surely exists once and is served here.
fn located(resource: &Resource) -> Result<(ResourceId, &'static Kind), ControlError> {
    let refused =
        |message: String| Err(ControlError::bad("InvalidTemplate", message).about(resource.id.to_string()));
    if let Condition::Unknown(unknown) = &resource.condition {
        return refused(format!(
            "the condition of '{}' is not known before deployment: {}",
            resource.name,
            why(unknown.reasons())
        ));
    }
    if let Some(count) = &resource.repeat {
        return refused(format!(
            "how many copies of '{}' there are is not known: {}",
            resource.name,
            why(count.reasons())
        ));
    }
    let Some(id) = resource.id.known() else {
        let reasons = resource.id.reasons();
        return refused(format!(
            "the name of '{}' is not known before deployment: {}",
            resource.name,
            why(&reasons)
        ));
    };
    let target = locate(&ResourceId::new(id)).map_err(|error| error.about(id))?;
    Ok((target.id, target.kind))
}

/// What is put, or why it is not known.
fn body(resource: &Resource) -> Result<serde_json::Value, Vec<Reason>> {
    let is_kept = |key: &str| !NOT_OF_BODY.iter().any(|other| other.eq_ignore_ascii_case(key));
    let members = resource.body.as_object().map_or(&[][..], |object| object.members()).iter();
    let kept: Vec<&(std::sync::Arc<str>, Value)> = members.filter(|(key, _)| is_kept(key)).collect();
    let reasons: BTreeSet<Reason> = kept
        .iter()
        .flat_map(|(_, value)| value.unknowns())
        .flat_map(|(unknown, _)| unknown.reasons().to_vec())
        .collect();
    if reasons.is_empty() {
        Ok(kept.iter().map(|(key, value)| (key.to_string(), value.to_json())).collect())
    } else {
        Err(reasons.into_iter().collect())
    }
}

/// Reasons in words.
pub(super) fn why(reasons: &[Reason]) -> String {
    reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn of_template(problem: &palisade_arm::template::Problem) -> ControlError {
    ControlError::bad(problem.code.as_str(), problem.message.clone()).about(problem.pointer.clone())
}

/// Who waits for whom, by the number of the resource.
struct Graph<'d> {
    deployment: &'d Deployment,
    /// What the template itself says.
    own: Vec<BTreeSet<usize>>,
    /// The same with what follows from ids and parents, or without if that would be circular.
    waits: Vec<BTreeSet<usize>>,
}

impl<'d> Graph<'d> {
    fn new(deployment: &'d Deployment) -> Result<Self, Vec<ControlError>> {
        let resources = &deployment.resources;
        let ids = by_id(resources)?;
        let mut own = depends_on(deployment, &ids)?;
        for used in &deployment.uses {
            let ends = (ids.get(&used.user), ids.get(&used.used));
            if let (Some(&user), Some(&used)) = ends
                && user != used
            {
                own[user].insert(used);
            }
        }
        // What a deployment waits for, everything in it waits for; and it is done when all of that is.
        let mut waits = own.clone();
        for (at, resource) in resources.iter().enumerate().filter(|(_, resource)| is_deployment(resource)) {
            let inside = inside(resources, resource);
            let inherited = waits[at].clone();
            for inner in &inside {
                waits[*inner].extend(inherited.iter().filter(|other| !inside.contains(other)));
            }
            waits[at].extend(inside);
        }
        let mut graph = Self { deployment, own, waits };
        let strict = graph.waits.clone();
        graph.add_named(&ids);
        if graph.order().is_err() {
            graph.waits = strict;
        }
        Ok(graph)
    }

    /// Adds what bodies name by id, and parents.
    fn add_named(&mut self, ids: &BTreeMap<String, usize>) {
        for (at, resource) in self.deployment.resources.iter().enumerate() {
            if is_deployment(resource) {
                continue;
            }
            let mut texts = Vec::new();
            strings(&resource.body.to_json(), &mut texts);
            texts.push(resource.id.to_string());
            for text in texts {
                // The id itself, or that of something inside a declared one.
                let mut id = Some(ResourceId::new(&text));
                while let Some(named) = id.filter(|id| id.as_str().starts_with('/')) {
                    if let Some(&other) = ids.get(&named.as_str().to_lowercase())
                        && other != at
                        && !is_deployment(&self.deployment.resources[other])
                    {
                        self.waits[at].insert(other);
                    }
                    id = named.parent();
                }
            }
        }
    }

    /// An order in which everything comes after what it waits for, as close to the template's as that allows.
    fn order(&self) -> Result<Vec<usize>, Vec<ControlError>> {
        let mut order = Vec::new();
        let mut done = BTreeSet::new();
        while order.len() < self.waits.len() {
            let mut open = (0..self.waits.len()).filter(|at| !done.contains(at));
            let Some(next) = open.clone().find(|at| self.waits[*at].is_subset(&done)) else {
                let id =
                    open.next().map(|at| self.deployment.resources[at].id.to_string()).unwrap_or_default();
                let message = format!(
                    "Deployment template validation failed: 'Circular dependency detected on resource: '{id}'. Please see \
                     https://aka.ms/arm-syntax-resources for usage details.'."
                );
                return Err(vec![ControlError::bad("InvalidTemplate", message).about(id)]);
            };
            done.insert(next);
            order.push(next);
        }
        Ok(order)
    }
}

fn is_deployment(resource: &Resource) -> bool {
    resource.is(kinds::DEPLOYMENT)
}

/// The resources of a deployment inside, at any depth.
fn inside(resources: &[Resource], deployment: &Resource) -> BTreeSet<usize> {
    let mut path = deployment.deployments.clone();
    path.push(deployment.name.to_string());
    (0..resources.len()).filter(|at| resources[*at].deployments.starts_with(&path)).collect()
}

/// Resources by id. One template declares each at most once; a deployment inside may write one again.
fn by_id(resources: &[Resource]) -> Result<BTreeMap<String, usize>, Vec<ControlError>> {
    let mut ids: BTreeMap<String, usize> = BTreeMap::new();
    let mut problems = Vec::new();
    for (at, resource) in resources.iter().enumerate() {
        let first = *ids.entry(resource.id.key()).or_insert(at);
        if first != at && resources[first].deployments == resource.deployments {
            let message = format!(
                "Deployment template validation failed: 'The resource '{}' is defined multiple times in a template.'.",
                resource.id
            );
            problems.push(ControlError::bad("InvalidTemplate", message).about(resource.id.to_string()));
        }
    }
    if problems.is_empty() { Ok(ids) } else { Err(problems) }
}

/// What each `dependsOn` means: ids, names of loops, and nothing for what is not deployed.
fn depends_on(
    deployment: &Deployment,
    ids: &BTreeMap<String, usize>,
) -> Result<Vec<BTreeSet<usize>>, Vec<ControlError>> {
    let mut problems = Vec::new();
    let mut all = Vec::with_capacity(deployment.resources.len());
    for resource in &deployment.resources {
        let mut own = BTreeSet::new();
        for name in &resource.depends_on {
            let key = name.key();
            let of_loop = deployment.resources.iter().enumerate().filter(|(_, other)| {
                other.deployments == resource.deployments
                    && other.loops.iter().any(|name| name.eq_ignore_ascii_case(&key))
            });
            let of_loop: Vec<usize> = of_loop.map(|(at, _)| at).collect();
            match ids.get(&key) {
                Some(&at) => own.extend([at]),
                None if !of_loop.is_empty() => own.extend(of_loop),
                None if deployment.skipped.contains(&key) => {}
                None => problems.push(undefined(name, resource)),
            }
        }
        all.push(own);
    }
    if problems.is_empty() { Ok(all) } else { Err(problems) }
}

fn undefined(name: &palisade_arm::template::Text, resource: &Resource) -> ControlError {
    let message = format!(
        "Deployment template validation failed: 'The resource '{name}' is not defined in the template. Please see \
         https://aka.ms/arm-syntax for usage details.'."
    );
    ControlError::bad("InvalidTemplate", message).about(resource.id.to_string())
}

fn strings(value: &serde_json::Value, out: &mut Vec<String>) {
    match value {
        serde_json::Value::String(text) if text.starts_with('/') => out.push(text.clone()),
        serde_json::Value::Array(items) => items.iter().for_each(|item| strings(item, out)),
        serde_json::Value::Object(members) => members.values().for_each(|value| strings(value, out)),
        _ => {}
    }
}

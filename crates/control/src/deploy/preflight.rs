//! Everything that can be known to be wrong with a deployment before its first write.
//!
//! The template is evaluated, ordered and rehearsed: each resource whose body is known is planned by the same code that will write it,
//! on a copy of the world, and its caller's permission is checked. What is left for later is only what is read from resources that
//! the deployment makes itself.

use std::collections::BTreeSet;

use palisade_arm::template::{Deployment, Live, Reason};
use palisade_model::ResourceId;
use serde_json::Value;

use super::document::diagnostic;
use super::executor::{Executor, Rehearsed};
use super::plan::{Step, steps, why};
use super::request::Request;
use crate::ControlError;
use crate::kinds::{DEPLOYMENT, GROUP, locate};

/// Most resources of one deployment, those of deployments inside among them. Azure takes 800 in one template.
pub const RESOURCES_MAX: usize = 2_000;

/// A deployment that may begin.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) steps: Vec<Step>,
    /// What each step would leave, where it could be rehearsed.
    pub(super) rehearsed: Vec<Option<Value>>,
    /// What intents forbid of it.
    forbidden: Vec<ControlError>,
}

impl Prepared {
    /// Goes on if no intent forbids it.
    pub(super) fn allowed(self, request: &Request) -> Result<Self, ControlError> {
        if self.forbidden.is_empty() { Ok(self) } else { Err(refusal(request, self.forbidden)) }
    }

    /// What intents forbid, as ARM tells diagnostics.
    pub(super) fn diagnostics(&self) -> Vec<Value> {
        self.forbidden.iter().map(|error| diagnostic("Error", error)).collect()
    }
}

/// What a deployment sees: its own resources once they are made, and others as they are, if its caller may read them.
pub(super) struct Seen<'e> {
    pub(super) executor: &'e dyn Executor,
    pub(super) made: BTreeSet<ResourceId>,
}

impl<'e> Seen<'e> {
    pub(super) const fn new(executor: &'e dyn Executor) -> Self {
        Self { executor, made: BTreeSet::new() }
    }

    fn get(&self, id: &str) -> Option<Value> {
        let target = locate(&ResourceId::new(id)).ok()?;
        self.executor.allows(&format!("{}/read", target.kind.name), &target.id).ok()?;
        self.executor.get(&target.id)
    }
}

impl Live for Seen<'_> {
    fn existing(&self, id: &str) -> Option<Value> {
        self.get(id)
    }

    fn made(&self, id: &str) -> Option<Value> {
        let mut within = Some(ResourceId::new(id));
        while let Some(id_or_parent) = within {
            if self.made.contains(&id_or_parent) {
                return self.get(id);
            }
            within = id_or_parent.parent();
        }
        None
    }
}

/// Checks everything that can be checked.
pub(super) fn prepare(executor: &dyn Executor, request: &Request) -> Result<Prepared, ControlError> {
    check_place(executor, request)?;
    let deployment = request.evaluate(&Seen::new(executor));
    let steps = steps(&deployment).map_err(|problems| refusal(request, problems))?;
    if steps.len() > RESOURCES_MAX {
        let message =
            format!("A deployment has at most {RESOURCES_MAX} resources, this one has {}.", steps.len());
        return Err(ControlError::bad("TooManyResources", message));
    }
    let problems = forbidden(executor, &steps);
    if !problems.is_empty() {
        // Azure tells a lack of permission as it is, without an envelope.
        return Err(ControlError::several(problems)
            .unwrap_or_else(|| ControlError::new(403, "AuthorizationFailed", "")));
    }
    let mut problems = unanswerable(&deployment, &steps);
    let Rehearsal { rehearsed, refused, forbidden } = rehearse(executor, request, &steps);
    problems.extend(refused);
    if problems.is_empty() {
        Ok(Prepared { steps, rehearsed, forbidden })
    } else {
        Err(refusal(request, problems))
    }
}

fn check_place(executor: &dyn Executor, request: &Request) -> Result<(), ControlError> {
    let scope = &request.place.scope;
    if request.founds {
        executor.allows(&format!("{GROUP}/write"), scope)?;
    } else if scope.segment("resourceGroups").is_some() && executor.get(scope).is_none() {
        return Err(ControlError::group_not_found(scope.name()));
    }
    executor.allows(&format!("{DEPLOYMENT}/write"), &request.id())
}

fn forbidden(executor: &dyn Executor, steps: &[Step]) -> Vec<ControlError> {
    steps
        .iter()
        .filter_map(|step| executor.allows(&format!("{}/write", step.kind.name), &step.id).err())
        .collect()
}

/// What is not known and will not be known later either.
fn unanswerable(deployment: &Deployment, steps: &[Step]) -> Vec<ControlError> {
    let hopeless = |reasons: &[Reason]| -> Vec<Reason> {
        reasons.iter().filter(|reason| !will_be_known(reason, steps)).cloned().collect()
    };
    let mut problems = Vec::new();
    for step in steps {
        if let Err(reasons) = &step.body
            && let reasons = hopeless(reasons)
            && !reasons.is_empty()
        {
            let message = format!("resource '{}' cannot be evaluated: {}", step.id, why(&reasons));
            problems.push(ControlError::bad("InvalidTemplate", message).about(step.id.as_str()));
        }
    }
    for output in &deployment.outputs {
        let unknowns = output.value.unknowns();
        let reasons: Vec<Reason> =
            unknowns.iter().flat_map(|(unknown, _)| hopeless(unknown.reasons())).collect();
        if !reasons.is_empty() {
            let message = format!("output '{}' cannot be evaluated: {}", output.name, why(&reasons));
            problems.push(
                ControlError::bad("DeploymentOutputEvaluationFailed", message).about(output.name.clone()),
            );
        }
    }
    problems
}

/// Whether a reason goes away when the deployment has made its resources.
fn will_be_known(reason: &Reason, steps: &[Step]) -> bool {
    let Reason::LiveResource(asked) = reason else { return false };
    let Some(id) = asked.strip_prefix("reference('").and_then(|rest| rest.strip_suffix("')")) else {
        return false;
    };
    let mut id = Some(ResourceId::new(id));
    while let Some(named) = id {
        if steps.iter().any(|step| step.id == named) {
            return true;
        }
        id = named.parent();
    }
    false
}

/// What came of trying the steps.
struct Rehearsal {
    rehearsed: Vec<Option<Value>>,
    refused: Vec<ControlError>,
    forbidden: Vec<ControlError>,
}

/// Plans what can be planned: the group, if it is to be made, and each step whose body is known and which waits for rehearsed
/// steps only.
fn rehearse(executor: &dyn Executor, request: &Request, steps: &[Step]) -> Rehearsal {
    let mut possible: Vec<bool> = Vec::with_capacity(steps.len());
    for step in steps {
        possible.push(step.body.is_ok() && step.waits.iter().all(|other| possible[*other]));
    }
    let chosen: Vec<usize> =
        (0..steps.len()).filter(|at| possible[*at] && !steps[*at].is_deployment()).collect();
    let group = request.founds.then(|| request.group());
    let founded = group.iter().len();
    let known =
        chosen.iter().filter_map(|at| Some((steps[*at].id.clone(), steps[*at].body.as_ref().ok()?.clone())));
    let puts: Vec<(ResourceId, Value)> = group.into_iter().chain(known).collect();
    let mut all =
        Rehearsal { rehearsed: vec![None; steps.len()], refused: Vec::new(), forbidden: Vec::new() };
    let mut outcomes = executor.rehearse(&puts);
    let of_group = outcomes.drain(..founded);
    all.refused.extend(of_group.filter_map(Result::err));
    for (at, outcome) in chosen.iter().zip(outcomes) {
        let about = |error: ControlError| {
            let target = error.target.clone().unwrap_or_else(|| steps[*at].id.to_string());
            error.about(target)
        };
        match outcome {
            Ok(Rehearsed { resource, forbidden }) => {
                all.rehearsed[*at] = Some(resource);
                all.forbidden.extend(forbidden.map(about));
            }
            Err(error) => all.refused.push(about(error)),
        }
    }
    all
}

/// The refusal of a whole deployment: template problems speak for themselves, those of resources stand in the details.
fn refusal(request: &Request, problems: Vec<ControlError>) -> ControlError {
    let is_template = problems.first().is_some_and(|first| first.code == "InvalidTemplate");
    if is_template && let Some(error) = ControlError::several(problems.clone()) {
        return error;
    }
    let message = format!(
        "The template deployment '{}' is not valid according to the validation procedure. The tracking id is '{}'. See inner \
         errors for details.",
        request.place.name, request.place.correlation
    );
    ControlError { details: problems, ..ControlError::bad("InvalidTemplateDeployment", message) }
}

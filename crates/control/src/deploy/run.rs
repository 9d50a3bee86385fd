//! Doing it: each resource once what it waits for is made, until all are or one fails.
//!
//! The template is evaluated again when something was made that others ask for. A resource is written whole or not at all; those written
//! before a failure stay, as in Azure, and the document says which were written and which were not. Hosts are waited for at the
//! end, together.

use std::collections::BTreeSet;
use std::time::SystemTime;

use serde_json::Value;

use super::active::{self, BEAT};
use super::document::{self, Progress, State, Write};
use super::executor::Executor;
use super::plan::{Step, refresh, why};
use super::preflight::{Prepared, Seen, prepare};
use super::request::Request;
use crate::{ControlError, Precondition};

/// A deployment that has passed every check and is stored as running.
#[derive(Debug)]
pub struct Running {
    request: Request,
    steps: Vec<Step>,
    done: BTreeSet<usize>,
    /// What hosts must do.
    operations: Vec<String>,
    progress: Progress,
    /// When its document was last written.
    told: SystemTime,
}

/// Checks a deployment and stores it as running, unless one of its name is; its document, and what goes on with it.
pub async fn begin(executor: &dyn Executor, request: Request) -> Result<(Running, Value), ControlError> {
    let vacancy = active::vacancy(executor, &request.id())?;
    let Prepared { steps, .. } = prepare(executor, &request)?.allowed(&request)?;
    let started = executor.now();
    let progress = Progress { started, writes: Vec::new(), outputs: None, error: None };
    let (done, operations) = (BTreeSet::new(), Vec::new());
    let mut running = Running { request, steps, done, operations, progress, told: started };
    let stored = running.store(executor, State::Running, vacancy).await;
    let document = stored.map_err(|error| active::overtaken(error, &running.request.id()))?;
    // If somebody deletes the group from now on, it stays deleted.
    running.request.founds = false;
    Ok((running, document))
}

/// Checks and does a deployment; its document, whether it succeeded or failed on the way.
pub async fn create(executor: &dyn Executor, request: Request) -> Result<Value, ControlError> {
    let (running, _) = begin(executor, request).await?;
    running.finish(executor).await
}

/// Checks a deployment without doing it: `POST .../validate`.
pub fn validate(executor: &dyn Executor, request: &Request) -> Result<Value, ControlError> {
    let Prepared { steps, .. } = prepare(executor, request)?.allowed(request)?;
    let now = executor.now();
    let progress = Progress { started: now, writes: Vec::new(), outputs: None, error: None };
    let mut body = document::body(request, &steps, &progress, State::Succeeded, now);
    let ids = steps.iter().filter(|step| !step.is_deployment());
    body["properties"]["validatedResources"] =
        ids.map(|step| serde_json::json!({"id": step.id.as_str()})).collect();
    Ok(document::rendered(request, body))
}

impl Running {
    /// Makes everything and stores how it ended; the document.
    pub async fn finish(mut self, executor: &dyn Executor) -> Result<Value, ControlError> {
        let outcome = self.make_all(executor).await;
        let state = match outcome {
            Ok(()) => State::Succeeded,
            Err(error) => {
                self.progress.error = Some(self.failure(error));
                State::Failed
            }
        };
        self.store(executor, state, Precondition::default()).await
    }

    async fn make_all(&mut self, executor: &dyn Executor) -> Result<(), ControlError> {
        while self.done.len() < self.steps.len() {
            let before = self.done.len();
            self.make_ready(executor).await?;
            if self.done.len() == self.steps.len() {
                break;
            }
            if self.done.len() == before {
                return Err(self.stuck());
            }
            let deployment = self.request.evaluate(&self.seen(executor));
            refresh(&mut self.steps, &deployment)?;
        }
        while !executor.settle(&self.operations, BEAT).await? {
            self.beat(executor).await?;
        }
        let deployment = self.request.evaluate(&self.seen(executor));
        refresh(&mut self.steps, &deployment)?;
        self.progress.outputs = Some(document::outputs(&deployment.outputs)?);
        Ok(())
    }

    /// Makes every step that waits for nothing any more and whose body is known, in order.
    async fn make_ready(&mut self, executor: &dyn Executor) -> Result<(), ControlError> {
        for at in 0..self.steps.len() {
            let step = &self.steps[at];
            if self.done.contains(&at) || !step.waits.is_subset(&self.done) {
                continue;
            }
            if step.is_deployment() {
                self.done.insert(at);
                continue;
            }
            let Ok(body) = &step.body else { continue };
            let (id, kind, body) = (step.id.clone(), step.kind.name, body.clone());
            let from = executor.now();
            let outcome = executor.put(&id, body, Precondition::default()).await;
            let at_end = executor.now();
            let took = at_end.duration_since(from).unwrap_or_default();
            let told = outcome.as_ref().map(|made| made.is_new).map_err(Clone::clone);
            let warnings = outcome.as_ref().map(|made| made.warnings.clone()).unwrap_or_default();
            self.progress.writes.push(Write {
                id: id.clone(),
                kind,
                at: at_end,
                took,
                outcome: told,
                warnings,
            });
            self.operations.extend(
                outcome
                    .map_err(|error| {
                        let target = error.target.clone().unwrap_or_else(|| id.to_string());
                        error.about(target)
                    })?
                    .operation,
            );
            self.done.insert(at);
            if executor.now().duration_since(self.told).is_ok_and(|since| since >= BEAT) {
                self.beat(executor).await?;
            }
        }
        Ok(())
    }

    /// Writes how far it has come, which also tells that it goes on.
    async fn beat(&mut self, executor: &dyn Executor) -> Result<(), ControlError> {
        self.store(executor, State::Running, Precondition::default()).await.map(drop)
    }

    /// What the template may see now.
    fn seen<'e>(&self, executor: &'e dyn Executor) -> Seen<'e> {
        let made = self.done.iter().map(|at| self.steps[*at].id.clone());
        Seen { made: made.collect(), ..Seen::new(executor) }
    }

    /// Nothing can be made although not everything is.
    fn stuck(&self) -> ControlError {
        let open = (0..self.steps.len()).filter(|at| !self.done.contains(at));
        let reasons = open.filter_map(|at| self.steps[at].body.as_ref().err().map(|reasons| (at, reasons)));
        let said = reasons.map(|(at, reasons)| format!("'{}': {}", self.steps[at].id, why(reasons)));
        let message = format!("Values stayed unknown: {}.", said.collect::<Vec<_>>().join("; "));
        ControlError::bad("InvalidTemplate", message)
    }

    /// The failure in Azure's words, with what was written and what was not.
    fn failure(&self, cause: ControlError) -> ControlError {
        let real = |at: &usize| !self.steps[*at].is_deployment();
        let (done, left): (Vec<usize>, Vec<usize>) =
            (0..self.steps.len()).filter(real).partition(|at| self.done.contains(at));
        let names = |steps: &[usize]| {
            let ids: Vec<&str> = steps.iter().map(|at| self.steps[*at].id.as_str()).collect();
            if ids.is_empty() { "none".to_owned() } else { ids.join(", ") }
        };
        let message = format!(
            "At least one resource deployment operation failed. Please list deployment operations for details. Please see \
             https://aka.ms/arm-deployment-operations for usage details. Written: {}. Not written: {}.",
            names(&done),
            names(&left)
        );
        ControlError { details: vec![cause], ..ControlError::new(409, "DeploymentFailed", message) }
    }

    async fn store(
        &mut self,
        executor: &dyn Executor,
        state: State,
        precondition: Precondition,
    ) -> Result<Value, ControlError> {
        self.told = executor.now();
        let body = document::body(&self.request, &self.steps, &self.progress, state, self.told);
        let made = executor.put(&self.request.id(), body, precondition).await?;
        Ok(made.resource)
    }
}

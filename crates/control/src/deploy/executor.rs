//! What a deployment needs of the world around it: to look, to rehearse, to write, and to wait for hosts.
//!
//! The engine knows nothing else, so tests run it on a map. [`OnControl`] is the one that writes.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use palisade_model::ResourceId;
use serde_json::Value;
use tokio::time::Instant;

use crate::fleet::OperationState;
use crate::plan::{Context, Draft, plan};
use crate::time::unix_seconds;
use crate::{Action, Caller, Control, ControlError, Effect, Precondition, World};

/// A resource that was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    /// The resource as `GET` answers it.
    pub resource: Value,
    /// Whether it is new.
    pub is_new: bool,
    /// What to wait for, if hosts must act.
    pub operation: Option<String>,
    /// Intents that it breaks all the same.
    pub warnings: Vec<ControlError>,
}

/// A write that was tried and not kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Rehearsed {
    /// What `GET` would answer.
    pub resource: Value,
    /// Why intents would not let it be stored, if they would not.
    pub forbidden: Option<ControlError>,
}

/// The world of a deployment.
#[async_trait::async_trait]
pub trait Executor: Send + Sync {
    /// A resource as `GET` answers it.
    fn get(&self, id: &ResourceId) -> Option<Value>;

    /// The top-level resources of a group.
    fn list(&self, group: &ResourceId) -> Vec<ResourceId>;

    /// Whether the caller may do this: an action as `Microsoft.Network/networkSecurityGroups/write`, at a resource.
    fn allows(&self, action: &str, id: &ResourceId) -> Result<(), ControlError>;

    /// Does all writes in order without keeping any; each sees those before it that succeeded.
    fn rehearse(&self, puts: &[(ResourceId, Value)]) -> Vec<Result<Rehearsed, ControlError>>;

    /// The ETag of what is stored.
    fn etag(&self, id: &ResourceId) -> Option<String>;

    /// Writes a resource.
    async fn put(
        &self,
        id: &ResourceId,
        body: Value,
        precondition: Precondition,
    ) -> Result<Made, ControlError>;

    /// Waits for a time until the hosts have done what these operations ask of them; whether they have.
    async fn settle(&self, operations: &[String], within: Duration) -> Result<bool, ControlError>;

    /// What time it is.
    fn now(&self) -> SystemTime;
}

/// Whether the caller of a request may do an action at a resource.
pub type Permission = Arc<dyn Fn(&str, &ResourceId) -> Result<(), ControlError> + Send + Sync>;

/// The control plane, on behalf of one caller.
#[derive(Clone)]
pub struct OnControl {
    /// Where to read and write.
    pub control: Control,
    /// Who deploys.
    pub caller: Caller,
    /// What they may do.
    pub permission: Permission,
}

impl std::fmt::Debug for OnControl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OnControl").field("caller", &self.caller).finish_non_exhaustive()
    }
}

#[async_trait::async_trait]
impl Executor for OnControl {
    fn get(&self, id: &ResourceId) -> Option<Value> {
        self.control.read(|world| world.render(id))
    }

    fn list(&self, group: &ResourceId) -> Vec<ResourceId> {
        self.control.read(|world| world.resources(group))
    }

    fn allows(&self, action: &str, id: &ResourceId) -> Result<(), ControlError> {
        (self.permission)(action, id)
    }

    fn rehearse(&self, puts: &[(ResourceId, Value)]) -> Vec<Result<Rehearsed, ControlError>> {
        let mut world = self.control.read(World::clone);
        let context =
            Context { options: self.control.options(), now: unix_seconds(self.control.now()), address: "" };
        let mut draft = Draft::new(&mut world);
        let (gate, leave) = (self.control.gate(), self.caller.overriding.as_ref());
        let one = |(id, body): &(ResourceId, Value)| {
            let (id, body) = (id.clone(), body.clone());
            let put = Action::Put { id, body, precondition: Precondition::default() };
            let mark = draft.mark();
            let planned = plan(&mut draft, &context, &put)?;
            let forbidden = gate.judge(&mut draft, mark, leave, context.now).err();
            Ok(Rehearsed { resource: planned.resource.unwrap_or_default(), forbidden })
        };
        puts.iter().map(one).collect()
    }

    fn etag(&self, id: &ResourceId) -> Option<String> {
        self.control.read(|world| world.etag(id).map(str::to_owned))
    }

    async fn put(
        &self,
        id: &ResourceId,
        body: Value,
        precondition: Precondition,
    ) -> Result<Made, ControlError> {
        let action = Action::Put { id: id.clone(), body, precondition };
        let outcome = self.control.act(&self.caller, action).await?;
        Ok(Made {
            resource: outcome.resource.unwrap_or_default(),
            is_new: outcome.effect == Effect::Created,
            operation: outcome.operation,
            warnings: outcome.warnings,
        })
    }

    async fn settle(&self, operations: &[String], within: Duration) -> Result<bool, ControlError> {
        let until = Instant::now() + within;
        for operation in operations {
            match self.control.fleet().wait(operation, until).await {
                Some(OperationState::Failed { code, message }) => {
                    return Err(ControlError::new(409, code, message).about(operation.clone()));
                }
                Some(OperationState::InProgress) => return Ok(false),
                Some(OperationState::Succeeded) | None => {}
            }
        }
        Ok(true)
    }

    fn now(&self) -> SystemTime {
        self.control.now()
    }
}

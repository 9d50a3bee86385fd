//! Templates deployed to a world without a store: what is made, in which order, and what is refused before anything is.

#![expect(clippy::needless_pass_by_value, reason = "bodies are written where they are handed over")]

mod examples;
mod refusals;
mod runs;
mod told;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use palisade_model::ResourceId;
use serde_json::{Value, json};

use super::*;
use crate::plan::{Context, Draft, plan};
use crate::{Action, ControlError, Effect, Options, Precondition, World};

const SUBSCRIPTION: &str = "/subscriptions/11111111-1111-1111-1111-111111111111";
const SCHEMA: &str = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#";
const SUBSCRIPTION_SCHEMA: &str =
    "https://schema.management.azure.com/schemas/2018-05-01/subscriptionDeploymentTemplate.json#";

/// A world that is planned and changed, without a store behind it.
pub(super) struct Bench {
    world: Mutex<World>,
    options: Options,
    /// Ids in the order in which they were written.
    written: Mutex<Vec<String>>,
    /// The id whose write fails.
    broken: Option<String>,
    /// The action, or the beginning of an id, that the caller may not.
    forbidden: Option<String>,
    /// What the hosts answer.
    unreachable: bool,
    /// How late it is.
    hour: AtomicU64,
}

impl Bench {
    pub(super) fn new() -> Self {
        let bench = Self {
            world: Mutex::new(World::default()),
            options: Options::default(),
            written: Mutex::default(),
            broken: None,
            forbidden: None,
            unreachable: false,
            hour: AtomicU64::new(0),
        };
        bench.write(&group("g"), &json!({"location": "westeurope"})).expect("a group can be made");
        bench
    }

    fn world(&self) -> std::sync::MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self, id: &ResourceId, body: &Value) -> Result<(Value, bool), ControlError> {
        let mut world = self.world();
        let outcome = Self::plan(&mut world, &self.options, id, body, Precondition::default())?;
        Ok((outcome.0, outcome.1 == Effect::Created))
    }

    fn plan(
        world: &mut World,
        options: &Options,
        id: &ResourceId,
        body: &Value,
        precondition: Precondition,
    ) -> Result<(Value, Effect), ControlError> {
        let (id, body) = (id.clone(), body.clone());
        let put = Action::Put { id, body, precondition };
        let planned =
            plan(&mut Draft::new(world), &Context { options, now: 1_790_000_000, address: "" }, &put)?;
        Ok((planned.resource.unwrap_or_default(), planned.effect))
    }

    pub(super) fn remove(&self, id: &ResourceId) {
        let delete = Action::Delete { id: id.clone(), precondition: Precondition::default() };
        let context = Context { options: &self.options, now: 1_790_000_000, address: "" };
        plan(&mut Draft::new(&mut self.world()), &context, &delete).expect("it can be deleted");
    }

    /// Names of what was written, deployments not among them.
    pub(super) fn names(&self) -> Vec<String> {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let real = written.iter().filter(|id| !id.contains("/deployments/"));
        real.map(|id| id.rsplit('/').next().unwrap_or_default().to_owned()).collect()
    }
}

#[async_trait::async_trait]
impl Executor for Bench {
    fn get(&self, id: &ResourceId) -> Option<Value> {
        self.world().render(id)
    }

    fn list(&self, group: &ResourceId) -> Vec<ResourceId> {
        self.world().resources(group)
    }

    fn allows(&self, action: &str, id: &ResourceId) -> Result<(), ControlError> {
        let is_forbidden = |word: &String| action == word || id.as_str().starts_with(word.as_str());
        match self.forbidden.as_ref().filter(|word| is_forbidden(word)) {
            Some(_) => Err(ControlError::new(403, "AuthorizationFailed", format!("no {action} at {id}"))),
            None => Ok(()),
        }
    }

    fn rehearse(&self, puts: &[(ResourceId, Value)]) -> Vec<Result<Rehearsed, ControlError>> {
        let mut world = self.world().clone();
        let one = |(id, body): &(ResourceId, Value)| {
            let (resource, _) = Self::plan(&mut world, &self.options, id, body, Precondition::default())?;
            Ok(Rehearsed { resource, forbidden: None })
        };
        puts.iter().map(one).collect()
    }

    fn etag(&self, id: &ResourceId) -> Option<String> {
        self.world().etag(id).map(str::to_owned)
    }

    async fn put(
        &self,
        id: &ResourceId,
        body: Value,
        precondition: Precondition,
    ) -> Result<Made, ControlError> {
        if self.broken.as_deref() == Some(id.name()) {
            return Err(ControlError::new(409, "Broken", "it broke"));
        }
        let planned = Self::plan(&mut self.world(), &self.options, id, &body, precondition)?;
        self.written.lock().unwrap_or_else(PoisonError::into_inner).push(id.to_string());
        let (resource, effect) = planned;
        Ok(Made {
            resource,
            is_new: effect == Effect::Created,
            operation: Some(id.name().to_owned()),
            warnings: Vec::new(),
        })
    }

    async fn settle(&self, _operations: &[String], _within: Duration) -> Result<bool, ControlError> {
        if self.unreachable {
            return Err(ControlError::new(409, "AgentsUnreachable", "1 of 1 hosts did not confirm"));
        }
        Ok(true)
    }

    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_790_000_000 + 3_600 * self.hour.load(Ordering::Relaxed))
    }
}

pub(super) fn group(name: &str) -> ResourceId {
    ResourceId::new(&format!("{SUBSCRIPTION}/resourceGroups/{name}"))
}

pub(super) fn id(kind: &str, name: &str) -> ResourceId {
    ResourceId::new(&format!("{}/providers/Microsoft.Network/{kind}/{name}", group("g")))
}

/// The groups `missing` and `fresh` are not there.
pub(super) fn place(scope: ResourceId) -> Place {
    let is_there = scope.segment("resourceGroups").is_some_and(|name| !["missing", "fresh"].contains(&name));
    Place {
        scope,
        name: "d".to_owned(),
        tenant: "22222222-2222-2222-2222-222222222222".to_owned(),
        subscription_name: "Lab".to_owned(),
        location: is_there.then(|| "westeurope".to_owned()),
        correlation: "c".to_owned(),
    }
}

pub(super) fn request_at(scope: ResourceId, body: &Value) -> Result<Request, ControlError> {
    Request::new(place(scope), body, "2026-09-21T14:13:20Z".to_owned())
}

pub(super) fn body(template: Value, parameters: Value) -> Value {
    json!({"properties": {"mode": "Incremental", "template": template, "parameters": parameters}})
}

/// A template for a group with these resources and further members.
pub(super) fn template(resources: Value, more: Value) -> Value {
    let mut template = json!({"$schema": SCHEMA, "contentVersion": "1.0.0.0", "resources": resources});
    for (key, value) in more.as_object().into_iter().flatten() {
        template[key] = value.clone();
    }
    template
}

pub(super) fn request(resources: Value, more: Value) -> Request {
    request_at(group("g"), &body(template(resources, more), json!({}))).expect("the request is well formed")
}

/// A resource of a template.
pub(super) fn resource(kind: &str, name: &str, properties: Value) -> Value {
    json!({"type": format!("Microsoft.Network/{kind}"), "apiVersion": "2024-05-01", "name": name, "location": "westeurope",
        "properties": properties})
}

/// A network with a subnet `a`, behind the NSG `n`.
pub(super) fn network() -> Value {
    resource(
        "virtualNetworks",
        "v",
        json!({"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}, "subnets": [{"name": "a", "properties": {
            "addressPrefix": "10.0.0.0/24",
            "networkSecurityGroup": {"id": "[resourceId('Microsoft.Network/networkSecurityGroups', 'n')]"}}}]}),
    )
}

/// An interface in that subnet.
pub(super) fn interface(name: &str) -> Value {
    resource(
        "networkInterfaces",
        name,
        json!({"ipConfigurations": [{"name": "ipconfig1", "properties": {
            "subnet": {"id": "[resourceId('Microsoft.Network/virtualNetworks/subnets', 'v', 'a')]"}}}]}),
    )
}

pub(super) fn with(mut resource: Value, key: &str, value: Value) -> Value {
    resource[key] = value;
    resource
}

pub(super) async fn deploy(bench: &Bench, request: Request) -> Value {
    create(bench, request).await.unwrap_or_else(|error| panic!("{error}: {:#?}", error.details))
}

pub(super) fn state(document: &Value) -> &str {
    document["properties"]["provisioningState"].as_str().unwrap_or("-")
}

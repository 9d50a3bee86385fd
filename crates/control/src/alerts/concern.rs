//! What concerns a machine: its interfaces, what judges them, and what the audit log tells of either.

use std::collections::BTreeSet;

use palisade_model::ResourceId;
use serde_json::Value;

use super::{KeptAlert, PREFIX, all};
use crate::{
    ControlError, World, access,
    audit::{Body, Event},
    kinds,
};

/// A machine, and all that an alert, an entry of the audit log or a flow record may name of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concern {
    /// Resource id of the machine.
    pub machine: String,
    /// Resource ids of its interfaces.
    pub nics: Vec<String>,
    /// Ids of its alerts.
    alerts: BTreeSet<String>,
    /// Ids in lower case: itself, its interfaces, and what these refer to, such as security groups, subnets and their groups.
    resources: BTreeSet<String>,
}

/// The machine that an interface belongs to, as the interface or the virtual machine names it; the first by id, if several do.
pub fn machine_of(world: &World, nic: &str) -> Option<String> {
    let nic = world.document(&ResourceId::new(nic)).filter(|document| document.kind().name == kinds::NIC)?;
    access::machines(world, nic).first().map(ToString::to_string)
}

impl Concern {
    /// What concerns the machine of a name or an id, as things are now.
    ///
    /// # Errors
    /// If no machine, or several, have that name.
    pub fn of(world: &World, name: &str) -> Result<Self, ControlError> {
        let machine = found(world, name)?;
        let nics = access::interfaces(world, &machine);
        let refers = |id: &ResourceId| -> Vec<ResourceId> {
            world.document(id).into_iter().flat_map(|document| document.references().cloned()).collect()
        };
        let near: BTreeSet<ResourceId> = nics.iter().flat_map(refers).collect();
        let far: Vec<ResourceId> = near.iter().filter(|id| is_subnet(id)).flat_map(refers).collect();
        let of_policies = access::policies(world, &machine).map(|policy| policy.id().clone());
        let resources = nics.iter().chain(&near).chain(&far).cloned().chain(of_policies);
        let resources = resources.chain([machine.clone()]).map(|id| id.as_str().to_lowercase()).collect();
        let nics: Vec<String> = nics.iter().map(ToString::to_string).collect();
        let mut concern = Self { machine: machine.to_string(), nics, alerts: BTreeSet::new(), resources };
        concern.alerts = concern.alerts(world).into_iter().map(|kept| kept.id).collect();
        Ok(concern)
    }

    /// The alerts of the machine.
    pub fn alerts(&self, world: &World) -> Vec<KeptAlert> {
        let is_own = |kept: &KeptAlert| {
            let is_nic = |nic: &String| self.nics.iter().any(|own| own.eq_ignore_ascii_case(nic));
            kept.machine.as_ref().is_some_and(|machine| machine.eq_ignore_ascii_case(&self.machine))
                || kept.nic.as_ref().is_some_and(is_nic)
        };
        all(world).into_iter().filter(is_own).collect()
    }

    /// Whether an entry of the audit log is about it: it is of what judges the machine, or names the machine, an interface or an alert
    /// of it.
    pub fn is_about(&self, event: &Event) -> bool {
        let target = event.target.to_lowercase();
        let is_of = |id: &String| {
            target.strip_prefix(id.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.resources.iter().any(is_of)
            || event.target.strip_prefix(PREFIX).is_some_and(|id| self.alerts.contains(id))
            // What is done about an alert bears its id.
            || self.alerts.contains(&event.correlation)
            || [&event.before, &event.after].into_iter().flatten().any(|body| self.is_named_in(body))
    }

    fn is_named_in(&self, body: &Body) -> bool {
        let Some(document) = &body.document else { return false };
        self.is_named(document)
    }

    fn is_named(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => {
                self.alerts.contains(text)
                    || text.eq_ignore_ascii_case(&self.machine)
                    || self.nics.iter().any(|nic| text.eq_ignore_ascii_case(nic))
            }
            Value::Array(items) => items.iter().any(|item| self.is_named(item)),
            Value::Object(fields) => fields.values().any(|field| self.is_named(field)),
            _ => false,
        }
    }

    /// The grants of the machine whose time has ended by itself, as the policies remember them: each request with its policy's id.
    pub fn expired(&self, world: &World, now: u64) -> Vec<(String, Value)> {
        let machine = ResourceId::new(&self.machine);
        let mut ended = Vec::new();
        for policy in access::policies(world, &machine) {
            let shown = access::shown(policy.body().clone(), now);
            let requests = shown["properties"]["requests"].as_array().cloned().unwrap_or_default();
            for request in requests {
                for port in ports(&request, &self.machine).filter(|port| port["state"] == "Expired") {
                    let told = serde_json::json!({
                        "request": request["name"], "port": port["number"], "endTimeUtc": port["endTimeUtc"],
                        "requestor": request["requestor"],
                    });
                    ended.push((policy.id().to_string(), told));
                }
            }
        }
        ended
    }
}

/// The ports of a request at a machine.
fn ports<'v>(request: &'v Value, machine: &'v str) -> impl Iterator<Item = &'v Value> {
    let machines = request["virtualMachines"].as_array().into_iter().flatten();
    let own =
        machines.filter(move |one| one["id"].as_str().is_some_and(|id| id.eq_ignore_ascii_case(machine)));
    own.flat_map(|one| one["ports"].as_array().into_iter().flatten())
}

fn is_subnet(id: &ResourceId) -> bool {
    id.segment("subnets").is_some()
}

/// The only machine of a name or an id: a virtual machine, or what an interface says that it belongs to.
fn found(world: &World, name: &str) -> Result<ResourceId, ControlError> {
    let is_meant =
        |id: &ResourceId| id.as_str().eq_ignore_ascii_case(name) || id.name().eq_ignore_ascii_case(name);
    let of = |document: &crate::Document| -> Vec<ResourceId> {
        match document.kind().name {
            kinds::VM => vec![document.id().clone()],
            kinds::NIC => access::machines(world, document).into_iter().collect(),
            _ => Vec::new(),
        }
    };
    let mut all: BTreeSet<ResourceId> =
        world.documents().flat_map(|document| of(document)).filter(is_meant).collect();
    match (all.pop_first(), all.is_empty()) {
        (Some(one), true) => Ok(one),
        (None, _) => Err(ControlError::new(
            404,
            "MachineNotFound",
            format!(
                "There is no virtual machine '{name}': name one, or what a network interface has as its virtualMachine."
            ),
        )),
        (Some(_), false) => Err(ControlError::bad(
            "MachineAmbiguous",
            format!("Several virtual machines are called '{name}': give the resource id."),
        )),
    }
}

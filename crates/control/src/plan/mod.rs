//! What an action does to the world, or why it may not.
//!
//! Planning is pure: the same action on the same world gives the same changes, but for names that must be new. It works on a
//! [`Draft`], which takes back what it did if the action is refused. Order of the checks: what the id names, where it
//! would be, what must hold of the stored one, the body's shape, what it refers to, what the model says of it.

mod access;
mod address;
mod answers;
mod body;
mod check;
mod defaults;
mod delete;
mod draft;
mod group;
mod intents;
mod judge;
mod lock;
mod patch;
mod precondition;
mod put;
mod records;
#[cfg(test)]
pub(crate) mod tests;
mod throttle;
mod tunnel;
mod watcher;

use palisade_model::ResourceId;
use serde_json::Value;

use crate::{Action, ControlError, Effect, Options, World, kinds};
pub(crate) use draft::Draft;
pub(crate) use group::finish as finish_group;
pub(crate) use judge::estate_of;

/// What planning needs besides the world.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    /// What the operator set.
    pub(crate) options: &'a Options,
    /// Seconds since 1970.
    pub(crate) now: u64,
    /// The address that the server sees the caller at; empty where nobody asked.
    pub(crate) address: &'a str,
}

/// An action that may be done; its changes are in the draft.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) effect: Effect,
    /// The resource as GET will render it.
    pub(crate) resource: Option<Value>,
    /// For the audit log: the verb, the target, and how it was and is.
    pub(crate) verb: String,
    pub(crate) target: String,
    pub(crate) before: Option<Value>,
    pub(crate) after: Option<Value>,
    /// How it went, where the audit log is to be told although nothing changes.
    pub(crate) note: Option<String>,
    /// A group whose resources are too many for one transaction: they go after it was marked.
    pub(crate) unfinished: Option<ResourceId>,
    /// What the caller is told although it is done.
    pub(crate) warnings: Vec<ControlError>,
}

/// Plans one action. After an error the draft is as it was.
pub(crate) fn plan(
    draft: &mut Draft<'_>,
    context: &Context<'_>,
    action: &Action,
) -> Result<Planned, ControlError> {
    let from = draft.mark();
    let planned = dispatch(draft, context, action);
    if planned.is_err() {
        draft.roll_back(from);
    }
    planned
}

fn dispatch(draft: &mut Draft<'_>, context: &Context<'_>, action: &Action) -> Result<Planned, ControlError> {
    match action {
        Action::Records { changes, verb } => records::plan(draft, changes, verb),
        Action::Note { verb, target, outcome } => Ok(Planned {
            effect: Effect::Unchanged,
            resource: None,
            verb: (*verb).to_owned(),
            target: target.clone(),
            before: None,
            after: None,
            note: Some(outcome.clone()),
            unfinished: None,
            warnings: Vec::new(),
        }),
        Action::Access { policy, verb, actor } => {
            let target = spelt_as_stored(draft.world(), kinds::locate(policy)?)?;
            access::plan(draft, context, &target.id, verb, actor)
        }
        Action::Tunnel { id, verb, actor } => tunnel::plan(draft, context, id, verb, actor),
        Action::Answer { policy, call } => {
            let target = spelt_as_stored(draft.world(), kinds::locate(policy)?)?;
            answers::plan(draft, context, &target, call)
        }
        Action::Put { id, body, precondition } => {
            let target = kinds::locate(id)?;
            tunnel::check_unwritten(target.kind)?;
            resource(draft, target, "put", |draft, target| {
                precondition::check(draft.world(), &target.id, precondition)?;
                put::plan(draft, context, target, body)
            })
        }
        Action::Patch { id, body, precondition } => {
            let target = kinds::locate(id)?;
            resource(draft, target, "patch", |draft, target| {
                precondition::check(draft.world(), &target.id, precondition)?;
                patch::plan(draft, context, target, body)
            })
        }
        Action::Delete { id, precondition } => {
            let target = kinds::locate(id)?;
            resource(draft, target, "delete", |draft, target| {
                precondition::check(draft.world(), &target.id, precondition)?;
                delete::plan(draft, target)
            })
        }
    }
}

/// What became of a resource.
pub(super) struct Done {
    effect: Effect,
    unfinished: Option<ResourceId>,
    warnings: Vec<ControlError>,
}

impl From<Effect> for Done {
    fn from(effect: Effect) -> Self {
        Self { effect, unfinished: None, warnings: Vec::new() }
    }
}

/// Plans an action on one resource, and tells how it was before and is after.
fn resource(
    draft: &mut Draft<'_>,
    target: kinds::Target,
    verb: &str,
    plan: impl FnOnce(&mut Draft<'_>, &kinds::Target) -> Result<Done, ControlError>,
) -> Result<Planned, ControlError> {
    let target = spelt_as_stored(draft.world(), target)?;
    let stored = |world: &World| world.document(&target.id).map(|document| document.body().clone());
    let before = stored(draft.world());
    let Done { effect, unfinished, warnings } = plan(draft, &target)?;
    let after = stored(draft.world());
    let resource = draft.world().render(&target.id);
    Ok(Planned {
        effect,
        resource,
        verb: verb.to_owned(),
        target: target.id.to_string(),
        before,
        after,
        note: None,
        unfinished,
        warnings,
    })
}

/// The target with the spelling of what is stored: of itself, else of its parent, else of its group.
fn spelt_as_stored(world: &World, target: kinds::Target) -> Result<kinds::Target, ControlError> {
    if let Some(document) = world.document(&target.id) {
        return kinds::locate(&document.id().clone());
    }
    let above = target.parent.clone().or_else(|| target.group()).filter(|above| *above != target.id);
    let Some(above) = above.and_then(|above| world.document(&above)) else { return Ok(target) };
    let above = above.id().as_str();
    let id = ResourceId::new(&format!("{above}{}", &target.id.as_str()[above.len()..]));
    kinds::locate(&id)
}

//! PUT: creates or replaces a resource with its inlined children, or one child.
//!
//! A collection that the body does not name is emptied, as Azure does with rules and routes; those of a virtual network
//! are kept, as Azure does since 2025. What the server assigned before stays assigned.

use std::sync::Arc;

use palisade_model::{ResourceId, is_valid_name};
use serde_json::{Map, Value};

use super::body::{self, Body};
use super::{
    Context, Done, Draft, access, address, answers, check, defaults, group, intents, judge, lock, throttle,
    watcher,
};
use crate::kinds::{self, Collection, Kind, Target};
use crate::world::Document;
use crate::{ControlError, Effect, World};

/// Plans a PUT.
pub(super) fn plan(
    draft: &mut Draft<'_>,
    context: &Context<'_>,
    target: &Target,
    body: &Value,
) -> Result<Done, ControlError> {
    if target.kind.name == kinds::GROUP {
        return group::put(draft, target, body);
    }
    if target.kind.name == kinds::DEPLOYMENT {
        group::found(draft, target, body)?;
    }
    group::check_place(draft.world(), target)?;
    // What closes something is never locked.
    if ![kinds::QUARANTINE, kinds::LOCKOUT, kinds::THROTTLE].contains(&target.kind.name) {
        lock::check_write(draft.world(), &target.id)?;
    }
    let body = body::read(target.kind, body)?;
    match &target.parent {
        None => resource(draft, context, target, body),
        Some(parent) => Ok(child(draft, context, target, parent, body)?.into()),
    }
}

/// A resource that is no child.
fn resource(
    draft: &mut Draft<'_>,
    context: &Context<'_>,
    target: &Target,
    Body { own, children }: Body,
) -> Result<Done, ControlError> {
    let stored = draft.world().document(&target.id).cloned();
    check_name(target.kind, target.id.name())?;
    let mut own = filled(draft.world(), context, target.kind, &target.id, own, stored.as_deref())?;
    let mut warnings = Vec::new();
    match target.kind.name {
        kinds::INTENTS => intents::check(draft.world(), target, &own)?,
        kinds::JIT => warnings = access::fill(draft.world(), context, target, &mut own)?,
        kinds::QUARANTINE => warnings = answers::fill_quarantine(draft.world(), context, target, &mut own)?,
        kinds::THROTTLE => warnings = throttle::fill(draft.world(), context, target, &mut own)?,
        kinds::LOCKOUT => answers::fill_lockout(draft.world(), context, target, &mut own)?,
        kinds::ANSWER_POLICY => answers::fill_policy(draft.world(), target, &mut own)?,
        _ => {}
    }
    let document = Document::new(target.id.clone(), target.kind, own, new_etag(), 0);
    let is_same = stored.as_ref().is_some_and(|stored| stored.says_as(&document));
    let from = draft.mark();
    draft.put(document);
    let changed = put_collections(draft, context, target, children)?;
    if is_same && !changed {
        draft.roll_back(from);
        return Ok(Done { warnings, ..Effect::Unchanged.into() });
    }
    finish(draft, context, target, from)?;
    let effect = if stored.is_some() { Effect::Updated } else { Effect::Created };
    Ok(Done { warnings, ..effect.into() })
}

/// A child: it is written, and the resource that it belongs to has another ETag.
fn child(
    draft: &mut Draft<'_>,
    context: &Context<'_>,
    target: &Target,
    parent: &ResourceId,
    body: Body,
) -> Result<Effect, ControlError> {
    let stored = draft.world().document(&target.id).cloned();
    check_name(target.kind, target.id.name())?;
    let own = filled(draft.world(), context, target.kind, &target.id, body.own, stored.as_deref())?;
    let order = stored.as_ref().map_or_else(
        || {
            let siblings = draft.world().children(parent, target.kind.segment());
            siblings.last().map_or(0, |last| last.order() + 1)
        },
        |stored| stored.order(),
    );
    let document = Document::new(target.id.clone(), target.kind, own, no_etag(), order);
    if stored.as_ref().is_some_and(|stored| stored.says_as(&document)) {
        return Ok(Effect::Unchanged);
    }
    let from = draft.mark();
    draft.put(document);
    touch(draft, &target.top);
    finish(draft, context, target, from)?;
    Ok(if stored.is_some() { Effect::Updated } else { Effect::Created })
}

/// What a body becomes when it is stored.
fn filled(
    world: &World,
    context: &Context<'_>,
    kind: &'static Kind,
    id: &ResourceId,
    mut own: Map<String, Value>,
    stored: Option<&Document>,
) -> Result<Value, ControlError> {
    if kind.is_located {
        check_location(id, &own, stored)?;
    }
    defaults::fill(world, context, kind, id, &mut own, stored)?;
    if kind.name == kinds::NIC {
        address::assign(world, id, &mut own, stored)?;
    }
    Ok(Value::Object(own))
}

/// Everything that can only be said when the draft has the whole change.
fn finish(
    draft: &mut Draft<'_>,
    context: &Context<'_>,
    target: &Target,
    from: usize,
) -> Result<(), ControlError> {
    check::written(draft, from)?;
    judge::check(draft.world(), target)?;
    watcher::ensure(draft, context, target);
    Ok(())
}

/// Writes the children that the body names and removes the others; whether anything is another now.
fn put_collections(
    draft: &mut Draft<'_>,
    context: &Context<'_>,
    target: &Target,
    mut given: body::Inlined,
) -> Result<bool, ControlError> {
    let mut changed = false;
    for collection in target.kind.collections.iter().filter(|collection| collection.is_inlined) {
        let at = given.iter().position(|(other, _)| other.segment == collection.segment);
        let children = match at {
            Some(at) => given.swap_remove(at).1,
            None if collection.is_kept_if_absent => continue,
            None => Vec::new(),
        };
        changed |= put_children(draft, context, target, collection, children)?;
    }
    Ok(changed)
}

fn put_children(
    draft: &mut Draft<'_>,
    context: &Context<'_>,
    target: &Target,
    collection: &'static Collection,
    given: Vec<(String, Map<String, Value>)>,
) -> Result<bool, ControlError> {
    let mut gone: std::collections::BTreeMap<ResourceId, Arc<Document>> = draft
        .world()
        .children(&target.id, collection.segment)
        .into_iter()
        .map(|child| (child.id().clone(), child.clone()))
        .collect();
    let mut changed = false;
    for (order, (name, own)) in (0..).zip(given) {
        check_name(collection.kind, &name)?;
        let id = target.id.child(collection.segment, &name);
        let stored = gone.remove(&id);
        let id = stored.as_ref().map_or(id, |stored| stored.id().clone());
        let own = filled(draft.world(), context, collection.kind, &id, own, stored.as_deref())?;
        let document = Document::new(id, collection.kind, own, no_etag(), order);
        if !stored.is_some_and(|stored| stored.says_as(&document)) {
            draft.put(document);
            changed = true;
        }
    }
    for id in gone.keys() {
        super::delete::check_unused(draft.world(), id, &target.id)?;
        draft.remove(id);
        changed = true;
    }
    Ok(changed)
}

/// Gives a resource a new ETag because a child of it has changed.
pub(super) fn touch(draft: &mut Draft<'_>, top: &ResourceId) {
    if let Some(stored) = draft.world().document(top).cloned() {
        draft.put(Document::new(
            stored.id().clone(),
            stored.kind(),
            stored.body().clone(),
            new_etag(),
            stored.order(),
        ));
    }
}

/// A weak ETag, as Azure's are.
pub(super) fn new_etag() -> Arc<str> {
    format!("W/\"{}\"", uuid::Uuid::new_v4()).into()
}

/// A child has no ETag of its own.
pub(super) fn no_etag() -> Arc<str> {
    "".into()
}

fn check_name(kind: &Kind, name: &str) -> Result<(), ControlError> {
    if is_valid_name(name) || kind.name == kinds::LOCK || kind.name == kinds::DEPLOYMENT {
        return Ok(());
    }
    let message = format!(
        "Resource name {name} is invalid. The name can be up to 80 characters long. It must begin with a word character, \
         and it must end with a word character or with '_'. The name may contain word characters or '.', '-', '_'."
    );
    Err(ControlError::bad("InvalidResourceName", message))
}

fn check_location(
    id: &ResourceId,
    own: &Map<String, Value>,
    stored: Option<&Document>,
) -> Result<(), ControlError> {
    let given = own.get("location").and_then(Value::as_str).filter(|location| !location.is_empty());
    let Some(given) = given else {
        let message = format!("The location property is required for this definition: {id}.");
        return Err(ControlError::bad("LocationRequired", message).about("location"));
    };
    let Some(before) = stored.and_then(Document::location).filter(|before| *before != given) else {
        return Ok(());
    };
    let group = id.segment("resourceGroups").unwrap_or_default();
    let message = format!(
        "The resource '{}' already exists in location '{before}' in resource group '{group}'. A resource with the same \
         name cannot be created in location '{given}'. Please select a new resource name.",
        id.name()
    );
    Err(ControlError::new(409, "InvalidResourceLocation", message))
}

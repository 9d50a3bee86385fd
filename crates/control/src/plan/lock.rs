//! Locks: `ReadOnly` forbids writes and deletions under its scope, `CanNotDelete` deletions.

use palisade_model::ResourceId;

use crate::{ControlError, World, kinds};

/// Whether a resource may be written.
pub(super) fn check_write(world: &World, id: &ResourceId) -> Result<(), ControlError> {
    refuse(world, id, "write", |level| level.eq_ignore_ascii_case("ReadOnly"))
}

/// Whether a resource may be deleted.
pub(super) fn check_delete(world: &World, id: &ResourceId) -> Result<(), ControlError> {
    refuse(world, id, "delete", |_| true)
}

/// Whether a group may be deleted: no lock above it, on it, or in it.
pub(super) fn check_group(world: &World, group: &ResourceId) -> Result<(), ControlError> {
    check_delete(world, group)?;
    let inside = world.under(group).find(|document| document.kind().name == kinds::LOCK);
    inside.map_or(Ok(()), |lock| Err(locked(group, lock.id(), "delete")))
}

fn refuse(
    world: &World,
    id: &ResourceId,
    verb: &str,
    forbids: impl Fn(&str) -> bool,
) -> Result<(), ControlError> {
    // Locks are few, and most worlds have none.
    for lock in world.of_kind(kinds::LOCK) {
        let Some(document) = world.document(lock) else { continue };
        let Some((scope, _)) = lock.as_str().rsplit_once("/providers/") else { continue };
        let level = document.properties()["level"].as_str().unwrap_or_default();
        if lock != id && is_at_or_under(id, scope) && forbids(level) {
            return Err(locked(id, lock, verb));
        }
    }
    Ok(())
}

fn is_at_or_under(id: &ResourceId, scope: &str) -> bool {
    let (id, scope) = (id.as_str().to_ascii_lowercase(), scope.to_ascii_lowercase());
    id.strip_prefix(&scope).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn locked(id: &ResourceId, lock: &ResourceId, verb: &str) -> ControlError {
    let message = format!(
        "The scope '{id}' cannot perform {verb} operation because following scope(s) are locked: '{lock}'. Please remove \
         the lock and try again."
    );
    ControlError::new(409, "ScopeLocked", message)
}

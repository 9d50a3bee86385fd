//! Who asks, and whether he may.
//!
//! [`authenticate`] stands before every handler but those of `login`: it turns a bearer token into a [`Principal`], or
//! refuses. [`authorize`] is asked by handlers with the action of their row and the scope of their path. Both read the
//! world of this very moment: a principal that is disabled, or an assignment that is taken away, counts no more with the
//! next request, whatever tokens are about. Invariant: nothing of this is decided anywhere else.

pub mod assignments;
pub mod definitions;
pub(crate) mod directory;
pub mod fetch;
mod filter;
mod gate;
pub mod outside;
mod ration;
mod rings;
mod visitors;

use std::sync::{Arc, Mutex, PoisonError};

use palisade_control::{Control, ControlError, World};
use palisade_identity::{Kind, Rights, Scope};
use palisade_model::ResourceId;
use palisade_store::Revision;
use uuid::Uuid;

pub use gate::Gatekeeper;
pub(crate) use gate::{Note, authenticate, stranger};
pub(crate) use outside::Place;

/// Somebody who has shown who he is.
#[derive(Debug, Clone)]
pub struct Principal {
    /// Object id.
    pub oid: Uuid,
    /// Name, as people know it.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Ids of groups that an issuer elsewhere says he is in.
    pub groups: Vec<Uuid>,
    /// The rights at one revision of the world: lists ask for many items.
    rights: Arc<Mutex<Option<Known>>>,
}

/// Rights, and the revision that they were read at.
type Known = (Revision, Arc<Rights>);

impl Principal {
    /// The principal of a record, and the groups that his token tells.
    pub fn new(record: &palisade_identity::Principal, groups: Vec<Uuid>) -> Self {
        Self { oid: record.id, name: record.name.clone(), kind: record.kind, groups, rights: Arc::default() }
    }

    /// What he may do in `world`.
    pub fn rights(&self, world: &World) -> Arc<Rights> {
        let mut known = self.rights.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((revision, rights)) = &*known
            && *revision == world.revision()
        {
            return rights.clone();
        }
        let rights = Arc::new(directory::rights(world, self.oid, &self.groups));
        *known = Some((world.revision(), rights.clone()));
        rights
    }
}

/// Refuses what `principal` may not do at `scope`, in Azure's words.
///
/// # Errors
/// 403 `AuthorizationFailed`.
pub fn authorize(
    control: &Control,
    principal: &Principal,
    action: &str,
    scope: &ResourceId,
) -> Result<(), ControlError> {
    let place = Scope::new(scope.as_str());
    let allowed =
        place.is_ok_and(|place| control.read(|world| principal.rights(world)).allow(action, &place));
    if allowed { Ok(()) } else { Err(denied(principal, action, scope.as_str())) }
}

/// The refusal of `action` at `scope`.
pub(crate) fn denied(principal: &Principal, action: &str, scope: &str) -> ControlError {
    let (name, oid) = (&principal.name, principal.oid);
    let scope = if scope.is_empty() { "/" } else { scope };
    let message = format!(
        "The client '{name}' with object id '{oid}' does not have authorization to perform action '{action}' over scope \
         '{scope}' or the scope is invalid. If access was recently granted, please refresh your credentials."
    );
    ControlError::new(403, "AuthorizationFailed", message)
}

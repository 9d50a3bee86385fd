//! The records of identities: where they are in the store, and what they are as values.
//!
//! Assignments are filed by principal, so that the rights of one are read without looking at those of others. A record
//! that cannot be read counts as absent, which allows nothing.

use palisade_control::{Expect, RecordChange, World};
use palisade_identity::{Assignment, Principal, Rights, Role, built_in};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// The signing keys.
pub(crate) const KEY: &str = "id/key";
/// The tenant and the subscription.
pub(crate) const TENANT: &str = "id/tenant";
const PRINCIPALS: &str = "id/principal/";
/// Who has a user name, by the name in lower case: of two who want one at the same moment, one gets it.
const NAMES: &str = "id/name/";
const ASSIGNMENTS: &str = "id/assignment/";
const ROLES: &str = "id/role/";
/// Refresh tokens, by the hash of their text.
pub(crate) const REFRESH: &str = "id/refresh/";
/// Approvals of user codes, by the hash of the code.
pub(crate) const DEVICE: &str = "id/device/";

/// The one tenant and the one subscription of a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tenant {
    pub(crate) tenant_id: Uuid,
    pub(crate) subscription_id: Uuid,
    pub(crate) display_name: String,
}

pub(crate) fn principal_key(id: Uuid) -> String {
    format!("{PRINCIPALS}{id}")
}

fn name_key(user_name: &str) -> String {
    format!("{NAMES}{}", user_name.to_lowercase())
}

/// What makes a principal, unless there is one of its id or its user name.
pub(crate) fn creation(principal: &Principal) -> Vec<RecordChange> {
    let new = |key, value| RecordChange { key, value: Some(value), expect: Expect::Absent };
    let name = principal.user_name.as_deref().map(|name| new(name_key(name), record(&principal.id)));
    let own = new(principal_key(principal.id), record(principal));
    std::iter::once(own).chain(name).collect()
}

/// What frees the user name of a principal that goes.
pub(crate) fn release(principal: &Principal) -> Option<RecordChange> {
    let key = name_key(principal.user_name.as_deref()?);
    Some(RecordChange { key, value: None, expect: Expect::Any })
}

pub(crate) fn assignment_key(assignment: &Assignment) -> String {
    format!("{ASSIGNMENTS}{}/{}", assignment.principal, assignment.id)
}

pub(crate) fn role_key(id: Uuid) -> String {
    format!("{ROLES}{id}")
}

/// A value as it stands in its record.
///
/// # Panics
/// Never: what is kept here consists of texts and numbers.
pub(crate) fn record<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).expect("records of identities are texts and numbers")
}

pub(crate) fn read<T: DeserializeOwned>(value: &Value) -> Option<T> {
    T::deserialize(value).ok()
}

fn all<T: DeserializeOwned>(world: &World, prefix: &str) -> Vec<T> {
    world.records(prefix).filter_map(|(_, value)| read(value)).collect()
}

pub(crate) fn tenant(world: &World) -> Option<Tenant> {
    read(world.record(TENANT)?)
}

pub(crate) fn principal(world: &World, id: Uuid) -> Option<Principal> {
    read(world.record(&principal_key(id))?)
}

pub(crate) fn principals(world: &World) -> Vec<Principal> {
    all(world, PRINCIPALS)
}

/// The program with a client id. Object ids are taken too, for people mix them up.
pub(crate) fn program(world: &World, id: Uuid) -> Option<Principal> {
    let by_client = principals(world).into_iter().find(|one| one.application == Some(id));
    by_client.or_else(|| principal(world, id).filter(|one| one.application.is_some()))
}

/// The person with a user name, whatever its case.
pub(crate) fn person(world: &World, user_name: &str) -> Option<Principal> {
    let user_name = user_name.to_lowercase();
    let is_it = |one: &Principal| one.user_name.as_deref().is_some_and(|own| own.to_lowercase() == user_name);
    principals(world).into_iter().find(is_it)
}

pub(crate) fn assignments(world: &World) -> Vec<Assignment> {
    all(world, ASSIGNMENTS)
}

pub(crate) fn assignments_of(world: &World, principal: Uuid) -> Vec<Assignment> {
    all(world, &format!("{ASSIGNMENTS}{principal}/"))
}

pub(crate) fn assignment(world: &World, id: Uuid) -> Option<Assignment> {
    assignments(world).into_iter().find(|one| one.id == id)
}

/// A role, built in or made here.
pub(crate) fn role(world: &World, id: Uuid) -> Option<Role> {
    built_in().iter().find(|role| role.id == id).cloned().or_else(|| custom_role(world, id))
}

pub(crate) fn custom_roles(world: &World) -> Vec<Role> {
    all(world, ROLES)
}

fn custom_role(world: &World, id: Uuid) -> Option<Role> {
    read(world.record(&role_key(id))?)
}

/// What a principal in these groups may do.
pub(crate) fn rights(world: &World, principal: Uuid, groups: &[Uuid]) -> Rights {
    let who = std::iter::once(principal).chain(groups.iter().copied());
    Rights::new(who.flat_map(|one| assignments_of(world, one)), |id| custom_role(world, id))
}

//! Role definitions, as `az role definition` reads and writes them: those that are built in, and those made here.

use palisade_control::{Action, Caller, Control, ControlError, Effect, Expect, RecordChange, World};
use palisade_identity::{Permission, Role, Scope, built_in};
use palisade_model::ResourceId;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Principal,
    assignments::{administers, place, read_filter},
    directory,
};

/// Most roles that can be made.
pub const ROLES_MAX: usize = 500;

const WRITE: &str = "Microsoft.Authorization/roleDefinitions/write";
const DELETE: &str = "Microsoft.Authorization/roleDefinitions/delete";

/// Roles that may be assigned at `scope`, narrowed by `filter`.
///
/// # Errors
/// The scope or the filter cannot be read.
pub fn list(world: &World, scope: &ResourceId, filter: &str) -> Result<Vec<Value>, ControlError> {
    let scope = place(scope)?;
    let filter = read_filter(filter)?;
    let is_meant = |role: &Role| {
        let named = filter.role_name.as_ref().is_none_or(|name| name.eq_ignore_ascii_case(&role.name));
        let kind = filter.kind.as_ref().is_none_or(|kind| kind.eq_ignore_ascii_case(kind_of(role)));
        named && kind && role.is_assignable_at(&scope)
    };
    let custom = directory::custom_roles(world);
    Ok(built_in()
        .iter()
        .chain(&custom)
        .filter(|role| is_meant(role))
        .map(|role| render(world, role))
        .collect())
}

/// One role.
///
/// # Errors
/// There is none of this name.
pub fn get(world: &World, name: &str) -> Result<Value, ControlError> {
    let role = Uuid::parse_str(name).ok().and_then(|id| directory::role(world, id));
    role.map(|role| render(world, &role)).ok_or_else(|| not_found(name))
}

/// Makes a role, or changes one that was made here. Tells whether it is new, and the role.
///
/// # Errors
/// The caller does not administer all places where it may be assigned, or the body is wrong.
pub async fn put(
    control: &Control,
    caller: &Caller,
    actor: &Principal,
    name: &str,
    body: &Value,
) -> Result<(bool, Value), ControlError> {
    let role = wanted(name, body)?;
    let known = control.read(|world| directory::role(world, role.id));
    if known.as_ref().is_some_and(|known| known.built_in) {
        let message = format!("The role '{name}' is built in and cannot be changed.");
        return Err(ControlError::new(409, "RoleDefinitionBuiltIn", message));
    }
    let places = role.assignable_scopes.iter().chain(known.iter().flat_map(|known| &known.assignable_scopes));
    for scope in places {
        administers(control, actor, scope, WRITE)?;
    }
    control.read(|world| check_name(world, &role))?;
    let expect = known.as_ref().map_or(Expect::Absent, |known| Expect::Equals(directory::record(known)));
    let change =
        RecordChange { key: directory::role_key(role.id), value: Some(directory::record(&role)), expect };
    let action = Action::Records { changes: vec![change], verb: "write role" };
    let outcome = control.act(caller, action).await?;
    Ok((outcome.effect == Effect::Created, control.read(|world| render(world, &role))))
}

/// Takes a role away that was made here and that nobody has. Tells what it was, or nothing if there was none.
///
/// # Errors
/// The caller may not, it is built in, or somebody has it.
pub async fn delete(
    control: &Control,
    caller: &Caller,
    actor: &Principal,
    name: &str,
) -> Result<Option<Value>, ControlError> {
    let Some(role) =
        Uuid::parse_str(name).ok().and_then(|id| control.read(|world| directory::role(world, id)))
    else {
        return Ok(None);
    };
    if role.built_in {
        let message = format!("The role '{name}' is built in and cannot be deleted.");
        return Err(ControlError::new(409, "RoleDefinitionBuiltIn", message));
    }
    for scope in &role.assignable_scopes {
        administers(control, actor, scope, DELETE)?;
    }
    if control.read(|world| directory::assignments(world).iter().any(|one| one.role == role.id)) {
        let message = format!("There are role assignments of '{}'. Delete them first.", role.name);
        return Err(ControlError::new(409, "RoleDefinitionHasAssignments", message));
    }
    let rendered = control.read(|world| render(world, &role));
    let expect = Expect::Equals(directory::record(&role));
    let change = RecordChange { key: directory::role_key(role.id), value: None, expect };
    control.act(caller, Action::Records { changes: vec![change], verb: "delete role" }).await?;
    Ok(Some(rendered))
}

/// What the caller may do at `scope`, as clients ask before they offer something.
///
/// # Errors
/// The scope cannot be read.
pub fn permissions(world: &World, actor: &Principal, scope: &ResourceId) -> Result<Vec<Value>, ControlError> {
    let scope = place(scope)?;
    let rights = actor.rights(world);
    Ok(rights.at(&scope).flat_map(|role| role.permissions.iter().map(permission)).collect())
}

fn wanted(name: &str, body: &Value) -> Result<Role, ControlError> {
    let invalid = |why: String| {
        ControlError::bad("InvalidRoleDefinition", format!("The role definition is wrong: {why}."))
    };
    let id = Uuid::parse_str(name).map_err(|_| invalid(format!("its name '{name}' is not a GUID")))?;
    let properties = &body["properties"];
    let role = Role {
        id,
        name: properties["roleName"].as_str().unwrap_or_default().to_owned(),
        description: properties["description"].as_str().unwrap_or_default().chars().take(1_024).collect(),
        permissions: read_permissions(&properties["permissions"]).map_err(invalid)?,
        assignable_scopes: read_scopes(&properties["assignableScopes"]).map_err(invalid)?,
        built_in: false,
    };
    role.check().map_err(|error| invalid(error.to_string()))?;
    Ok(role)
}

fn read_permissions(value: &Value) -> Result<Vec<Permission>, String> {
    serde_json::from_value(value.clone()).map_err(|error| format!("properties.permissions: {error}"))
}

fn read_scopes(value: &Value) -> Result<Vec<Scope>, String> {
    serde_json::from_value(value.clone()).map_err(|error| format!("properties.assignableScopes: {error}"))
}

fn check_name(world: &World, role: &Role) -> Result<(), ControlError> {
    let custom = directory::custom_roles(world);
    let mut others = built_in().iter().chain(&custom).filter(|other| other.id != role.id);
    if others.any(|other| other.name.eq_ignore_ascii_case(&role.name)) {
        let message = format!("There is a role '{}' already.", role.name);
        return Err(ControlError::new(409, "RoleDefinitionWithSameNameExists", message));
    }
    if custom.len() >= ROLES_MAX && custom.iter().all(|other| other.id != role.id) {
        let message = format!("There are {ROLES_MAX} custom roles, and no more can be made.");
        return Err(ControlError::new(409, "RoleDefinitionLimitExceeded", message));
    }
    Ok(())
}

fn not_found(name: &str) -> ControlError {
    let message = format!("The specified role definition with ID '{name}' does not exist.");
    ControlError::new(404, "RoleDefinitionDoesNotExist", message)
}

fn kind_of(role: &Role) -> &'static str {
    if role.built_in { "BuiltInRole" } else { "CustomRole" }
}

fn permission(one: &Permission) -> Value {
    json!({ "actions": one.actions, "notActions": one.not_actions, "dataActions": [], "notDataActions": [] })
}

fn render(world: &World, role: &Role) -> Value {
    let subscription = directory::tenant(world).map(|tenant| tenant.subscription_id).unwrap_or_default();
    json!({
        "id": format!("/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{}", role.id),
        "name": role.id,
        "type": "Microsoft.Authorization/roleDefinitions",
        "properties": {
            "roleName": role.name,
            "type": kind_of(role),
            "description": role.description,
            "assignableScopes": role.assignable_scopes,
            "permissions": role.permissions.iter().map(permission).collect::<Vec<_>>(),
        },
    })
}

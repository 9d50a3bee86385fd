//! Role assignments, as `az role assignment` reads and writes them.
//!
//! Only who administers access at a scope gives roles there, whatever custom role he has, so nobody gives what he could not
//! give himself. Invariant: at `/` there is always an owner who is enabled and can log in.

use palisade_control::{Action, Caller, Control, ControlError, Effect, Expect, RecordChange, World, time};
use palisade_identity::{Assignment, NAME_LENGTH_MAX, Scope, role_id};
use palisade_model::ResourceId;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Principal, denied, directory, filter::Filter};

/// Most assignments of one installation: what Azure has for a subscription.
pub const ASSIGNMENTS_MAX: usize = 4_000;

const WRITE: &str = "Microsoft.Authorization/roleAssignments/write";
const DELETE: &str = "Microsoft.Authorization/roleAssignments/delete";

/// Assignments that hold at `scope`, those below it too, narrowed by `filter`.
///
/// # Errors
/// The scope or the filter cannot be read.
pub fn list(world: &World, scope: &ResourceId, filter: &str) -> Result<Vec<Value>, ControlError> {
    let scope = place(scope)?;
    let filter = read_filter(filter)?;
    let is_meant = |one: &Assignment| {
        let near = one.scope.contains(&scope) || (!filter.at_scope && scope.contains(&one.scope));
        let of = filter.principal.as_ref();
        near && of.is_none_or(|id| id.eq_ignore_ascii_case(&one.principal.to_string()))
    };
    let mut found: Vec<_> = directory::assignments(world).into_iter().filter(is_meant).collect();
    found.sort_by(|one, other| (&one.scope, one.id).cmp(&(&other.scope, other.id)));
    Ok(found.iter().map(|one| render(world, one)).collect())
}

/// One assignment.
///
/// # Errors
/// There is none of this name at this scope.
pub fn get(world: &World, scope: &ResourceId, name: &str) -> Result<Value, ControlError> {
    let scope = place(scope)?;
    let found = named(world, name).filter(|one| one.scope == scope);
    found.map(|one| render(world, &one)).ok_or_else(|| not_found(name))
}

/// Gives a role. Tells whether it is new, and the assignment.
///
/// # Errors
/// The caller may not, the body is wrong, or there is one already.
pub async fn put(
    control: &Control,
    caller: &Caller,
    actor: &Principal,
    scope: &ResourceId,
    name: &str,
    body: &Value,
) -> Result<(bool, Value), ControlError> {
    let at = place(scope)?;
    administers(control, actor, &at, WRITE)?;
    let id = Uuid::parse_str(name).map_err(|_| {
        ControlError::bad(
            "InvalidRoleAssignmentId",
            format!("The role assignment ID '{name}' is not valid. The role assignment ID must be a GUID."),
        )
    })?;
    let now = time::unix_seconds(control.now());
    let wanted = control.read(|world| wanted(world, at, id, body, caller, now))?;
    let change = match control.read(|world| conflict(world, &wanted))? {
        Some(same) => return Ok((false, control.read(|world| render(world, &same)))),
        None => RecordChange {
            key: directory::assignment_key(&wanted),
            value: Some(directory::record(&wanted)),
            expect: Expect::Absent,
        },
    };
    let action = Action::Records { changes: vec![change], verb: "assign role" };
    let outcome = control.act(caller, action).await?;
    Ok((outcome.effect == Effect::Created, control.read(|world| render(world, &wanted))))
}

/// Takes a role away. Tells what it was, or nothing if there was none.
///
/// # Errors
/// The caller may not, or nobody would be left who owns everything.
pub async fn delete(
    control: &Control,
    caller: &Caller,
    actor: &Principal,
    scope: &ResourceId,
    name: &str,
) -> Result<Option<Value>, ControlError> {
    let at = place(scope)?;
    administers(control, actor, &at, DELETE)?;
    let Some(found) = control.read(|world| named(world, name)).filter(|one| one.scope == at) else {
        return Ok(None);
    };
    let guard = control.read(|world| other_owner(world, |one| one.id != found.id))?;
    let change =
        RecordChange { key: directory::assignment_key(&found), value: None, expect: Expect::Present };
    let changes = std::iter::once(change).chain(guard).collect();
    let rendered = control.read(|world| render(world, &found));
    control.act(caller, Action::Records { changes, verb: "take role away" }).await?;
    Ok(Some(rendered))
}

/// Refuses if nobody would be left who owns everything, among the assignments that stay. Returned is what must go along with
/// the change: it writes nothing, and fails if the owner who stays has gone meanwhile, as when two owners take each
/// other's role away at once.
///
/// # Errors
/// 409 `LastOwner`.
pub fn other_owner(
    world: &World,
    stays: impl Fn(&Assignment) -> bool,
) -> Result<Option<RecordChange>, ControlError> {
    let owners = directory::assignments(world).into_iter().filter(|one| owns_everything(world, one));
    let (staying, going): (Vec<_>, Vec<_>) = owners.partition(|one| stays(one));
    if going.is_empty() {
        return Ok(None);
    }
    let Some(owner) = staying.first() else {
        let message =
            "This is the last owner of everything: give the role Owner at / to another principal first.";
        return Err(ControlError::new(409, "LastOwner", message));
    };
    let (key, value) = (directory::assignment_key(owner), directory::record(owner));
    Ok(Some(RecordChange { key, value: Some(value.clone()), expect: Expect::Equals(value) }))
}

fn owns_everything(world: &World, one: &Assignment) -> bool {
    let owns = one.role == role_id::OWNER && one.scope.is_root();
    owns && directory::principal(world, one.principal).is_some_and(|principal| principal.enabled)
}

/// The assignment that a body asks for.
fn wanted(
    world: &World,
    scope: Scope,
    id: Uuid,
    body: &Value,
    caller: &Caller,
    now: u64,
) -> Result<Assignment, ControlError> {
    let properties = &body["properties"];
    let text = |name: &str| {
        properties[name].as_str().ok_or_else(|| {
            ControlError::bad(
                "InvalidRequestContent",
                format!("The property 'properties.{name}' is missing or no text."),
            )
        })
    };
    let role = text("roleDefinitionId")?;
    let role = role.rsplit('/').next().and_then(|name| Uuid::parse_str(name).ok());
    let role = role.and_then(|id| directory::role(world, id)).ok_or_else(|| {
        ControlError::new(400, "RoleDefinitionDoesNotExist", "The specified role definition does not exist.")
    })?;
    if !role.is_assignable_at(&scope) {
        let message = format!("The role '{}' cannot be assigned at '{scope}'.", role.name);
        return Err(ControlError::bad("RoleDefinitionNotAssignable", message));
    }
    let (principal, principal_type) =
        holder(world, text("principalId")?, properties["principalType"].as_str())?;
    let description = properties["description"].as_str();
    Ok(Assignment {
        id,
        principal,
        principal_type,
        role: role.id,
        scope,
        description: description.map(|text| text.chars().take(8 * NAME_LENGTH_MAX).collect()),
        created: now,
        created_by: caller.principal.clone(),
    })
}

/// Who is to have the role. A group is only a name here: who is in it is said by tokens of the issuer that has it.
fn holder(world: &World, id: &str, said: Option<&str>) -> Result<(Uuid, String), ControlError> {
    let missing = || {
        ControlError::bad(
            "PrincipalNotFound",
            format!("Principal {id} does not exist in the directory of this server."),
        )
    };
    let principal = Uuid::parse_str(id).map_err(|_| missing())?;
    match (directory::principal(world, principal), said) {
        (Some(known), None) => Ok((principal, known.kind.as_str().to_owned())),
        (Some(known), Some(said)) if known.kind.as_str().eq_ignore_ascii_case(said) => {
            Ok((principal, known.kind.as_str().to_owned()))
        }
        (Some(known), Some(said)) => Err(ControlError::bad(
            "UnmatchedPrincipalType",
            format!("The principal '{id}' has the type '{}', and not '{said}'.", known.kind.as_str()),
        )),
        (None, Some(said)) if said.eq_ignore_ascii_case("Group") => Ok((principal, "Group".to_owned())),
        (None, _) => Err(missing()),
    }
}

/// The same assignment under the same name, if that is what is there.
fn conflict(world: &World, wanted: &Assignment) -> Result<Option<Assignment>, ControlError> {
    let same = |one: &Assignment| {
        (one.principal, one.role, &one.scope) == (wanted.principal, wanted.role, &wanted.scope)
    };
    let all = directory::assignments(world);
    if let Some(named) = all.iter().find(|one| one.id == wanted.id) {
        let message = "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.";
        let refusal = || ControlError::new(409, "RoleAssignmentUpdateNotPermitted", message);
        return if same(named) { Ok(Some(named.clone())) } else { Err(refusal()) };
    }
    if let Some(other) = all.iter().find(|one| same(one)) {
        let message = format!(
            "The role assignment already exists. The ID of the existing role assignment is {}.",
            other.id
        );
        return Err(ControlError::new(409, "RoleAssignmentExists", message));
    }
    if all.len() >= ASSIGNMENTS_MAX {
        let message = format!("There are {ASSIGNMENTS_MAX} role assignments, and no more can be made.");
        return Err(ControlError::new(409, "RoleAssignmentLimitExceeded", message));
    }
    Ok(None)
}

/// Refuses who may not give roles at `scope`: the action alone, which a custom role may have, is not enough.
pub(super) fn administers(
    control: &Control,
    actor: &Principal,
    scope: &Scope,
    action: &str,
) -> Result<(), ControlError> {
    let rights = control.read(|world| actor.rights(world));
    if rights.allow(action, scope) && rights.administer(scope) {
        Ok(())
    } else {
        Err(denied(actor, action, scope.as_str()))
    }
}

pub(super) fn place(scope: &ResourceId) -> Result<Scope, ControlError> {
    Scope::new(scope.as_str())
        .map_err(|error| ControlError::bad("InvalidScope", format!("The scope cannot be used: {error}.")))
}

pub(super) fn read_filter(text: &str) -> Result<Filter, ControlError> {
    Filter::parse(text).ok_or_else(|| {
        let message = format!(
            "The filter '{text}' is not supported. Use atScope(), principalId eq '..' or assignedTo('..')."
        );
        ControlError::bad("BadRequestFilter", message)
    })
}

fn named(world: &World, name: &str) -> Option<Assignment> {
    directory::assignment(world, Uuid::parse_str(name).ok()?)
}

fn not_found(name: &str) -> ControlError {
    ControlError::new(404, "RoleAssignmentNotFound", format!("The role assignment '{name}' is not found."))
}

fn render(world: &World, one: &Assignment) -> Value {
    let at = if one.scope.is_root() { "" } else { one.scope.as_str() };
    let subscription = directory::tenant(world).map(|tenant| tenant.subscription_id).unwrap_or_default();
    let created = time::rfc3339(one.created);
    json!({
        "id": format!("{at}/providers/Microsoft.Authorization/roleAssignments/{}", one.id),
        "name": one.id,
        "type": "Microsoft.Authorization/roleAssignments",
        "properties": {
            "roleDefinitionId": format!("/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{}", one.role),
            "principalId": one.principal,
            "principalType": one.principal_type,
            "scope": one.scope,
            "description": one.description,
            "condition": null,
            "conditionVersion": null,
            "createdOn": created,
            "updatedOn": created,
            "createdBy": one.created_by,
            "updatedBy": one.created_by,
            "delegatedManagedIdentityResourceId": null,
        },
    })
}

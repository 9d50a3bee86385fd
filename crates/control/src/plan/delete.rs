//! DELETE: what is used by others stays, with Azure's code for it; what is not there is told as absent.

use palisade_model::ResourceId;

use super::{Done, Draft, group, judge, lock, put};
use crate::kinds::{self, Target};
use crate::{ControlError, Effect, World};

/// Resources that one message names.
const NAMED_MAX: usize = 10;

/// Plans a DELETE.
pub(super) fn plan(draft: &mut Draft<'_>, target: &Target) -> Result<Done, ControlError> {
    if target.kind.name == kinds::GROUP {
        return group::delete(draft, &target.id);
    }
    if draft.world().document(&target.id).is_none() {
        return Ok(Effect::Absent.into());
    }
    lock::check_delete(draft.world(), &target.id)?;
    check_unused(draft.world(), &target.id, &target.id)?;
    let inside: Vec<ResourceId> =
        draft.world().under(&target.id).map(|document| document.id().clone()).collect();
    for id in inside.iter().rev() {
        check_unused(draft.world(), id, &target.id)?;
    }
    for id in inside.iter().rev() {
        draft.remove(id);
    }
    draft.remove(&target.id);
    if target.is_child() {
        put::touch(draft, &target.top);
        judge::check(draft.world(), target)?;
    }
    Ok(Effect::Deleted.into())
}

/// Whether nothing outside of `within` names a resource.
pub(super) fn check_unused(world: &World, id: &ResourceId, within: &ResourceId) -> Result<(), ControlError> {
    let is_inside = |user: &ResourceId| {
        user == within
            || user
                .as_str()
                .to_ascii_lowercase()
                .starts_with(&format!("{}/", within.as_str().to_ascii_lowercase()))
    };
    let is_machine = world.document(id).is_some_and(|document| document.kind().name == kinds::VM);
    let users: Vec<String> = world
        .naming(id)
        // An interface outlives its machine.
        .filter(|user| !(is_machine && user.kind().name == kinds::NIC))
        // What is only observed, or only points there, does not hold a resource.
        .filter(|user| {
            let passing = [kinds::FLOW_LOG, kinds::PEERING, kinds::STATIC_MEMBER, kinds::JIT, kinds::TUNNEL];
            let is_answer = [kinds::QUARANTINE, kinds::LOCKOUT, kinds::THROTTLE].contains(&user.kind().name);
            !is_answer && !passing.contains(&user.kind().name)
        })
        .map(|user| user.id())
        .filter(|user| !is_inside(user))
        .map(ToString::to_string)
        .collect();
    if users.is_empty() {
        return Ok(());
    }
    let kind = world.document(id).map(|document| document.kind());
    Err(in_use(id, kind.map_or("", |kind| kind.name), &users))
}

/// Azure's code and words for a resource of this kind that is in use.
fn in_use(id: &ResourceId, kind: &str, users: &[String]) -> ControlError {
    let mut named = users.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
    if users.len() > NAMED_MAX {
        named += &format!(" and {} more", users.len() - NAMED_MAX);
    }
    let (code, message) = match kind {
        kinds::NSG => (
            "InUseNetworkSecurityGroupCannotBeDeleted",
            format!(
                "Network security group {id} cannot be deleted because it is in use by the following resources: {named}. \
                 In order to delete the Network security group, remove the association with the resource(s)."
            ),
        ),
        kinds::ASG => (
            "ApplicationSecurityGroupInUse",
            format!(
                "Application Security Group {} cannot be deleted because it is referenced by {named}.",
                id.name()
            ),
        ),
        kinds::NETWORK | kinds::SUBNET => (
            "InUseSubnetCannotBeDeleted",
            format!("Subnet {} is in use by {named} and cannot be deleted.", id.name()),
        ),
        kinds::NIC => (
            "NicInUse",
            format!(
                "Network Interface {id} is used by existing resource {named}. In order to delete the network interface, it must be dissociated from the resource."
            ),
        ),
        kinds::PUBLIC_IP => (
            "PublicIPAddressCannotBeDeleted",
            format!(
                "Public IP address {id} can not be deleted since it is still allocated to resource {named}. In order to delete the public IP, disassociate/detach the Public IP address from the resource."
            ),
        ),
        kinds::ROUTE_TABLE => (
            "InUseRouteTableCannotBeDeleted",
            format!("Route table {} is in use and cannot be deleted. It is used by {named}.", id.name()),
        ),
        _ => ("ResourceInUse", format!("Resource {id} is in use by {named} and cannot be deleted.")),
    };
    ControlError::bad(code, message)
}

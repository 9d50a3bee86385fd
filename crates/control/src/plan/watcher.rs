//! A network watcher stands in every region that has machines: tools look for it before they ask anything.

use palisade_model::ResourceId;
use serde_json::json;

use super::{Context, Draft, put};
use crate::World;
use crate::kinds::{self, Target};
use crate::world::Document;

/// The group that watchers are in, as Azure names it.
const GROUP: &str = "NetworkWatcherRG";

/// Makes the watcher of a region when its first machine or interface appears.
pub(super) fn ensure(draft: &mut Draft<'_>, _context: &Context<'_>, target: &Target) {
    if ![kinds::NIC, kinds::VM].contains(&target.kind.name) {
        return;
    }
    let world = draft.world();
    let Some(location) = world.document(&target.id).and_then(|document| document.location()) else { return };
    let location = location.to_owned();
    let subscription = target.subscription();
    if has_one(world, subscription, &location) {
        return;
    }
    let group = ResourceId::new(&format!("/subscriptions/{subscription}/resourceGroups/{GROUP}"));
    let watcher = ResourceId::new(&format!("{group}/providers/{}/NetworkWatcher_{location}", kinds::WATCHER));
    let (Some(of_group), Some(of_watcher)) = (kinds::find(kinds::GROUP), kinds::find(kinds::WATCHER)) else {
        return;
    };
    if super::group::is_going(draft.world(), &group) {
        return;
    }
    if draft.world().document(&group).is_none() {
        let body = json!({"location": location, "properties": {"provisioningState": "Succeeded"}});
        draft.put(Document::new(group, of_group, body, put::new_etag(), 0));
    }
    if draft.world().document(&watcher).is_none() {
        let body = json!({"location": location, "properties": {"runningOperationIds": []}});
        draft.put(Document::new(watcher, of_watcher, body, put::new_etag(), 0));
    }
}

/// Whether a region of a subscription has a watcher.
fn has_one(world: &World, subscription: &str, location: &str) -> bool {
    world.of_kind(kinds::WATCHER).any(|id| {
        id.segment("subscriptions").is_some_and(|other| other.eq_ignore_ascii_case(subscription))
            && world.document(id).and_then(|watcher| watcher.location()) == Some(location)
    })
}

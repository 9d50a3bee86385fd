//! What is asked of intents before they are stored, besides that they hold: that they can be read, and where they stand.

use serde_json::Value;

use crate::kinds::{INTENTS, Target};
use crate::{ControlError, World, gate};

/// Whether something stands at a subscription or in a group, as it must.
pub(super) fn check_scope(target: &Target, what: &str, code: &'static str) -> Result<(), ControlError> {
    if target.scope.segment("providers").is_none() {
        return Ok(());
    }
    let message =
        format!("{what} at a subscription or in a resource group, and '{}' is neither.", target.scope);
    Err(ControlError::bad(code, message).about(target.id.as_str()))
}

/// Checks the body of intents that will be stored.
pub(super) fn check(world: &World, target: &Target, own: &Value) -> Result<(), ControlError> {
    check_scope(target, "Intents stand", "InvalidIntentsScope")?;
    let is_new = world.document(&target.id).is_none();
    if is_new && world.count(INTENTS) >= gate::SETS_MAX {
        let message = format!(
            "There are {} resources with intents already, and there can be {}. Put several intents into one resource.",
            gate::SETS_MAX,
            gate::SETS_MAX
        );
        return Err(ControlError::bad("IntentsCountLimitReached", message));
    }
    gate::read(target.id.name(), &own["properties"]).map(drop)
}

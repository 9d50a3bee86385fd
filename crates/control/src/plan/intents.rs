//! What is asked of intents before they are stored, besides that they hold: that they can be read, and where they stand.

use serde_json::Value;

use crate::kinds::{INTENTS, Target};
use crate::{ControlError, World, gate};

/// Checks the body of intents that will be stored.
pub(super) fn check(world: &World, target: &Target, own: &Value) -> Result<(), ControlError> {
    if target.scope.segment("providers").is_some() {
        let message = format!(
            "Intents stand at a subscription or in a resource group, and '{}' is neither.",
            target.scope
        );
        return Err(ControlError::bad("InvalidIntentsScope", message).about(target.id.as_str()));
    }
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

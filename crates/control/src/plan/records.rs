//! Records: small things of other modules, written all or none.

use super::{Draft, Planned};
use crate::commit::RECORD_PREFIXES;
use crate::{ControlError, Effect, Expect, RecordChange};

/// Plans writes of records.
pub(super) fn plan(
    draft: &mut Draft<'_>,
    changes: &[RecordChange],
    verb: &str,
) -> Result<Planned, ControlError> {
    let mut effect = Effect::Unchanged;
    let before = changes.first().and_then(|change| draft.world().record(&change.key)).cloned();
    for change in changes {
        if !RECORD_PREFIXES.iter().any(|prefix| change.key.starts_with(prefix)) {
            let message = format!("{} is not where records are: {}", change.key, RECORD_PREFIXES.join(", "));
            return Err(ControlError::new(500, "InternalServerError", message));
        }
        let stored = draft.world().record(&change.key);
        let holds = match &change.expect {
            Expect::Any => true,
            Expect::Absent => stored.is_none(),
            Expect::Present => stored.is_some(),
            Expect::Equals(value) => stored == Some(value),
        };
        if !holds {
            let message = format!("{} has changed meanwhile; read it again and retry", change.key);
            return Err(ControlError::new(409, "Conflict", message).about(&change.key));
        }
        let own = match (stored, &change.value) {
            (None, None) => Effect::Absent,
            (None, Some(_)) => Effect::Created,
            (Some(_), None) => Effect::Deleted,
            (Some(before), Some(after)) if before == after => Effect::Unchanged,
            (Some(_), Some(_)) => Effect::Updated,
        };
        if !matches!(own, Effect::Absent | Effect::Unchanged) {
            draft.put_record(&change.key, change.value.clone());
        }
        if effect == Effect::Unchanged {
            effect = own;
        }
    }
    // The target is the key, so that the log knows what is secret in it.
    let (before, after) = match changes {
        [change] => (before, change.value.clone()),
        _ => (None, None),
    };
    let keys: Vec<&str> = changes.iter().map(|change| change.key.as_str()).collect();
    Ok(Planned {
        effect,
        resource: None,
        verb: verb.to_owned(),
        target: keys.join(" "),
        before,
        after,
        note: changes.is_empty().then(|| "Noted".to_owned()),
        unfinished: None,
        warnings: Vec::new(),
    })
}

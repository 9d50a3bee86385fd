//! What Azure's answers have no word for: windows, audit, the interface's own lists, throttles.
//!
//! It stands in members of our own beside Azure's, and is left out where there is nothing to say. Reference: docs/answers.md.

use palisade_model::{EffectiveRule, Mode, Pace, ResourceId, Throttle};
use serde_json::{Map, Value, json};

use crate::time::rfc3339;

/// What a rule has beyond Azure's: `list` (which of the interface's own lists it is of), `notBefore`, `expiresAt`, and `mode` if it is only
/// counted. `None` if it has nothing of that.
pub fn of_rule(rule: &EffectiveRule) -> Option<Value> {
    let time = |second: u32| rfc3339(u64::from(second));
    let members = [
        ("list", rule.own_list.map(|list| list.to_string())),
        ("notBefore", rule.window.not_before().map(time)),
        ("expiresAt", rule.window.expires_at().map(time)),
        ("mode", (rule.mode != Mode::Enforce).then(|| rule.mode.to_string())),
    ];
    let own: Map<_, _> =
        members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?)))).collect();
    (!own.is_empty()).then_some(Value::Object(own))
}

/// A throttle: the name of its rule, its numbers, and `expiresAt` if it ends.
pub fn of_throttle(throttle: &Throttle) -> Value {
    let Pace { per_second, working_set } = throttle.pace();
    let mut own = json!({
        "ruleName": throttle.rule(),
        "newDestinationsPerSecond": per_second,
        "workingSet": working_set,
    });
    if let Some(end) = throttle.until() {
        own["expiresAt"] = rfc3339(u64::from(end)).into();
    }
    own
}

/// The network manager that a security admin collection belongs to; `None` for a list of an interface's own.
pub fn manager_of(collection: &ResourceId) -> Option<ResourceId> {
    let parts: Vec<&str> = collection.as_str().split('/').collect();
    let at = parts.iter().position(|part| part.eq_ignore_ascii_case("networkManagers"))?;
    Some(ResourceId::new(&parts[..parts.len().min(at + 2)].join("/")))
}

//! What the log must never hold: keys, hashes of secrets, passwords.
//!
//! A record is shown only if its kind is known to be fit for it; a kind that is added later is hidden until it is listed
//! here. Resources are shown, without the properties whose names tell a secret.

use serde_json::{Map, Value};

/// What stands where a secret was.
const HIDDEN: &str = "(hidden)";

/// Prefixes of the keys of records that are shown. Others are hidden whole.
const SHOWN: &[&str] =
    &["alert/", "id/assignment/", "id/principal/", "id/role/", "id/tenant", "op/", "host/"];

/// Prefixes of the targets that are records and not resources.
const RECORDS: &[&str] = &["alert/", "id/", "ca/", "host/", "join/", "op/", "meta/", "status/"];

/// Parts of names, in lower case, of properties that hold a secret.
const SECRET_NAMES: &[&str] = &[
    "password",
    "secret",
    "hash",
    "privatekey",
    "accesskey",
    "sharedkey",
    "customdata",
    "protectedsettings",
];

/// Properties that have such a name and hold none.
const HARMLESS_NAMES: &[&str] = &["secrets", "disablepasswordauthentication", "sha256"];

/// `document` without what is secret in it; `target` is the id or key that it stands under.
#[must_use]
pub fn redact(target: &str, document: &Value) -> Value {
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| target.starts_with(prefix));
    if begins(RECORDS) && !begins(SHOWN) {
        return Value::from(HIDDEN);
    }
    without_secrets(document)
}

fn without_secrets(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(without_secrets).collect(),
        Value::Object(fields) => Value::Object(fields.iter().map(field).collect::<Map<_, _>>()),
        _ => value.clone(),
    }
}

fn field((name, value): (&String, &Value)) -> (String, Value) {
    let lower = name.to_lowercase();
    let secret = SECRET_NAMES.iter().any(|part| lower.contains(part)) && !HARMLESS_NAMES.contains(&&*lower);
    (name.clone(), if secret { Value::from(HIDDEN) } else { without_secrets(value) })
}

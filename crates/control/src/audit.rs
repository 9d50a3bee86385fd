//! The audit log: who did what to what, from where, and how it was before and after, in a chain of hashes.
//!
//! An [`Entry`] holds the hash of the one before it, and its own hash is taken over all its other fields, so that an entry
//! that is changed, taken out, put in or moved breaks the chain at a place that [`verify`] names. It stores nothing: the
//! planner appends to the [`Head`] in `meta/seq` and writes the entries in the commit that they tell of.
//!
//! Invariant: what [`redact`] calls secret is in no entry, and no body is longer than [`BODY_BYTES_MAX`].

mod canonical;
mod chain;
mod redact;
#[cfg(test)]
mod tests;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

pub use chain::{Break, Head, Reason, Verified, follow, verify};
pub use redact::redact;

/// Longest body that is kept in an entry, in bytes of JSON; of a longer one the hash and the length are kept.
pub const BODY_BYTES_MAX: usize = 16_384;

/// Whoever acts, as the log names him.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// Object id of the principal; empty if nobody was recognised.
    pub oid: String,
    /// The name that he had then.
    pub name: String,
}

/// What happened, before it has its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// When, RFC 3339 in UTC.
    pub time: String,
    /// Who.
    pub caller: Who,
    /// The address that he called from.
    pub address: String,
    /// Correlation id of the request.
    pub correlation: String,
    /// What was done, such as `put` or `login`.
    pub verb: String,
    /// Id of the resource, or key of the record.
    pub target: String,
    /// The target as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Body>,
    /// The target as it is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Body>,
    /// How it went, such as `Created`, or the code of the error.
    pub outcome: String,
    /// Intents that it breaks all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub broken: Vec<Broken>,
    /// Why intents were overridden.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// An intent that was broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broken {
    /// Id of the resource with the intent.
    pub intents: String,
    /// Name of the intent.
    pub intent: String,
    /// `Warned` or `Overridden`.
    pub fate: String,
    /// What breaks it, in words.
    pub said: String,
    /// One flow that shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witness: Option<Value>,
}

/// A document as the log keeps it: without secrets, and whole only if it is short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// SHA-256 over the canonical form of the document without its secrets, in hexadecimal digits.
    pub sha256: String,
    /// Length of that form.
    pub bytes: usize,
    /// The document without its secrets, unless it is longer than [`BODY_BYTES_MAX`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<Value>,
}

impl Body {
    /// `document`, which is what `target` names, as it is kept.
    #[must_use]
    pub fn of(target: &str, document: &Value) -> Self {
        let document = redact(target, document);
        let text = canonical::bytes(&document);
        let kept = text.len() <= BODY_BYTES_MAX;
        Self { sha256: digest(&text), bytes: text.len(), document: kept.then_some(document) }
    }
}

/// One link of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number: the first has 1, and none is left out.
    pub seq: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
    /// Hash of the entry before it; of the first, [`Head::default`]'s.
    pub prev: String,
    /// Hash of this one.
    pub hash: String,
}

impl Entry {
    /// What [`Entry::hash`] has to be: over everything else, in one form only.
    ///
    /// # Panics
    /// Never: an entry consists of texts, numbers and JSON, which become JSON.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut all = serde_json::to_value(self).expect("an entry is made of texts, numbers and JSON");
        if let Value::Object(fields) = &mut all {
            fields.remove("hash");
        }
        digest(&canonical::bytes(&all))
    }
}

/// SHA-256 in hexadecimal digits.
fn digest(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}

//! Reading the bodies of questions: what must be there, and what a value may be.
//!
//! Every refusal names the parameter and what to write instead. Keys compare without case, as Azure compares them.

use std::net::IpAddr;

use palisade_model::ResourceId;
use serde_json::Value;

use crate::ControlError;

/// The body of a question.
#[derive(Clone, Copy)]
pub(super) struct Body<'a>(pub(super) &'a Value);

impl<'a> Body<'a> {
    /// The value of a parameter that is given and not null.
    pub(super) fn get(self, key: &str) -> Option<&'a Value> {
        member(self.0, key).filter(|value| !value.is_null())
    }

    /// A text that may be left out.
    pub(super) fn text_or_none(self, key: &str) -> Result<Option<&'a str>, ControlError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.trim())),
            Some(other) => Err(invalid(key, other, "a string")),
        }
    }

    /// A text that must be there.
    pub(super) fn text(self, key: &str) -> Result<&'a str, ControlError> {
        self.text_or_none(key)?.filter(|text| !text.is_empty()).ok_or_else(|| missing(key))
    }

    /// The id of a resource that must be there.
    pub(super) fn id(self, key: &str) -> Result<ResourceId, ControlError> {
        self.id_or_none(key)?.ok_or_else(|| missing(key))
    }

    /// The id of a resource that may be left out.
    pub(super) fn id_or_none(self, key: &str) -> Result<Option<ResourceId>, ControlError> {
        let Some(text) = self.text_or_none(key)?.filter(|text| !text.is_empty()) else { return Ok(None) };
        if text.to_ascii_lowercase().starts_with("/subscriptions/") {
            return Ok(Some(ResourceId::new(text)));
        }
        Err(invalid(key, &Value::from(text), "a resource id that begins with /subscriptions/"))
    }

    /// An address that must be there.
    pub(super) fn address(self, key: &str) -> Result<IpAddr, ControlError> {
        let text = self.text(key)?;
        text.parse().map_err(|_| invalid(key, &Value::from(text), "an IP address"))
    }

    /// A port, or `None` for `*`; clients send numbers as texts.
    pub(super) fn port(self, key: &str) -> Result<Option<u16>, ControlError> {
        let value = self.get(key).ok_or_else(|| missing(key))?;
        let text = match value {
            Value::String(text) => text.trim().to_owned(),
            other => other.to_string(),
        };
        if text == "*" {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|_| invalid(key, value, "a port from 0 to 65535, or *"))
    }
}

/// The member of an object under this key, compared without case.
pub(super) fn member<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    let object = value.as_object()?;
    object.get(key).or_else(|| object.iter().find(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, v)| v))
}

/// Follows keys, each compared without case.
pub(super) fn path<'a>(value: &'a Value, keys: &[&str]) -> Option<&'a Value> {
    keys.iter().try_fold(value, |value, key| member(value, key))
}

/// The elements of the list at these keys; none if there is no list.
pub(super) fn list<'a>(value: &'a Value, keys: &[&str]) -> &'a [Value] {
    path(value, keys).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The id in `{"id": ...}` at these keys.
pub(super) fn reference(value: &Value, keys: &[&str]) -> Option<ResourceId> {
    member(path(value, keys)?, "id")?.as_str().map(ResourceId::new)
}

/// A parameter that must be given is not.
pub(super) fn missing(key: &str) -> ControlError {
    ControlError::bad("MissingParameter", format!("The required parameter '{key}' is missing.")).about(key)
}

/// A parameter has a value that it cannot have.
pub(super) fn invalid(key: &str, got: &Value, expected: &str) -> ControlError {
    let message = format!("The value {got} of parameter '{key}' is invalid. It must be {expected}.");
    ControlError::bad("InvalidParameter", message).about(key)
}

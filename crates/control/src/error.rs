//! Why an action is refused, in Azure's envelope: an HTTP status, a code that clients match on, and a sentence.

use std::borrow::Cow;
use std::fmt;

use palisade_model::ResourceId;
use palisade_store::StoreError;
use serde_json::{Value, json};

/// A refusal. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlError {
    /// HTTP status.
    pub status: u16,
    /// Azure's code.
    pub code: Cow<'static, str>,
    /// What is wrong, for people.
    pub message: String,
    /// What it is about: a JSON path or a resource.
    pub target: Option<String>,
    /// All that is wrong, if it is more than one thing.
    pub details: Vec<ControlError>,
    /// What programs may want to know besides.
    pub info: Box<[Info]>,
}

/// One of the additional things that a refusal tells to programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// What it is, such as `PolicyViolation`.
    pub kind: Cow<'static, str>,
    /// What it says.
    pub info: Value,
}

impl ControlError {
    /// A refusal with this status, code and sentence.
    pub fn new(status: u16, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
            target: None,
            details: Vec::new(),
            info: Box::default(),
        }
    }

    /// The request is wrong.
    pub fn bad(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }

    /// A resource is not there.
    pub fn not_found(id: &ResourceId) -> Self {
        let group = id.segment("resourceGroups").unwrap_or_default();
        let path = id.as_str().rsplit_once("/providers/").map_or(id.as_str(), |(_, path)| path);
        let message = format!(
            "The Resource '{path}' under resource group '{group}' was not found. For more details please go to \
             https://aka.ms/ARMResourceNotFoundFix"
        );
        Self::new(404, "ResourceNotFound", message)
    }

    /// A resource group is not there.
    pub fn group_not_found(name: &str) -> Self {
        Self::new(404, "ResourceGroupNotFound", format!("Resource group '{name}' could not be found."))
    }

    /// The same refusal, about `target`.
    #[must_use]
    pub fn about(self, target: impl Into<String>) -> Self {
        Self { target: Some(target.into()), ..self }
    }

    /// Everything that is wrong with one request: the first speaks, all of them stand in the details.
    pub fn several(errors: Vec<Self>) -> Option<Self> {
        let first = errors.first()?.clone();
        let details = if errors.len() > 1 { errors } else { Vec::new() };
        Some(Self { details, ..first })
    }

    /// The refusal as it is written: `code`, `message`, and `target`, `details` and `additionalInfo` where there are any.
    pub fn to_json(&self) -> Value {
        let mut body = json!({ "code": self.code, "message": self.message });
        if let Some(target) = &self.target {
            body["target"] = target.as_str().into();
        }
        if !self.details.is_empty() {
            body["details"] = self.details.iter().map(Self::to_json).collect();
        }
        if !self.info.is_empty() {
            let info = self.info.iter().map(|one| json!({ "type": one.kind, "info": one.info }));
            body["additionalInfo"] = info.collect();
        }
        body
    }
}

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for ControlError {}

impl From<StoreError> for ControlError {
    fn from(error: StoreError) -> Self {
        let (status, code) = match &error {
            StoreError::Full(_) => (507, "StoreFull"),
            StoreError::TooLarge { .. } => (413, "RequestContentTooLarge"),
            StoreError::Damaged(_) => (500, "StoreDamaged"),
            StoreError::Invalid(_) => (500, "InternalServerError"),
            StoreError::Unavailable(_) | StoreError::Unknown(_) | StoreError::Compacted(_) => {
                (503, "StoreUnavailable")
            }
        };
        let message = match &error {
            StoreError::TooLarge { .. } => {
                format!("the request cannot be stored at once: {error}; write its parts one by one")
            }
            _ => error.to_string(),
        };
        Self::new(status, code, message)
    }
}

//! Values that only a live deployment could give.
//!
//! An [`Unknown`] is named by the canonical text of the expression that would make it, so two places that
//! compute the same thing hold equal unknowns: `concat(parameters('vm'),'-nsg')` in a name and in a resource id
//! still meet. It says why it is unknown, and it may know parts of itself ([`Unknown::partial`]).

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use sha1::{Digest, Sha1};

use super::limits::{REASONS_MAX, UNKNOWN_TEXT_CHARS_MAX};
use super::value::{Type, Value};

/// Why a value is not known before deployment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// A parameter has neither a value nor a default.
    ParameterWithoutValue(String),
    /// A parameter's value lies in a key vault.
    KeyVaultSecret(String),
    /// `reference()` asks for something the template does not declare itself.
    LiveResource(String),
    /// A `list*()` call asks a live resource for its secrets.
    LiveList(String),
    /// A function whose answer only the deployment service has.
    LiveService(String),
    /// `newGuid()` or `utcNow()`, and the context does not say.
    MadeAtDeployment(String),
    /// A linked template was not offered.
    UnresolvedLink(String),
    /// A copy loop runs an unknown number of times.
    CopyCount(String),
    /// The expression failed, and a problem was reported for it.
    Failed,
    /// More reasons than are kept.
    AndMore,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ParameterWithoutValue(name) => write!(f, "parameter '{name}' has no value and no default"),
            Self::KeyVaultSecret(name) => write!(f, "parameter '{name}' is a key vault secret"),
            Self::LiveResource(what) => write!(f, "{what} is read from the live resource"),
            Self::LiveList(call) => write!(f, "{call} asks the live resource for secrets"),
            Self::LiveService(call) => write!(f, "{call} is answered by the deployment service"),
            Self::MadeAtDeployment(call) => write!(f, "{call} is made at deployment"),
            Self::UnresolvedLink(uri) => write!(f, "the linked template {uri} is not at hand"),
            Self::CopyCount(name) => write!(f, "the copy loop '{name}' runs an unknown number of times"),
            Self::Failed => f.write_str("the expression has a problem"),
            Self::AndMore => f.write_str("and more"),
        }
    }
}

/// A value that is not known, with the expression that stands for it. Equal when the expressions are.
#[derive(Debug, Clone)]
pub struct Unknown {
    expression: String,
    reasons: Vec<Reason>,
    kind: Option<Type>,
    partial: Option<Partial>,
}

/// What is declared of a value that only the live resource has in full.
#[derive(Debug, Clone)]
struct Partial {
    value: Value,
    /// Whether each member is all there is of it, as the outputs of a deployment are.
    exact: bool,
}

impl PartialEq for Unknown {
    fn eq(&self, other: &Self) -> bool {
        self.expression == other.expression
    }
}

impl Eq for Unknown {}

impl Unknown {
    /// An unknown with one reason.
    pub fn new(expression: impl Into<String>, kind: Option<Type>, reason: Reason) -> Arc<Self> {
        Self::because(expression.into(), kind, [reason])
    }

    /// An unknown with the reasons of everything it was made from.
    pub(super) fn because(
        expression: String,
        kind: Option<Type>,
        reasons: impl IntoIterator<Item = Reason>,
    ) -> Arc<Self> {
        let expression = abbreviate(expression);
        Arc::new(Self { expression, reasons: limited(reasons), kind, partial: None })
    }

    /// An unknown of which a part is declared: the live object has at least what `partial` holds. With `exact`,
    /// its members have nothing more than that.
    pub(super) fn with_partial(expression: String, reason: Reason, value: Value, exact: bool) -> Arc<Self> {
        let kind = Some(value.type_of());
        let expression = abbreviate(expression);
        let partial = Some(Partial { value, exact });
        Arc::new(Self { expression, reasons: vec![reason], kind, partial })
    }

    /// The canonical text of the expression, without brackets.
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// Why it is unknown; at least one reason.
    pub fn reasons(&self) -> &[Reason] {
        &self.reasons
    }

    /// The type it will have, when that much is known.
    pub fn kind(&self) -> Option<Type> {
        self.kind
    }

    /// The part of it that the template declares.
    pub fn partial(&self) -> Option<&Value> {
        self.partial.as_ref().map(|partial| &partial.value)
    }

    /// Whether the members of the declared part are all there is of them.
    pub(super) fn is_exact(&self) -> bool {
        self.partial.as_ref().is_some_and(|partial| partial.exact)
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", self.expression)
    }
}

/// Distinct reasons in a fixed order, at most [`REASONS_MAX`].
fn limited(reasons: impl IntoIterator<Item = Reason>) -> Vec<Reason> {
    let distinct: BTreeSet<Reason> = reasons.into_iter().collect();
    let mut kept: Vec<Reason> = distinct.iter().take(REASONS_MAX).cloned().collect();
    if distinct.len() > REASONS_MAX {
        kept[REASONS_MAX - 1] = Reason::AndMore;
    }
    kept
}

/// Texts that grow by nesting are cut; a hash of the whole keeps equal ones equal and others apart.
fn abbreviate(text: String) -> String {
    if text.len() <= UNKNOWN_TEXT_CHARS_MAX {
        return text;
    }
    let hash: String = Sha1::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
    let head: String = text.chars().take(UNKNOWN_TEXT_CHARS_MAX / 2).collect();
    format!("{head}...#{hash}")
}

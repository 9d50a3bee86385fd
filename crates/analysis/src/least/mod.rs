//! What observed flows need of an NSG, in few rules: the ground under [`crate::lockdown`] and [`crate::learn`].
//!
//! Flows become demands on one list ([`site`]); tags, groups, subnets and prefixes that may meet them ([`objects`]) are chosen by
//! weighted cover ([`cover`]) so that nothing is opened which the list denies today ([`closed`]); drafts become rules with names
//! and numbers ([`draft`], [`numbers`]). What comes out is an [`EstateSpec`] that validation has taken and that the oracle and
//! [`crate::diff_estates`] have been asked about: choices are heuristics, claims are not.

mod closed;
mod cover;
mod draft;
mod estate;
mod locals;
mod numbers;
mod objects;
mod proof;
mod seen;
mod site;
mod witness;

use std::collections::BTreeSet;

use palisade_model::{
    Estate, Problem, ResourceId, Severity, TagCatalog,
    spec::{EstateSpec, NsgSpec},
};

use crate::AnalysisError;

pub use locals::Sources;
pub use objects::TagChoice;
pub use proof::{Opened, Proof};
pub use seen::Seen;
pub use witness::{Counts, FlowFate, Left};

pub(crate) use draft::{expand, write};
pub(crate) use estate::{Interfaces, Machines, addresses_of, alone, groups, list_of, subnets};
pub(crate) use locals::Locals;
pub(crate) use numbers::{From, numbers};
pub(crate) use objects::{Object, TagWeights, Term, named, prefixes, tags};
pub(crate) use proof::{Allowed, prove};
pub(crate) use site::Site;
pub(crate) use witness::{cut_by, fates, witnesses};

/// Why there are no rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LeastError {
    /// The estate does not have the NSG.
    #[error("there is no NSG {0} in the estate (add its file)")]
    NoSuchGroup(ResourceId),
    /// The NSG is not told whole, so that its rules cannot be written.
    #[error("{nsg} is not told whole: {reason} (give the parameter, or a dump of what is deployed)")]
    Open {
        /// The NSG.
        nsg: ResourceId,
        /// What is missing.
        reason: String,
    },
    /// Another rule has the number of the deny rule.
    #[error("rule {rule} of {nsg} has priority {priority} already (choose another one)")]
    PriorityTaken {
        /// The NSG.
        nsg: ResourceId,
        /// The rule.
        rule: String,
        /// The number.
        priority: u16,
    },
    /// There are fewer free numbers than rules.
    #[error(
        "{nsg} has no room for {rules} rules between priorities {low} and {high} (choose a higher priority, or fewer rules by \
         wider prefixes, more tags or any source)"
    )]
    NoRoom {
        /// The NSG.
        nsg: ResourceId,
        /// How many rules there are.
        rules: usize,
        /// The rule before.
        low: u16,
        /// The rule after.
        high: u16,
    },
    /// Validation does not take the rules: mostly they pass one of Azure's limits.
    #[error("the rules would be refused: {}", first(.0))]
    Refused(Vec<Problem>),
    /// A question could not be answered.
    #[error(transparent)]
    Analysis(#[from] AnalysisError),
}

fn first(problems: &[Problem]) -> String {
    problems.first().map(ToString::to_string).unwrap_or_default()
}

/// The rules at every interface, and at NSGs where flows were seen.
pub(crate) fn interfaces(estate: &Estate, seen: &[Seen]) -> Interfaces {
    Interfaces::of(estate, &seen.iter().map(|one| &one.place).collect())
}

/// The estate of a spec.
pub(crate) fn checked(spec: &EstateSpec, tags: &TagCatalog) -> Result<Estate, LeastError> {
    let (estate, problems) = Estate::validate(spec, tags.clone());
    let errors = problems.into_iter().filter(|problem| problem.severity == Severity::Error);
    estate.ok_or_else(|| LeastError::Refused(errors.collect()))
}

/// The input with each NSG once. Where copies of one differ the last one counts, as validation has it.
pub(crate) fn without_copies(spec: &EstateSpec) -> EstateSpec {
    let mut spec = spec.clone();
    let mut seen = BTreeSet::new();
    spec.nsgs.reverse();
    spec.nsgs.retain(|nsg| seen.insert(nsg.id.clone()));
    spec.nsgs.reverse();
    spec
}

/// An NSG of a spec, to be changed.
pub(crate) fn nsg_mut<'s>(spec: &'s mut EstateSpec, id: &ResourceId) -> Result<&'s mut NsgSpec, LeastError> {
    let found = spec.nsgs.iter_mut().find(|nsg| nsg.id == *id);
    found.ok_or_else(|| LeastError::NoSuchGroup(id.clone()))
}

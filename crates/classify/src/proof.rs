//! Shows, before a blob is published, that it decides exactly as its rules do.
//!
//! The rules are read again, as the oracle reads them, into [`claims`]: rule `r` of the blob must hold under these conditions and
//! no others. The blob is decoded into [`segments`]: which record each value of a field leads to. [`sweep`] compares the two over
//! every interval of every field, bit by bit; nothing is sampled. If bit `r` of every field is rule `r`'s own condition,
//! and actions, audit, windows and rule sets are the rules' own, then the first bit that is set in all fields is the
//! first rule that matches. It must not use the compiler's reading of a rule ([`crate::lower`], [`crate::table`]) nor its
//! encoder, so that a fault in any of them is found.

mod check;
mod claims;
mod segments;
mod sweep;
mod witness;

use std::fmt;

use palisade_model::{EffectiveLayer, PlatformService};
use palisade_net::{AddressSet, Direction, Flow};

use crate::blob::{BlobError, BlobView};

pub use segments::Field;

/// The rules of one blob, as the oracle sees them.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// What stands at one place, in order: one layer, or NSGs in audit and then the layer that decides.
    pub layers: &'a [&'a EffectiveLayer],
    /// Addresses of the platform's services.
    pub services: &'a [(PlatformService, AddressSet)],
    /// Which way the packets go.
    pub direction: Direction,
}

/// What was compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Proof {
    /// Rules of the blob.
    pub rules: usize,
    /// Intervals of all fields in which the bits of all rules were compared.
    pub intervals: usize,
    /// Distinct records that values lead to.
    pub records: usize,
}

/// A packet for which the blob and the rules differ, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Witness {
    /// The first packet of a flow.
    pub flow: Flow,
    /// Seconds since 1970.
    pub now: u32,
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { flow, now } = self;
        write!(
            f,
            "{} {} from {} port {} to {} port {} at {now}",
            flow.direction(),
            flow.protocol(),
            flow.source(),
            flow.source_port(),
            flow.destination(),
            flow.destination_port()
        )
    }
}

/// Why a blob is not what its rules say. It means a fault in the compiler or damage, never a user's mistake.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Disproof {
    /// Lookups in the blob could go astray.
    #[error(transparent)]
    Unsound(#[from] BlobError),
    /// A rule of which not everything is known stands for several rules.
    #[error("{rule} is not fully known, so that nothing can be shown about it")]
    Unknown {
        /// The rule.
        rule: String,
    },
    /// The blob has more or fewer rules.
    #[error("the blob has {found} rules instead of {expected}")]
    Count {
        /// Rules of the blob.
        found: usize,
        /// Rules that it should have.
        expected: usize,
    },
    /// The lower halves of several upper halves are looked up alike.
    #[error(
        "the blob looks up IPv6 addresses from {first:#x} to {last:#x}, as upper halves, by their lower halves"
    )]
    Halves {
        /// First upper half.
        first: u64,
        /// Last upper half.
        last: u64,
    },
    /// Something about a rule that no packet's field is compared with is wrong.
    #[error("{rule}: the blob's {part} is {found} instead of {expected}")]
    Rule {
        /// The rule.
        rule: String,
        /// What is wrong.
        part: &'static str,
        /// What the blob says.
        found: String,
        /// What the rule says.
        expected: String,
    },
    /// A rule matches a value of a field and should not, or the other way round.
    #[error(
        "{rule}: the blob {} {field} {value}{}",
        if *matches { "matches" } else { "does not match" },
        witness.map(|witness| format!(", as {witness} shows")).unwrap_or_default()
    )]
    Field {
        /// The rule.
        rule: String,
        /// The field.
        field: Field,
        /// The value.
        value: String,
        /// Whether the blob matches it.
        matches: bool,
        /// A packet that is decided wrongly because of it, if there is one among those that were tried.
        witness: Option<Witness>,
    },
}

/// Shows that `blob` decides as `rules` do.
///
/// # Errors
/// [`Disproof`] names the first difference: the rule, the field and the value.
pub fn prove(rules: &Rules<'_>, blob: &[u8]) -> Result<Proof, Disproof> {
    let claims = claims::claims(rules)?;
    let view = BlobView::parse(blob)?;
    check::check(&claims, &view, rules.direction)
}

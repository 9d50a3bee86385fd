//! Exact questions about rule lists, answered for every packet at once.
//!
//! [`RuleList`] asks one list of an interface: how many packets each rule decides ([`RuleList::shares`]), which rules never
//! decide and what hides them ([`RuleList::fate`]), which could be removed without a change ([`RuleList::need`]), and in which
//! pairs the order matters ([`RuleList::order_sensitive`]). [`diff`] compares two whole policies, lists in their order, and
//! answers with every pair of deciding rules whose verdicts differ, how many packets that is, one of them, and all of them as
//! few products. [`reach`] asks one whole policy about some packets and answers with everything that decides any of them. [`diff_estates`] does that at every interface of two estates, and [`Names`] puts products in words.
//!
//! ```
//! use palisade_analysis::{Fate, Limits, RuleList};
//! # use palisade_model::{Estate, EffectivePolicy, TagCatalog, spec::{EstateSpec, NsgSpec}, ResourceId};
//! use palisade_net::Direction;
//! # let spec = EstateSpec { nsgs: vec![NsgSpec::new(ResourceId::new("/nsgs/a"))], ..EstateSpec::default() };
//! # let (estate, _) = Estate::validate(&spec, TagCatalog::default());
//! # let estate = estate.expect("an NSG without rules is sound");
//! # let nsg = estate.nsgs().next().expect("there is one");
//! # let network = [palisade_net::Prefix::new([10, 0, 0, 0].into(), 8)?].into_iter().collect();
//! let policy: EffectivePolicy = estate.effective_alone(nsg, Some(network));
//! let now = 1_800_000_000;
//! let list = RuleList::new(&policy, Direction::Inbound, 0, now, Limits::default());
//! let last = policy.inbound[0].rules.len() - 1;
//! assert!(matches!(list.fate(last)?, Fate::Decides(_)), "something is left for DenyAllInBound");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How
//!
//! IPv4 and IPv6 are apart, and so are protocols that carry ports, types, or neither: six spaces of five fields. In each, a
//! field is cut into atoms, values that no rule tells apart. The fields are then walked one after the other; packets
//! that leave the same list of rules are one state, so that the whole is a diagram of few states in place of a tree of many
//! boxes (the firewall decision diagram of Liu and Gouda, with the atomic predicates of Yang and Lam taken a field at a time).
//!
//! # What an answer means
//!
//! - It is of one moment, which is an argument: a rule outside its window, or in audit, is not asked.
//! - What the estate leaves open is three-valued as in [`palisade_classify::oracle`]: volumes have a lower and an upper bound,
//!   and a claim is made only if it holds however the open parts turn out, each taken by itself.
//! - It is about what rules say. Traffic that the link needs passes without being asked (`docs/semantics.md`, Platform traffic)
//!   and is counted like any other; the platform's exemption is part of a list, as [`palisade_classify::Hit::Exempt`].
//! - Every example is put to the oracle before it is returned. If the oracle disagrees, the answer is
//!   [`AnalysisError::Refuted`] and not a wrong claim.
//! - What would need too much memory is refused with the limit's name ([`Limits`]).
//!
//! It must not do I/O, read a clock or start a thread.

mod align;
mod alike;
mod atoms;
mod bits;
mod check;
mod diagram;
mod diff;
mod entry;
mod estate;
pub mod explain;
mod fate;
pub mod findings;
mod gap;
mod gather;
mod grid;
pub mod intent;
mod learn;
mod least;
mod list;
mod lockdown;
pub mod matrix;
mod memo;
mod need;
pub mod observed;
mod order;
mod reach;
mod region;
mod rows;
mod seek;
mod share;
mod space;
mod tally;
mod verdict;
mod volume;
mod walk;
pub mod what_if;
mod words;

use palisade_net::{Family, Flow};

pub use diff::{Change, Diff, diff};
pub use estate::{Class, EstateDiff, diff_estates};
pub use fate::{Contrast, Cover, Fate, Hidden};
pub use learn::{LearnOptions, Learned, learn};
pub use least::{Counts, FlowFate, LeastError, Left, Opened, Proof, Seen, Sources, TagChoice};
pub use list::RuleList;
pub use lockdown::{
    Lockdown, LockdownOptions, LockedGroup, PRIORITY_USUAL, Remaining, is_priority, lockdown,
};
pub use memo::{ListAnswers, Memo};
pub use need::{Example, Need};
pub use order::{Overlap, Pair};
pub use reach::{Query, Reached, reach};
pub use region::{Block, Region};
pub use share::{Share, Shares};
pub use space::universe;
pub use verdict::Side;
pub use volume::{Bounds, Volume};
pub use words::{Names, Terms, Words};

/// How much an analysis may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limits {
    /// States before one field, or of one search.
    pub states: usize,
    /// Blocks of one region; what is beyond is counted in [`Region::rest`]. Where volumes and examples are enough, 0 saves
    /// much of the time of a comparison.
    pub blocks: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { states: 1 << 20, blocks: 256 }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnalysisError {
    /// The rules tell too many packets apart.
    #[error(
        "the rules need more than {states} states at one field (split the list, or raise the limit of states)"
    )]
    TooComplex {
        /// The limit.
        states: usize,
    },
    /// What is asked for falls into too many products.
    #[error("what one rule decides is more than {blocks} products (ask about fewer services or addresses)")]
    TooScattered {
        /// The limit.
        blocks: usize,
    },
    /// There are too many answers.
    #[error("there are more than {groups} groups of packets to tell (ask about fewer machines or services)")]
    TooMany {
        /// The limit.
        groups: usize,
    },
    /// An intent cannot be proven.
    #[error("intent \"{intent}\": {problem}")]
    Intent {
        /// Its name.
        intent: String,
        /// Why.
        problem: Box<AnalysisError>,
    },
    /// The oracle does not confirm a claim.
    #[error("the claim that {claim} is refuted by {flow:?} (this is a fault of Palisade: report it)")]
    Refuted {
        /// What was about to be claimed.
        claim: String,
        /// The example.
        flow: Box<Flow>,
    },
}

/// One value for IPv4 and one for IPv6, which are never mixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PerFamily<T> {
    /// IPv4.
    pub v4: T,
    /// IPv6.
    pub v6: T,
}

impl<T> PerFamily<T> {
    /// The value of a family.
    pub const fn of(&self, family: Family) -> &T {
        match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        }
    }

    /// The value of a family, to be changed.
    pub const fn of_mut(&mut self, family: Family) -> &mut T {
        match family {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        }
    }
}

impl PerFamily<Volume> {
    /// Both together.
    pub fn total(&self) -> Volume {
        self.v4 + self.v6
    }

    /// Whether it is nothing in both.
    pub fn is_zero(&self) -> bool {
        self.v4.is_zero() && self.v6.is_zero()
    }
}

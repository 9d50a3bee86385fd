//! Sets that are only partly known: what surely belongs, and what may belong.
//!
//! A rule may name a tag that no file resolves, or an interface whose address Azure assigns at deployment. An answer is
//! then given where it does not depend on the missing part, and is `Unknown` where it does; it is never guessed.
//! Invariant: `must` is a subset of `may`.

use std::net::IpAddr;

use palisade_net::{AddressSet, PortSet};

/// Whether something holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Truth {
    /// It does not.
    No,
    /// It depends on what is not known.
    Maybe,
    /// It does.
    Yes,
}

impl Truth {
    /// Both hold.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, Self::Yes) => Self::Yes,
            _ => Self::Maybe,
        }
    }

    /// One of them holds.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        self.negated().and(other.negated()).negated()
    }

    /// It does not hold.
    #[must_use]
    pub const fn negated(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::Maybe => Self::Maybe,
            Self::No => Self::Yes,
        }
    }

    const fn of(must: bool, may: bool) -> Self {
        match (must, may) {
            (true, _) => Self::Yes,
            (false, true) => Self::Maybe,
            (false, false) => Self::No,
        }
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

/// A set of addresses between a lower and an upper bound.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Addresses {
    must: AddressSet,
    may: AddressSet,
}

impl Addresses {
    /// A set that is fully known.
    pub fn exactly(set: AddressSet) -> Self {
        Self { must: set.clone(), may: set }
    }

    /// No address.
    pub const fn empty() -> Self {
        Self { must: AddressSet::empty(), may: AddressSet::empty() }
    }

    /// All addresses.
    pub fn any() -> Self {
        Self::exactly(AddressSet::full())
    }

    /// A set of which nothing is known.
    pub fn unknown() -> Self {
        Self::at_most(AddressSet::full())
    }

    /// A set of which only an upper bound is known.
    pub const fn at_most(may: AddressSet) -> Self {
        Self { must: AddressSet::empty(), may }
    }

    /// The set, if something holds that is not known; no address otherwise.
    #[must_use]
    pub fn perhaps(&self) -> Self {
        Self::at_most(self.may.clone())
    }

    /// The set if `condition` holds, and no address otherwise.
    #[must_use]
    pub fn if_it_holds(&self, condition: Truth) -> Self {
        match condition {
            Truth::Yes => self.clone(),
            Truth::Maybe => self.perhaps(),
            Truth::No => Self::empty(),
        }
    }

    /// Members of either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self { must: self.must.union(&other.must), may: self.may.union(&other.may) }
    }

    /// Members of both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self { must: self.must.intersection(&other.must), may: self.may.intersection(&other.may) }
    }

    /// What surely belongs.
    pub const fn must(&self) -> &AddressSet {
        &self.must
    }

    /// What may belong.
    pub const fn may(&self) -> &AddressSet {
        &self.may
    }

    /// Whether the set is fully known.
    pub fn is_certain(&self) -> bool {
        self.must == self.may
    }

    /// Whether `address` is a member.
    pub fn contains(&self, address: IpAddr) -> Truth {
        Truth::of(self.must.contains(address), self.may.contains(address))
    }
}

/// A set of ports that is known, or not known at all.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Ports {
    /// The set.
    Known(PortSet),
    /// Any set.
    Unknown,
}

impl Ports {
    /// The largest set it may be.
    pub fn may(&self) -> PortSet {
        match self {
            Self::Known(set) => set.clone(),
            Self::Unknown => PortSet::full(),
        }
    }

    /// Whether the set is known.
    pub const fn is_certain(&self) -> bool {
        matches!(self, Self::Known(_))
    }
}

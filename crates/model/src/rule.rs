//! A checked rule: what survived validation.
//!
//! Fields are private and there are no setters. A part that only a deployment can tell stays visibly unknown.

use std::fmt;

use palisade_net::{AddressSet, Direction, Prefix, ProtocolMatch};

use crate::{Mode, Ports, ResourceId, TagName, Window, limits};

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// The layer lets the packet through.
    Allow,
    /// The packet is dropped without an answer.
    Deny,
    /// The packet is let through and no NSG is asked (security admin rules only).
    AlwaysAllow,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allow => "Allow",
            Self::Deny => "Deny",
            Self::AlwaysAllow => "AlwaysAllow",
        })
    }
}

/// A rule's number: the lower, the earlier it is asked. User rules have 100 to 4096, admin rules 1 to 4096, and the
/// default rules 65000, 65001 and 65500.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(u16);

impl Priority {
    /// A user rule's priority; `None` outside 100 to 4096.
    pub fn of_user(value: i64) -> Option<Self> {
        Self::between(limits::PRIORITY_MIN, value)
    }

    /// A security admin rule's priority; `None` outside 1 to 4096.
    pub fn of_admin(value: i64) -> Option<Self> {
        Self::between(limits::ADMIN_PRIORITY_MIN, value)
    }

    pub(crate) const fn of_default(value: u16) -> Self {
        Self(value)
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }

    fn between(min: u16, value: i64) -> Option<Self> {
        let value = u16::try_from(value).ok()?;
        (min..=limits::PRIORITY_MAX).contains(&value).then_some(Self(value))
    }
}

/// The address field of one side of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressField {
    /// `*`.
    Any,
    /// Addresses and prefixes.
    Prefixes(Vec<Prefix>),
    /// A service tag.
    Tag(TagName),
    /// Prefixes and tags together (security admin rules only).
    Mixed(Vec<Prefix>, Vec<TagName>),
    /// Members of application security groups.
    Groups(Vec<ResourceId>),
    /// Not known, and why.
    Unknown(String),
}

impl AddressField {
    /// Whether the field names `tag`.
    pub fn names_tag(&self, tag: &TagName) -> bool {
        match self {
            Self::Tag(name) => name == tag,
            Self::Mixed(_, names) => names.contains(tag),
            _ => false,
        }
    }

    /// The literal prefixes as a set; empty for a field without any.
    pub fn literal(&self) -> AddressSet {
        match self {
            Self::Prefixes(prefixes) | Self::Mixed(prefixes, _) => prefixes.iter().copied().collect(),
            _ => AddressSet::empty(),
        }
    }
}

/// One side of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// Addresses.
    pub addresses: AddressField,
    /// Ports, or ICMP types for the destination of an ICMP rule.
    pub ports: Ports,
}

/// A part of a rule that may be unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Maybe<T> {
    /// The value.
    Known(T),
    /// Only a deployment could tell.
    Unknown,
}

impl<T: Copy> Maybe<T> {
    /// The value if it is known.
    pub const fn known(self) -> Option<T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown => None,
        }
    }
}

/// A checked rule of an NSG or of a security admin rule collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) priority: Maybe<Priority>,
    pub(crate) direction: Maybe<Direction>,
    pub(crate) access: Maybe<Access>,
    pub(crate) protocol: Maybe<ProtocolMatch>,
    pub(crate) source: Side,
    pub(crate) destination: Side,
    pub(crate) window: Window,
    pub(crate) mode: Mode,
    pub(crate) certain: bool,
}

impl Rule {
    /// Name, unique in its NSG.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Description; may be empty.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Place in the order.
    pub const fn priority(&self) -> Maybe<Priority> {
        self.priority
    }

    /// Direction that it is about.
    pub const fn direction(&self) -> Maybe<Direction> {
        self.direction
    }

    /// Whether it is, or may be, about `direction`.
    pub fn concerns(&self, direction: Direction) -> bool {
        self.direction.known().is_none_or(|known| known == direction)
    }

    /// What it does.
    pub const fn access(&self) -> Maybe<Access> {
        self.access
    }

    /// Protocols that it is about.
    pub const fn protocol(&self) -> Maybe<ProtocolMatch> {
        self.protocol
    }

    /// Who sends the first packet.
    pub const fn source(&self) -> &Side {
        &self.source
    }

    /// Who receives it.
    pub const fn destination(&self) -> &Side {
        &self.destination
    }

    /// When it is in force.
    pub const fn window(&self) -> Window {
        self.window
    }

    /// Whether it decides, or is only counted.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether the rule surely exists and decides in its window; false if its condition, window or mode is unknown.
    pub const fn is_certain(&self) -> bool {
        self.certain
    }

    /// Whether every field is known and the rule surely exists. Says nothing of what a tag or group resolves to.
    pub fn is_resolved(&self) -> bool {
        self.certain
            && self.priority.known().is_some()
            && self.direction.known().is_some()
            && self.access.known().is_some()
            && self.protocol.known().is_some()
            && [&self.source, &self.destination]
                .iter()
                .all(|side| side.ports.is_certain() && !matches!(side.addresses, AddressField::Unknown(_)))
    }
}

//! Requests, and the grants that come of them: one for each door that was asked for.
//!
//! What became of a grant is told from what was written down and from the time; that it expired is written nowhere.

use std::net::IpAddr;

use palisade_model::ResourceId;
use palisade_net::{Prefix, Protocol, ProtocolMatch};

/// Somebody, as the server knows him.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Object id: it tells people apart.
    pub id: String,
    /// Name, for people to read.
    pub name: String,
}

impl Person {
    /// Whether two are the same.
    pub fn is(&self, other: &Self) -> bool {
        self.id.eq_ignore_ascii_case(&other.id)
    }
}

/// What was asked for at once, by one person, for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its name, unique in the policy.
    pub name: String,
    /// Who asked.
    pub requester: Person,
    /// The address that he asked from; empty if it is not known.
    pub address: String,
    /// When, in seconds since 1970.
    pub at: u32,
    /// Why.
    pub reason: String,
    /// The ticket that it belongs to.
    pub ticket: Option<String>,
    /// Who approved, and when.
    pub approval: Option<(Person, u32)>,
    /// The doors that were asked for.
    pub grants: Vec<Grant>,
}

impl Request {
    /// Whether a grant of it is open or waits.
    pub fn is_alive(&self, now: u32) -> bool {
        self.grants.iter().any(|grant| grant.state(self, now).is_alive())
    }
}

/// One door of one machine, opened to one source until a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The machine.
    pub machine: ResourceId,
    /// The port.
    pub port: u16,
    /// The protocol.
    pub protocol: ProtocolMatch,
    /// To whom it is opened.
    pub sources: Vec<Prefix>,
    /// The first second in which it is closed again.
    pub not_after: u32,
    /// Whether the door asked for approval.
    pub needs_approval: bool,
    /// How it stands with its one connection; `None` if it is good for any number.
    pub once: Option<Once>,
    /// Set if it was closed before its time.
    pub closing: Option<Closing>,
}

/// How a grant stands that is good for one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Once {
    /// Nobody has come yet.
    Unused,
    /// This connection was the first: the door is open to it alone.
    By(Used),
}

/// A connection that used a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// Where it came from.
    pub source: (IpAddr, u16),
    /// When it was known, in seconds since 1970.
    pub at: u32,
}

impl Used {
    /// Whether two are the same connection, whenever they were known.
    pub fn is(&self, other: &Self) -> bool {
        (self.protocol, self.source) == (other.protocol, other.source)
    }
}

/// How a grant was closed before its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// When.
    pub at: u32,
    /// Why.
    pub end: End,
    /// Who did it; nobody for what follows of itself.
    pub by: Option<Person>,
}

/// Why a grant was closed before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// Who asked needs it no more.
    Ended,
    /// Who asked has asked for the same again.
    Replaced,
    /// Somebody else closed it.
    Revoked,
    /// The policy no longer has the door, or no longer for this source.
    PolicyChanged,
    /// Its one connection is over.
    UsedUp,
}

/// How a grant stands at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// It waits for approval.
    Pending,
    /// The door is open.
    Active,
    /// Closed by who asked, before its time.
    EndedEarly,
    /// Its time has passed, whether it was ever open or not.
    Expired,
    /// Closed by somebody else, or by a change of the policy.
    Revoked,
    /// Its one connection is over.
    UsedUp,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Active, Self::EndedEarly, Self::Expired, Self::Revoked, Self::UsedUp];

    /// Whether the door is open, or may come to be.
    pub const fn is_alive(self) -> bool {
        matches!(self, Self::Pending | Self::Active)
    }

    /// Its name in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Active => "Active",
            Self::EndedEarly => "EndedEarly",
            Self::Expired => "Expired",
            Self::Revoked => "Revoked",
            Self::UsedUp => "UsedUp",
        }
    }
}

impl End {
    /// Every cause.
    pub const ALL: [Self; 5] =
        [Self::Ended, Self::Replaced, Self::Revoked, Self::PolicyChanged, Self::UsedUp];

    /// Its name in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ended => "Ended",
            Self::Replaced => "Replaced",
            Self::Revoked => "Revoked",
            Self::PolicyChanged => "PolicyChanged",
            Self::UsedUp => "UsedUp",
        }
    }
}

impl Grant {
    /// How it stands, as part of `request`.
    pub fn state(&self, request: &Request, now: u32) -> State {
        match &self.closing {
            Some(Closing { end: End::Ended | End::Replaced, .. }) => State::EndedEarly,
            Some(Closing { end: End::Revoked | End::PolicyChanged, .. }) => State::Revoked,
            Some(Closing { end: End::UsedUp, .. }) => State::UsedUp,
            None if now >= self.not_after => State::Expired,
            None if self.waits(request) => State::Pending,
            None => State::Active,
        }
    }

    /// Whether it is for this connection: of its port, protocol and sources, and the one that it is bound to if it is.
    pub(super) fn is_for(&self, port: u16, used: &Used) -> bool {
        let may_come = self.sources.iter().any(|source| source.contains(used.source.0));
        let is_door = self.port == port && self.protocol.matches(used.protocol);
        is_door && may_come && !matches!(&self.once, Some(Once::By(first)) if !first.is(used))
    }

    /// Whether nobody has approved what must be approved.
    pub(super) fn waits(&self, request: &Request) -> bool {
        self.needs_approval && request.approval.is_none()
    }

    pub(super) fn close(&mut self, at: u32, end: End, by: Option<&Person>) {
        self.closing = Some(Closing { at, end, by: by.cloned() });
    }
}

//! What a rule list may deny from some place in it on.
//!
//! New rules that allow are put at a place; what they let pass that the rules behind them would have denied is opened by them. So
//! a rule may only be about peers that are not closed. It must not decide anything: it errs towards closed, and the proof has
//! the last word.

use palisade_model::{Access, Addresses, EffectiveLayer, EffectiveRule, Maybe, Mode, Ports};
use palisade_net::{AddressSet, Direction, PortSet, Protocol, ProtocolMatch};

/// A rule list from a place on, at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Behind<'a> {
    pub(crate) layer: &'a EffectiveLayer,
    pub(crate) direction: Direction,
    /// The first priority that is behind the place.
    pub(crate) from: u16,
    pub(crate) now: u32,
}

/// Packets of a rule to be, whoever the peer is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape<'a> {
    pub(crate) protocol: ProtocolMatch,
    /// Ports of the destination, or types.
    pub(crate) ports: &'a PortSet,
    /// Ports of the source.
    pub(crate) source_ports: &'a PortSet,
    /// Addresses of the machines' own side.
    pub(crate) locals: &'a AddressSet,
}

/// How a rule's fields, but for the peer's addresses, meet a shape.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Meeting {
    /// They may hold for some packet of it.
    some: bool,
    /// They surely hold for every packet of it.
    every: bool,
}

impl Meeting {
    const fn and(self, other: Self) -> Self {
        Self { some: self.some && other.some, every: self.every && other.every }
    }
}

impl Behind<'_> {
    /// Peers of which some packet of the shape may be denied.
    pub(crate) fn closed(&self, shape: &Shape<'_>) -> AddressSet {
        let (mut left, mut closed) = (AddressSet::full(), AddressSet::empty());
        for rule in self.layer.rules.iter().filter(|rule| self.is_asked(rule)) {
            let meeting = self.meeting(rule, shape);
            if !meeting.some {
                continue;
            }
            let peers = match self.direction {
                Direction::Inbound => &rule.source,
                Direction::Outbound => &rule.destination,
            };
            if rule.access != Maybe::Known(Access::Allow) {
                closed = closed.union(&left.intersection(peers.may()));
            }
            if meeting.every && rule.certain {
                left = left.difference(peers.must());
            }
            if left.is_empty() {
                return closed;
            }
        }
        closed.union(&left)
    }

    fn is_asked(&self, rule: &EffectiveRule) -> bool {
        let is_behind = rule.priority.known().is_none_or(|priority| priority.get() >= self.from);
        is_behind && rule.mode == Mode::Enforce && rule.window.contains(self.now)
    }

    fn meeting(&self, rule: &EffectiveRule, shape: &Shape<'_>) -> Meeting {
        let own = match self.direction {
            Direction::Inbound => &rule.destination,
            Direction::Outbound => &rule.source,
        };
        let fields = [
            protocols(rule.protocol, shape.protocol),
            ports(rule, &rule.destination_ports, shape.protocol, shape.ports, true),
            ports(rule, &rule.source_ports, shape.protocol, shape.source_ports, false),
            addresses(own, shape.locals),
        ];
        fields.into_iter().fold(Meeting { some: true, every: true }, Meeting::and)
    }
}

fn protocols(rule: Maybe<ProtocolMatch>, shape: ProtocolMatch) -> Meeting {
    let Maybe::Known(rule) = rule else { return Meeting { some: true, every: false } };
    let mut of_shape = (0..=u8::MAX).map(Protocol).filter(|protocol| shape.matches(*protocol));
    let some = of_shape.clone().any(|protocol| rule.matches(protocol));
    Meeting { some, every: of_shape.all(|protocol| rule.matches(protocol)) }
}

/// A port field that is not `*` matches by port where there are ports, as a destination by type in a rule that names ICMP, and
/// nothing else.
fn ports(
    rule: &EffectiveRule,
    field: &Ports,
    shape: ProtocolMatch,
    asked: &PortSet,
    is_destination: bool,
) -> Meeting {
    let set = match field {
        Ports::Unknown => return Meeting { some: true, every: false },
        Ports::Known(set) if set.is_full() => return Meeting { some: true, every: true },
        Ports::Known(set) => set,
    };
    let by_value = match shape {
        ProtocolMatch::Any => return Meeting { some: true, every: false },
        ProtocolMatch::Icmp => is_destination && rule.protocol != Maybe::Known(ProtocolMatch::Any),
        ProtocolMatch::Number(protocol) if protocol.is_icmp() => {
            is_destination && rule.protocol != Maybe::Known(ProtocolMatch::Any)
        }
        ProtocolMatch::Number(protocol) => protocol.has_ports(),
    };
    Meeting { some: by_value && set.intersects(asked), every: by_value && asked.difference(set).is_empty() }
}

fn addresses(own: &Addresses, locals: &AddressSet) -> Meeting {
    Meeting { some: own.may().intersects(locals), every: locals.difference(own.must()).is_empty() }
}

//! Which rules decide about a whole region of traffic: a prefix, a tag or `*` instead of one address or port.
//!
//! The region is cut at every rule, first match first, so the answer is exact: it says which part each rule decides, as
//! `classify::oracle` would for each packet of that part (tests compare them). DHCP and neighbour discovery, which no rule governs, are
//! not set apart here. The number of pieces has a limit, and beyond it there is no answer.

use palisade_model::{
    Access, Addresses, EffectiveLayer, EffectivePolicy, EffectiveRule, Layer, Maybe, Mode, PlatformService,
    Ports,
};
use palisade_net::{AddressSet, Direction, Family, PortSet, Protocol, ProtocolMatch, RangeSet};

use crate::ControlError;

/// Most pieces that a region may be cut into.
pub(super) const PIECES_MAX: usize = 20_000;

/// First packets of one protocol: every combination of these addresses and ports, within one family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Region {
    pub(super) protocol: Protocol,
    pub(super) sources: AddressSet,
    pub(super) destinations: AddressSet,
    pub(super) source_ports: PortSet,
    /// Types, for ICMP.
    pub(super) destination_ports: PortSet,
}

/// What one rule list says of the traffic that reaches it.
pub(super) struct Said<'a> {
    pub(super) layer: &'a EffectiveLayer,
    /// The rules that were asked, to the last one that decided about something.
    pub(super) asked: Vec<&'a EffectiveRule>,
    /// The first rule that denies something, else the first that decides about something.
    pub(super) decided: Option<(&'a EffectiveRule, Access)>,
}

/// What becomes of a region.
pub(super) struct Answer<'a> {
    /// Whether some of it passes.
    pub(super) passes: bool,
    /// Whether some of it is dropped.
    pub(super) drops: bool,
    /// What each list said, in the order in which they were asked.
    pub(super) said: Vec<Said<'a>>,
}

impl Region {
    /// All packets of a protocol between these addresses. ICMP is of its own family only, and a protocol without ports has one
    /// packet.
    pub(super) fn new(
        protocol: Protocol,
        (sources, source_ports): (&AddressSet, &PortSet),
        (destinations, destination_ports): (&AddressSet, &PortSet),
    ) -> Self {
        let within = |set: &AddressSet| match protocol.icmp_family() {
            Some(Family::V4) => AddressSet::from_ranges(set.v4().clone(), RangeSet::empty()),
            Some(Family::V6) => AddressSet::from_ranges(RangeSet::empty(), set.v6().clone()),
            None => set.clone(),
        };
        let zero: PortSet = [(0, 0)].into_iter().collect();
        let types: PortSet = [(0, u16::from(u8::MAX))].into_iter().collect();
        let (source_ports, destination_ports) = match protocol {
            _ if protocol.has_ports() => (source_ports.clone(), destination_ports.clone()),
            _ if protocol.is_icmp() => (zero, destination_ports.intersection(&types)),
            _ => (zero.clone(), zero),
        };
        Self {
            protocol,
            sources: within(sources),
            destinations: within(destinations),
            source_ports,
            destination_ports,
        }
    }

    fn is_empty(&self) -> bool {
        let v4 = !self.sources.v4().is_empty() && !self.destinations.v4().is_empty();
        let v6 = !self.sources.v6().is_empty() && !self.destinations.v6().is_empty();
        !(v4 || v6) || self.source_ports.is_empty() || self.destination_ports.is_empty()
    }

    fn intersection(&self, other: &Self) -> Self {
        Self {
            protocol: self.protocol,
            sources: self.sources.intersection(&other.sources),
            destinations: self.destinations.intersection(&other.destinations),
            source_ports: self.source_ports.intersection(&other.source_ports),
            destination_ports: self.destination_ports.intersection(&other.destination_ports),
        }
    }

    /// What is in this and not in `other`, as disjoint pieces.
    fn difference(&self, other: &Self) -> Vec<Self> {
        let ports = |a: &PortSet, b: &PortSet| a.intersection(&b.complement());
        let inside = self.intersection(other);
        let first = Self { sources: self.sources.difference(&other.sources), ..self.clone() };
        let second = Self {
            sources: inside.sources.clone(),
            destinations: self.destinations.difference(&other.destinations),
            ..self.clone()
        };
        let third = Self { source_ports: ports(&self.source_ports, &other.source_ports), ..inside.clone() };
        let third = Self { destination_ports: self.destination_ports.clone(), ..third };
        let fourth =
            Self { destination_ports: ports(&self.destination_ports, &other.destination_ports), ..inside };
        [first, second, third, fourth].into_iter().filter(|piece| !piece.is_empty()).collect()
    }
}

/// Asks all lists of one direction about a region, given as pieces.
pub(super) fn ask<'a>(
    policy: &'a EffectivePolicy,
    direction: Direction,
    region: Vec<Region>,
    now: u32,
) -> Result<Answer<'a>, ControlError> {
    let mut open: Vec<Region> = region.into_iter().filter(|piece| !piece.is_empty()).collect();
    let mut answer = Answer { passes: false, drops: false, said: Vec::new() };
    for layer in policy.layers(direction).iter().filter(|layer| layer.mode == Mode::Enforce) {
        if open.is_empty() {
            return Ok(answer);
        }
        if !layer.certain {
            return Err(undetermined(layer.name.as_deref().unwrap_or("the public address")));
        }
        let (ordinary, services) = match layer.layer {
            Layer::Subnet | Layer::NetworkInterface => apart(policy, direction, open),
            Layer::Admin | Layer::PublicAddress => (open, Vec::new()),
        };
        let mut asking = Asking { now, passing: Vec::new(), shares: Vec::new(), asked: 0 };
        let unmatched = asking.ask(layer, ordinary, |_| true)?;
        for (service, pieces) in services {
            // What no rule names by the service's own tag is delivered in any case.
            let exempt = asking.ask(layer, pieces, |rule| rule.services.contains(&service))?;
            asking.passing.extend(exempt);
        }
        match layer.layer {
            Layer::Admin => asking.passing.extend(unmatched),
            _ => answer.drops |= !unmatched.is_empty(),
        }
        let accesses = || asking.shares.iter().map(|(_, access)| *access);
        answer.passes |= accesses().any(|access| access == Access::AlwaysAllow);
        answer.drops |= accesses().any(|access| access == Access::Deny);
        let denied = asking.shares.iter().find(|(_, access)| *access == Access::Deny);
        answer.said.push(Said {
            layer,
            asked: layer.rules.iter().filter(|rule| asking.asks(rule)).take(asking.asked).collect(),
            decided: denied.or(asking.shares.first()).copied(),
        });
        open = asking.passing;
    }
    answer.passes |= !open.is_empty();
    Ok(answer)
}

/// What a rule list is asked, and what it said so far.
struct Asking<'a> {
    now: u32,
    /// What goes on to the next list.
    passing: Vec<Region>,
    /// Rules that decided about something.
    shares: Vec<(&'a EffectiveRule, Access)>,
    /// How many rules were asked at most.
    asked: usize,
}

impl<'a> Asking<'a> {
    /// Whether a rule is in force.
    fn asks(&self, rule: &EffectiveRule) -> bool {
        rule.mode == Mode::Enforce && rule.window.contains(self.now)
    }

    /// Asks the rules that `concern` the pieces, in order; gives back what none of them matches.
    fn ask(
        &mut self,
        layer: &'a EffectiveLayer,
        mut open: Vec<Region>,
        concern: impl Fn(&EffectiveRule) -> bool,
    ) -> Result<Vec<Region>, ControlError> {
        let mut asked = 0;
        for rule in &layer.rules {
            if open.is_empty() {
                break;
            }
            if !self.asks(rule) {
                continue;
            }
            asked += 1;
            if !concern(rule) {
                continue;
            }
            let (taken, rest) = split(rule, open)?;
            open = rest;
            let Some(access) = rule.access.known() else { return Err(undetermined(&rule.path)) };
            if !taken.is_empty() {
                self.shares.push((rule, access));
                self.asked = self.asked.max(asked);
            }
            if access == Access::Allow {
                self.passing.extend(taken);
            }
            if open.len() + self.passing.len() > PIECES_MAX {
                return Err(too_many());
            }
        }
        Ok(open)
    }
}

/// What a rule matches of some pieces, and the rest.
fn split(rule: &EffectiveRule, open: Vec<Region>) -> Result<(Vec<Region>, Vec<Region>), ControlError> {
    let (mut taken, mut rest) = (Vec::new(), Vec::new());
    for piece in open {
        let Some(matched) = matched(rule, piece.protocol, Addresses::may) else {
            rest.push(piece);
            continue;
        };
        let inside = piece.intersection(&matched);
        if inside.is_empty() {
            rest.push(piece);
            continue;
        }
        let surely = self::matched(rule, piece.protocol, Addresses::must);
        if !rule.certain
            || surely.is_none_or(|surely| inside.difference(&surely).iter().any(|part| !part.is_empty()))
        {
            return Err(undetermined(&rule.path));
        }
        rest.extend(piece.difference(&matched));
        taken.push(inside);
    }
    Ok((taken, rest))
}

/// Everything of one protocol that a rule matches, by one bound of its addresses.
fn matched(rule: &EffectiveRule, protocol: Protocol, bound: fn(&Addresses) -> &AddressSet) -> Option<Region> {
    if rule.protocol.known().is_some_and(|field| !field.matches(protocol)) {
        return None;
    }
    Some(Region {
        protocol,
        sources: bound(&rule.source).clone(),
        destinations: bound(&rule.destination).clone(),
        source_ports: matched_ports(rule, &rule.source_ports, protocol, false)?,
        destination_ports: matched_ports(rule, &rule.destination_ports, protocol, true)?,
    })
}

/// Ports, or types, that a field matches: one that is not `*` matches TCP and UDP by port, and as a destination ICMP by type in
/// a rule that names ICMP.
pub(super) fn matched_ports(
    rule: &EffectiveRule,
    ports: &Ports,
    protocol: Protocol,
    destination: bool,
) -> Option<PortSet> {
    let names_icmp = destination && protocol.is_icmp() && rule.protocol != Maybe::Known(ProtocolMatch::Any);
    let set = ports.may();
    (set.is_full() || protocol.has_ports() || names_icmp).then_some(set)
}

/// Pieces that belong to a service of the platform, and those that do not.
fn apart(
    policy: &EffectivePolicy,
    direction: Direction,
    open: Vec<Region>,
) -> (Vec<Region>, Vec<(PlatformService, Vec<Region>)>) {
    let (mut ordinary, mut apart) = (open, Vec::new());
    if direction == Direction::Inbound {
        return (ordinary, apart);
    }
    for (service, addresses) in &policy.services {
        let mut of_service = Vec::new();
        let mut others = Vec::new();
        for piece in ordinary {
            if !service.protocols().contains(&piece.protocol) {
                others.push(piece);
                continue;
            }
            let called = Region {
                destinations: addresses.clone(),
                destination_ports: service.ports(),
                ..piece.clone()
            };
            others.extend(piece.difference(&called));
            of_service.push(piece.intersection(&called));
        }
        of_service.retain(|piece| !piece.is_empty());
        ordinary = others;
        apart.push((*service, of_service));
    }
    (ordinary, apart)
}

/// Something that the answer depends on is not known to this server.
pub(super) fn undetermined(what: &str) -> ControlError {
    let message = format!(
        "The answer depends on '{what}', whose addresses are not known here. Load the file that defines its service tag \
         and ask again."
    );
    ControlError::new(409, "AnswerUndetermined", message)
}

fn too_many() -> ControlError {
    let message = format!(
        "The rules cut the traffic asked about into more than {PIECES_MAX} parts. Ask about fewer addresses or ports."
    );
    ControlError::bad("ProfileTooBroad", message)
}

/// Whether a list's decision is the one to name for a region of which some part `drops` or none: a denial if so, else an
/// allowance. A public address has no rule to name.
pub(super) fn decides(layer: Layer, access: Access, drops: bool) -> bool {
    layer != Layer::PublicAddress && (access == Access::Deny) == drops
}

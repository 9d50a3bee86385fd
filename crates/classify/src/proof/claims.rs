//! What the rules say, read for the proof and for nothing else.
//!
//! A rule of an NSG about the machine's own traffic also stands, cut down to the service, before the exemption of each
//! platform service whose tag it names (`docs/semantics.md`, Platform traffic): a claim for each protocol of the service.
//! The order of claims is that of the blob's rules.

use std::borrow::Cow;

use palisade_abi::verdict::Action;
use palisade_model::{
    Access, EffectiveLayer, EffectiveRule, Layer, Maybe, Mode, PlatformService, Ports, Window,
};
use palisade_net::{AddressSet, Direction, Flow, PortSet, Protocol, ProtocolMatch};

use super::{Disproof, Rules};

/// What one rule of the blob must be.
#[derive(Debug, Clone)]
pub(super) struct Claim<'a> {
    /// Its list and path, for a disproof.
    pub(super) name: String,
    pub(super) sources: Cow<'a, AddressSet>,
    pub(super) destinations: Cow<'a, AddressSet>,
    pub(super) source_ports: PortSet,
    destination_ports: PortSet,
    protocol: ProtocolMatch,
    pub(super) window: Window,
    pub(super) audit: bool,
    pub(super) action: Action,
}

impl Claim<'_> {
    /// The destination ports, or ICMP types, at which packets of `protocol` match; `None` if they never do. Ports are
    /// about TCP and UDP, and types about ICMP where a rule names it; a rule that restricts them is about nothing else.
    pub(super) fn values(&self, protocol: Protocol) -> Option<&PortSet> {
        let is_about = match self.protocol {
            ProtocolMatch::Any => true,
            ProtocolMatch::Icmp => protocol == Protocol::ICMP || protocol == Protocol::ICMPV6,
            ProtocolMatch::Number(number) => number == protocol,
        };
        let values = match protocol {
            Protocol::TCP | Protocol::UDP => true,
            Protocol::ICMP | Protocol::ICMPV6 => self.protocol != ProtocolMatch::Any,
            _ => false,
        };
        (is_about && (values || self.destination_ports.is_full())).then_some(&self.destination_ports)
    }

    /// Whether packets without a source port match.
    pub(super) fn is_portless(&self) -> bool {
        self.source_ports.is_full()
    }

    /// Whether it matches packets of `protocol` at some pair of ports.
    pub(super) fn matches_somewhere(&self, protocol: Protocol) -> bool {
        let has_ports = protocol == Protocol::TCP || protocol == Protocol::UDP;
        let from = if has_ports { !self.source_ports.is_empty() } else { self.is_portless() };
        from && self.values(protocol).is_some_and(|values| !values.is_empty())
    }

    /// Whether it matches whatever the ports.
    pub(super) fn is_whole(&self) -> bool {
        self.source_ports.is_full() && self.destination_ports.is_full()
    }

    /// A protocol that it names.
    pub(super) const fn named_protocol(&self) -> Option<Protocol> {
        match self.protocol {
            ProtocolMatch::Number(number) => Some(number),
            ProtocolMatch::Any | ProtocolMatch::Icmp => None,
        }
    }

    /// Whether it matches a packet.
    pub(super) fn matches(&self, flow: &Flow, now: u32) -> bool {
        let has_ports = flow.protocol() == Protocol::TCP || flow.protocol() == Protocol::UDP;
        let from =
            if has_ports { self.source_ports.contains(flow.source_port()) } else { self.is_portless() };
        from && self.window.contains(now)
            && self.sources.contains(flow.source())
            && self.destinations.contains(flow.destination())
            && self.values(flow.protocol()).is_some_and(|values| values.contains(flow.destination_port()))
    }
}

/// What the rules of the blob must be, in order.
pub(super) fn claims<'a>(rules: &Rules<'a>) -> Result<Vec<Claim<'a>>, Disproof> {
    let mut claims = Vec::new();
    for (index, layer) in rules.layers.iter().enumerate() {
        // What stands before the layer that decides only counts.
        let tried = index + 1 < rules.layers.len();
        let own = layer.rules.iter().map(|rule| claim(layer, rule)).collect::<Result<Vec<_>, _>>()?;
        let is_nsg = matches!(layer.layer, Layer::Subnet | Layer::NetworkInterface);
        if is_nsg && rules.direction == Direction::Outbound {
            for (service, addresses) in rules.services {
                about_service(layer, &own, *service, addresses, &mut claims);
            }
        }
        claims.extend(own);
        claims.iter_mut().for_each(|claim| claim.audit |= tried);
    }
    Ok(claims)
}

fn claim<'a>(layer: &EffectiveLayer, rule: &'a EffectiveRule) -> Result<Claim<'a>, Disproof> {
    let unknown = || Disproof::Unknown { rule: name(layer, rule) };
    let ports = |ports: &Ports| match ports {
        Ports::Known(set) => Some(set.clone()),
        Ports::Unknown => None,
    };
    let (Maybe::Known(access), Maybe::Known(protocol)) = (rule.access, rule.protocol) else {
        return Err(unknown());
    };
    if !rule.certain || !layer.certain || !rule.source.is_certain() || !rule.destination.is_certain() {
        return Err(unknown());
    }
    Ok(Claim {
        name: name(layer, rule),
        sources: Cow::Borrowed(rule.source.must()),
        destinations: Cow::Borrowed(rule.destination.must()),
        source_ports: ports(&rule.source_ports).ok_or_else(unknown)?,
        destination_ports: ports(&rule.destination_ports).ok_or_else(unknown)?,
        protocol,
        window: rule.window,
        audit: rule.mode == Mode::Audit,
        action: match access {
            Access::Deny if layer.layer == Layer::PublicAddress => Action::Closed,
            Access::Deny => Action::Deny,
            Access::Allow => Action::Allow,
            Access::AlwaysAllow => Action::AlwaysAllow,
        },
    })
}

fn name(layer: &EffectiveLayer, rule: &EffectiveRule) -> String {
    match &layer.name {
        Some(list) => format!("{list}/{}", rule.path),
        None => rule.path.clone(),
    }
}

/// The claims about one service: of the rules that name its tag, and then that it passes.
fn about_service<'a>(
    layer: &EffectiveLayer,
    own: &[Claim<'a>],
    service: PlatformService,
    addresses: &AddressSet,
    claims: &mut Vec<Claim<'a>>,
) {
    let named = layer.rules.iter().zip(own).filter(|(rule, _)| rule.services.contains(&service));
    let passes = Claim {
        name: format!("{} ({service:?})", crate::enforce::PLATFORM_TRAFFIC),
        sources: Cow::Owned(AddressSet::full()),
        destinations: Cow::Owned(AddressSet::full()),
        source_ports: PortSet::full(),
        destination_ports: PortSet::full(),
        protocol: ProtocolMatch::Any,
        window: Window::ALWAYS,
        audit: false,
        action: Action::Allow,
    };
    for claim in named.map(|(_, claim)| claim).chain([&passes]) {
        let destinations = claim.destinations.intersection(addresses);
        let destination_ports = claim.destination_ports.intersection(&service.ports());
        if destinations.is_empty() || destination_ports.is_empty() {
            continue;
        }
        // The services use TCP and UDP, so that ports are ports.
        for &protocol in service.protocols().iter().filter(|protocol| claim.protocol.matches(**protocol)) {
            claims.push(Claim {
                destinations: Cow::Owned(destinations.clone()),
                destination_ports: destination_ports.clone(),
                protocol: ProtocolMatch::Number(protocol),
                ..claim.clone()
            });
        }
    }
}

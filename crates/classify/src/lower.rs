//! From effective rules to rows: names, exemptions and layers become plain lists of address sets, ports and actions.
//!
//! The exemption of the platform's traffic is written into the list itself: rules that name a service's tag, cut down to that
//! service; then a row that allows the service; then the rules as they are. A packet then needs one search a layer. Whether the
//! whole layer is in audit is not its business: its rows are those that would decide.

use palisade_abi::verdict::Action;
use palisade_model::{
    Access, EffectiveLayer, EffectivePolicy, EffectiveRule, Layer, Maybe, Mode, PlatformService, Ports,
};
use palisade_net::{AddressSet, Direction, PortSet, ProtocolMatch};

use crate::Row;

/// A layer as rows.
#[derive(Debug, Clone)]
pub struct LoweredLayer {
    /// Its place.
    pub layer: Layer,
    /// Rows in the order in which they are asked, with upper bounds in place of sets that are partly unknown.
    pub rows: Vec<Row>,
    /// For each row, the rule it comes from in [`EffectiveLayer::rules`]; `None` for the platform's exemption.
    pub origins: Vec<Option<usize>>,
    /// The first row of the rules as they are; those before it are about the platform's services.
    pub rules_start: usize,
}

/// Lowers the layers of one direction.
pub fn layers(policy: &EffectivePolicy, direction: Direction) -> Vec<LoweredLayer> {
    policy.layers(direction).iter().map(|layer| lower(layer, policy, direction)).collect()
}

fn lower(layer: &EffectiveLayer, policy: &EffectivePolicy, direction: Direction) -> LoweredLayer {
    let mut rows = Vec::new();
    let is_nsg = matches!(layer.layer, Layer::Subnet | Layer::NetworkInterface);
    if is_nsg && direction == Direction::Outbound {
        for (service, addresses) in &policy.services {
            for (number, rule) in layer.rules.iter().enumerate().filter(|(_, r)| r.services.contains(service))
            {
                rows.extend(
                    narrowed(row(rule, layer.layer), *service, addresses).map(|row| (row, Some(number))),
                );
            }
            rows.extend(narrowed(Row::any(Action::Allow), *service, addresses).map(|row| (row, None)));
        }
    }
    let rules_start = rows.len();
    rows.extend(layer.rules.iter().enumerate().map(|(number, rule)| (row(rule, layer.layer), Some(number))));
    let (rows, origins) = rows.into_iter().unzip();
    LoweredLayer { layer: layer.layer, rows, origins, rules_start }
}

/// `row` cut down to the traffic of one service, a row a protocol; no row if nothing is left of it.
fn narrowed(row: Row, service: PlatformService, addresses: &AddressSet) -> impl Iterator<Item = Row> {
    let destinations = row.destinations.intersection(addresses);
    let destination_ports = row.destination_ports.intersection(&service.ports());
    let is_left = !destinations.is_empty() && !destination_ports.is_empty();
    let protocols =
        service.protocols().iter().filter(move |protocol| is_left && row.protocol.matches(**protocol));
    protocols.map(move |protocol| Row {
        protocol: ProtocolMatch::Number(*protocol),
        destinations: destinations.clone(),
        destination_ports: destination_ports.clone(),
        ..row.clone()
    })
}

fn row(rule: &EffectiveRule, layer: Layer) -> Row {
    Row {
        protocol: rule.protocol.known().unwrap_or(ProtocolMatch::Any),
        sources: rule.source.may().clone(),
        source_ports: rule.source_ports.may(),
        destinations: rule.destination.may().clone(),
        destination_ports: match (&rule.destination_ports, rule.protocol) {
            // With neither the protocol nor the ports certain, ICMP types may match too.
            (Ports::Known(_), Maybe::Unknown) => PortSet::full(),
            (ports, _) => ports.may(),
        },
        action: match (layer, rule.access) {
            (Layer::PublicAddress, Maybe::Known(Access::Deny)) => Action::Closed,
            (_, Maybe::Known(Access::Allow)) => Action::Allow,
            (_, Maybe::Known(Access::AlwaysAllow)) => Action::AlwaysAllow,
            (_, Maybe::Known(Access::Deny) | Maybe::Unknown) => Action::Deny,
        },
        window: rule.window,
        audit: rule.mode == Mode::Audit,
    }
}

//! The rules as those of Windows' own firewall: a script of PowerShell that makes them.
//!
//! Windows asks no rule before another: what blocks beats what allows, and nothing else orders them. So the lists are multiplied out here
//! into what is allowed in the end, as blocks of addresses and ports that need no order, and everything else is blocked by default. Invariant:
//! a packet that begins a flow is in a block if and only if the rules allow the flow.

mod blocks;
mod script;

use std::net::IpAddr;

use palisade_model::{Access, Layer};
use palisade_net::{AddressSet, Direction, Flow, PortSet, Protocol, ProtocolMatch};

use crate::plain::{Plain, PlainLayer, PlainRule};
use blocks::{Block, Blocks};
pub use script::script;

/// Blocks of one protocol and direction.
pub const BLOCKS_MAX: usize = 5_000;

/// Why rules cannot be those of Windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the rules are more than {BLOCKS_MAX} blocks without their order (merge rules, or export for nftables)"
)]
pub struct TooManyBlocks;

/// What one rule of Windows allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// Which way.
    pub direction: Direction,
    /// Protocols; none if all.
    pub protocols: Vec<Protocol>,
    /// Addresses of the other end.
    pub remote: AddressSet,
    /// Addresses of the machine.
    pub local: AddressSet,
    /// Ports that it is sent from.
    pub source_ports: PortSet,
    /// Ports that it is sent to, or types of control messages.
    pub destination_ports: PortSet,
}

impl Allowed {
    /// Whether a flow's first packet is allowed by it.
    pub fn holds(&self, flow: &Flow) -> bool {
        let ends: [IpAddr; 2] = match self.direction {
            Direction::Inbound => [flow.source(), flow.destination()],
            Direction::Outbound => [flow.destination(), flow.source()],
        };
        let protocol = flow.protocol();
        let ports_fit = match (flow.source_port(), flow.destination_port()) {
            _ if !protocol.has_ports() && !protocol.is_icmp() => true,
            (source, destination) => {
                (protocol.is_icmp() || self.source_ports.contains(source))
                    && self.destination_ports.contains(destination)
            }
        };
        self.direction == flow.direction()
            && (self.protocols.is_empty() || self.protocols.contains(&protocol))
            && self.remote.contains(ends[0])
            && self.local.contains(ends[1])
            && ports_fit
    }
}

/// What the rules allow, in no order.
///
/// # Errors
/// [`TooManyBlocks`].
pub fn allowed(plain: &Plain) -> Result<Vec<Allowed>, TooManyBlocks> {
    let mut all = Vec::new();
    for direction in Direction::ALL {
        all.extend(of_direction(plain, direction)?);
    }
    Ok(all)
}

/// Protocols that rules tell apart, each alone, and those that none does.
fn atoms(layers: &[PlainLayer], plain: &Plain) -> (Vec<Protocol>, Vec<Protocol>) {
    let named = layers.iter().flat_map(|layer| &layer.rules).filter_map(|rule| rule.protocol.of_packet());
    let services = plain.services().iter().flat_map(|(service, _)| service.protocols().iter().copied());
    let always = [Protocol::TCP, Protocol::UDP, Protocol::ICMP, Protocol::ICMPV6];
    let mut told: Vec<Protocol> = named.chain(services).chain(always).collect();
    told.sort_unstable();
    told.dedup();
    let others = (0..=u8::MAX).map(Protocol).filter(|protocol| !told.contains(protocol)).collect();
    (told, others)
}

fn of_direction(plain: &Plain, direction: Direction) -> Result<Vec<Allowed>, TooManyBlocks> {
    let layers = plain.layers(direction);
    let (told, others) = atoms(layers, plain);
    let of_others = match others.first() {
        Some(other) => walk(plain, direction, *other)?,
        None => Blocks::default(),
    };
    let mut groups: Vec<(Vec<Protocol>, Blocks)> = vec![(others, of_others)];
    for protocol in told {
        groups.push((vec![protocol], walk(plain, direction, protocol)?));
    }
    // What is allowed of every protocol is one rule.
    let is_common = |block: &Block| groups.iter().all(|(_, blocks)| blocks.0.contains(block));
    let common: Vec<Block> = groups[0].1.0.iter().filter(|block| is_common(block)).cloned().collect();
    let of_all = common.iter().map(|block| (Vec::new(), block.clone()));
    let of_some = groups.iter().flat_map(|(protocols, blocks)| {
        let rest = blocks.0.iter().filter(|block| !common.contains(block));
        rest.map(|block| (protocols.clone(), block.clone()))
    });
    let rule = |(protocols, block): (Vec<Protocol>, Block)| {
        let Block { source, source_ports, destination, destination_ports } = block;
        let (remote, local) = match direction {
            Direction::Inbound => (source, destination),
            Direction::Outbound => (destination, source),
        };
        Allowed { direction, protocols, remote, local, source_ports, destination_ports }
    };
    Ok(of_all.chain(of_some).map(rule).collect())
}

/// What of a protocol passes all lists.
fn walk(plain: &Plain, direction: Direction, protocol: Protocol) -> Result<Blocks, TooManyBlocks> {
    let mut accepted = Blocks::default();
    let mut current = Blocks(vec![Block::full()]);
    for layer in plain.layers(direction) {
        let mut next = Blocks::default();
        let is_nsg = matches!(layer.layer, Layer::Subnet | Layer::NetworkInterface);
        // What calls a service of the platform is judged by the rules that name it, and by no other.
        for (service, addresses) in
            plain.services().iter().filter(|_| is_nsg && direction == Direction::Outbound)
        {
            if !service.protocols().contains(&protocol) {
                continue;
            }
            let calls =
                Block { destination: addresses.clone(), destination_ports: service.ports(), ..Block::full() };
            let inside = current.within(&calls)?;
            current = current.without(&calls)?;
            let own = layer.rules.iter().filter(|rule| rule.services.contains(service));
            let rest = decide(inside, own, protocol, &mut next, &mut accepted)?;
            next.extend(rest)?;
        }
        let rest = decide(current, layer.rules.iter(), protocol, &mut next, &mut accepted)?;
        if layer.layer == Layer::Admin {
            next.extend(rest)?;
        }
        current = next;
    }
    accepted.extend(current)?;
    Ok(accepted)
}

/// Goes through the rules of a list; gives what none of them matches.
fn decide<'r>(
    mut rest: Blocks,
    rules: impl Iterator<Item = &'r PlainRule>,
    protocol: Protocol,
    next: &mut Blocks,
    accepted: &mut Blocks,
) -> Result<Blocks, TooManyBlocks> {
    for rule in rules {
        let Some(block) = block(rule, protocol) else { continue };
        match rule.access {
            Access::Allow => next.extend(rest.within(&block)?)?,
            Access::AlwaysAllow => accepted.extend(rest.within(&block)?)?,
            Access::Deny => {}
        }
        rest = rest.without(&block)?;
    }
    Ok(rest)
}

/// What of a protocol a rule matches; ports of control messages are their types (`docs/semantics.md`).
fn block(rule: &PlainRule, protocol: Protocol) -> Option<Block> {
    let is_any_port = rule.source_ports.is_full() && rule.destination_ports.is_full();
    let fits = rule.protocol.matches(protocol)
        && match rule.protocol {
            ProtocolMatch::Any => is_any_port || protocol.has_ports(),
            _ if protocol.is_icmp() => rule.source_ports.is_full(),
            _ => is_any_port || protocol.has_ports(),
        };
    fits.then(|| Block {
        source: rule.source.clone(),
        source_ports: rule.source_ports.clone(),
        destination: rule.destination.clone(),
        destination_ports: rule.destination_ports.clone(),
    })
}

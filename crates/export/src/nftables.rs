//! The rules as a table of nftables, for a machine that runs Linux: load it with `nft -f`.
//!
//! Each list is a chain; what it allows returns to the base chain, which asks the next. Loading replaces the table of an earlier
//! export and touches no other. Invariant: a packet that begins a flow is accepted if and only if the rules allow the flow.

mod matching;

use std::fmt::Write as _;

use palisade_model::{Access, Layer, PlatformService};
use palisade_net::{AddressSet, Direction};

use crate::plain::{Plain, PlainLayer, PlainRule};
use matching::matches;

/// The table's family and name.
pub const TABLE: &str = "inet palisade";

/// What keeps a link working and is not subject to rules, in each direction (`docs/semantics.md`). The host's wall looks closer.
const LINK_CONTROL: [&str; 2] = [
    "    icmpv6 type { 133-137 } ip6 hoplimit 255 accept\n    icmpv6 type { 130-132, 143 } ip6 hoplimit 1 accept\n    \
     udp sport 67 udp dport 68 accept\n    ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept",
    "    icmpv6 type { 133-137 } ip6 hoplimit 255 accept\n    icmpv6 type { 130-132, 143 } ip6 hoplimit 1 accept\n    \
     udp sport 68 udp dport 67 accept\n    ip6 saddr fe80::/10 udp sport 546 udp dport 547 accept",
];

/// The table of these rules.
pub fn table(plain: &Plain) -> String {
    let mut text = format!("table {TABLE}\ndelete table {TABLE}\ntable {TABLE} {{\n");
    for direction in Direction::ALL {
        let layers = plain.layers(direction);
        for (number, layer) in layers.iter().enumerate() {
            chain(&mut text, plain, direction, number, layer);
        }
        base(&mut text, direction, layers);
    }
    text.push_str("}\n");
    text
}

/// Where packets of a direction come in.
fn base(text: &mut String, direction: Direction, layers: &[PlainLayer]) {
    let (name, loopback, link_control) = match direction {
        Direction::Inbound => ("input", "iif lo", LINK_CONTROL[0]),
        Direction::Outbound => ("output", "oif lo", LINK_CONTROL[1]),
    };
    let mut line = |line: &str| writeln!(text, "{line}").expect("writing to a string cannot fail");
    line(&format!("  chain {name} {{\n    type filter hook {name} priority filter; policy drop;"));
    line(&format!("    {loopback} accept\n    ct state vmap {{ established : accept, related : accept }}"));
    line(&format!("{link_control}\n    ct state invalid drop"));
    for number in 0..layers.len() {
        line(&format!("    jump {}", chain_name(direction, number)));
    }
    line("    accept\n  }");
}

fn chain_name(direction: Direction, number: usize) -> String {
    format!("{}-{}", direction.to_string().to_lowercase(), number + 1)
}

/// The chain of a list, behind those of the platform's services that it may govern.
fn chain(text: &mut String, plain: &Plain, direction: Direction, number: usize, layer: &PlainLayer) {
    let name = chain_name(direction, number);
    let is_nsg = matches!(layer.layer, Layer::Subnet | Layer::NetworkInterface);
    let services: Vec<_> =
        plain.services().iter().filter(|_| is_nsg && direction == Direction::Outbound).collect();
    for (place, (service, _)) in services.iter().enumerate() {
        writeln!(text, "  chain {name}-service-{} {{", place + 1).expect("writing to a string cannot fail");
        rules(text, layer.rules.iter().filter(|rule| rule.services.contains(service)));
        text.push_str("    return\n  }\n");
    }
    writeln!(text, "  # {}", title(layer)).expect("writing to a string cannot fail");
    writeln!(text, "  chain {name} {{").expect("writing to a string cannot fail");
    for (place, (service, addresses)) in services.iter().enumerate() {
        for matching in of_service(*service, addresses) {
            writeln!(text, "    {matching} goto {name}-service-{}", place + 1)
                .expect("writing to a string cannot fail");
        }
    }
    rules(text, layer.rules.iter());
    if layer.layer != Layer::Admin {
        text.push_str("    drop\n");
    }
    text.push_str("  }\n");
}

fn rules<'r>(text: &mut String, rules: impl Iterator<Item = &'r PlainRule>) {
    for rule in rules {
        let verdict = match rule.access {
            Access::Allow => "return",
            Access::AlwaysAllow => "accept",
            Access::Deny => "drop",
        };
        for matching in matches(rule) {
            let space = if matching.is_empty() { "" } else { " " };
            writeln!(text, "    {matching}{space}{verdict} comment \"{}\"", comment(&rule.path))
                .expect("writing to a string cannot fail");
        }
    }
}

/// The flows that call a service of the platform.
fn of_service(service: PlatformService, addresses: &AddressSet) -> Vec<String> {
    let of = |protocol: &palisade_net::Protocol| {
        matches(&PlainRule {
            path: String::new(),
            access: Access::Allow,
            protocol: palisade_net::ProtocolMatch::Number(*protocol),
            source: AddressSet::full(),
            source_ports: palisade_net::PortSet::full(),
            destination: addresses.clone(),
            destination_ports: service.ports(),
            services: Vec::new(),
        })
    };
    service.protocols().iter().flat_map(of).collect()
}

fn title(layer: &PlainLayer) -> String {
    let name = layer.name.as_deref().map(comment).unwrap_or_default();
    match layer.layer {
        Layer::Admin => "security admin rules".to_owned(),
        Layer::Subnet => format!("NSG {name} of the subnet"),
        Layer::NetworkInterface => format!("NSG {name} of the network interface"),
        Layer::PublicAddress => "a public address that no NSG opened".to_owned(),
    }
}

/// What may stand in a comment: nft takes 128 bytes, and neither quotes nor line ends.
fn comment(text: &str) -> String {
    const COMMENT_MAX: usize = 120;
    let plain = |character: char| character.is_ascii_graphic() && !matches!(character, '"' | '\\');
    text.chars().map(|character| if plain(character) { character } else { '_' }).take(COMMENT_MAX).collect()
}

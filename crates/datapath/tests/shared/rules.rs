//! Rule lists as text, compiled.

use std::sync::Arc;

use palisade_abi::verdict::Action;
use palisade_classify::{Row, blob, table::Limits};
use palisade_net::{AddressSet, PortRange, Prefix, ProtocolMatch};

/// A blob from rules like `allow tcp * 10.0.0.4/32 80` (action, protocol, source, destination, ports); what no rule
/// matches is a miss.
pub fn list(rules: &[&str]) -> Arc<[u8]> {
    compile(&rules.iter().map(|rule| row(rule)).collect::<Vec<_>>())
}

/// The blob of these rows.
pub fn compile(rows: &[Row]) -> Arc<[u8]> {
    blob::compile(rows, &Limits::default()).expect("the rules are few").into()
}

/// One rule as in [`list`].
pub fn row(text: &str) -> Row {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [action, protocol, source, destination, ports] = fields[..] else { panic!("five fields: {text}") };
    let addresses = |text: &str| match text {
        "*" => AddressSet::full(),
        prefix => [prefix.parse::<Prefix>().expect("a prefix")].into_iter().collect(),
    };
    Row {
        action: match action {
            "allow" => Action::Allow,
            "deny" => Action::Deny,
            "always" => Action::AlwaysAllow,
            "closed" => Action::Closed,
            other => panic!("no action: {other}"),
        },
        protocol: protocol.parse::<ProtocolMatch>().expect("a protocol"),
        sources: addresses(source),
        destinations: addresses(destination),
        destination_ports: [ports.parse::<PortRange>().expect("ports")].into_iter().collect(),
        ..Row::any(Action::Allow)
    }
}
